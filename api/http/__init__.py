"""HTTP: the server, the headers of every answer, bodies, entity tags, idempotency keys and waiting."""
