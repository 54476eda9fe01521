"""Tracklane: what VideoSDK recorded, complete and on one clock. The rooms are described in the README."""
