"""What follows when a session was called off. Each file is found, not imported."""
