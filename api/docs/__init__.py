"""The documentation that the service gives of itself: the OpenAPI document and Swagger UI, served from here alone."""
