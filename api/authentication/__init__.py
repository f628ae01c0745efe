"""Authentication: tokens, publishable keys and trusted headers become a claim, and a claim an account."""
