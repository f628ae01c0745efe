"""Operators' actions on deliveries."""
