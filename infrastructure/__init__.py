"""Technical parts that the API, the workers and the commands share: transactions, wake-ups, Celery, tracing, HTTP."""
