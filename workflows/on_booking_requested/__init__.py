"""What follows when a mentee asked for a mentor's time. Each file is found, not imported."""
