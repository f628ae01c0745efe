"""Tests of single rules, without a database."""
