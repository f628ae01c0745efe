"""Tests that hold the shape of the house: who imports whom, what is consumed, how large things grow."""
