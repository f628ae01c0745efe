"""Settlements: a payment is confirmed, waived, or lapses, and what it is for is given, or free again."""
