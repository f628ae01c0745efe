"""What operators do with the deliveries of effects."""
