"""Tests; tests/conftest.py says what they may ask for."""
