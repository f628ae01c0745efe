"""Tests of races: real transactions that commit, on real connections."""
