"""What follows when somebody took a seat of a group session. Each file is found, not imported."""
