"""Imports: people, offers and history that a marketplace brings over, line by line, from what it had before."""
