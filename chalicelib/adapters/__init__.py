"""The walls: one file per neighbour, each answering to a port."""
