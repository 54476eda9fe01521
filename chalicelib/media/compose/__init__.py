"""Compositions: chunks of one video of a whole session, and what joins them."""
