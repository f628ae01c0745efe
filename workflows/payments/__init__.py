"""Payments: what one person owes for one decision, and the ledger of what came and goes back."""
