"""What follows when the mentor said no. Each file is found, not imported."""
