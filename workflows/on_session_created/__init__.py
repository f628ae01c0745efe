"""What follows when an accepted booking became a session. Each file is found, not imported."""
