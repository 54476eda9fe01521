"""Compositions, a chunk at a time."""
