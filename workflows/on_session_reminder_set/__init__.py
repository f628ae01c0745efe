"""What follows when a reminder of a session was set. Each file is found, not imported."""
