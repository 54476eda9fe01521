"""Sound on the session's clock: stems, peaks, loudness and the mix, all out of one decode."""

from chalicelib.media.sound.make import sound

__all__ = ["sound"]
