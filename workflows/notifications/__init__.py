"""Notifications: their recipients, kinds, texts and preferences."""
