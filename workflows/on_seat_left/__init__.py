"""What follows when somebody gave a seat of a group session back. Each file is found, not imported."""
