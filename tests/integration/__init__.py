"""Tests of the workflows and workers against real PostgreSQL, Valkey, SMTP and HTTP servers."""
