"""The whole system, played as its users play it."""
