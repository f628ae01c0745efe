"""What follows when a mentee may write a review. Each file is found, not imported."""
