"""What follows when a webhook endpoint has taken nothing for three days. Each file is found, not imported."""
