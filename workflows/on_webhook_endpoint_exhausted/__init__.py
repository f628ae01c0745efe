"""What follows when a message to a webhook endpoint used up its attempts. Each file is found, not imported."""
