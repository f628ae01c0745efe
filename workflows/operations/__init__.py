"""What operators do with deliveries: look at them, retry what is dead, and cancel what is not to be done."""
