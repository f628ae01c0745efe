"""Processes behind the API: the Celery workers, the loops of sweep and maintain, and the transports."""
