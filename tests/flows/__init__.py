"""The journeys, with the world in memory."""
