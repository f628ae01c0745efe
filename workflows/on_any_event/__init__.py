"""What follows when anything happened. Each file is found, not imported."""
