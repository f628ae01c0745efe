"""The routes, by area: each parses, calls the business, and shows what it returned."""
