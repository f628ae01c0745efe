"""The upgrade from the release before, and the way back, under load."""
