"""What follows when a webhook endpoint was disabled. Each file is found, not imported."""
