"""The OpenAPI document, its links and its examples."""
