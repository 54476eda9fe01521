"""The doors: unpack, call one flow, pack."""
