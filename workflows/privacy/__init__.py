"""Personal data: encryption anew, export, and erasure."""
