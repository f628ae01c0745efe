"""What follows when a draft was taken back, or expired. Each file is found, not imported."""
