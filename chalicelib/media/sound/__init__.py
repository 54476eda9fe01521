"""Sound on the session's clock: stems, peaks, loudness and the mix, all out of one decode."""
