"""What operators do with deliveries: look at them, retry what is dead, and cancel what is still to be done."""
