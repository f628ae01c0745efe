"""What follows when the last session of a bundle was spent. Each file is found, not imported."""
