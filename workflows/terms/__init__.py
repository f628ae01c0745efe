"""The terms of a booking: what was shown, what was agreed, and what a cancellation costs by it."""
