"""The demo pages of the booking component, and the people whom `tutelage seed` makes for them."""
