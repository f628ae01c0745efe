"""Bundles: sessions of a course paid for together, and the ledger of their credits."""
