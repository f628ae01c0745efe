"""What runs behind the API: the Celery app with its queues, the loops of sweep and maintain, and the ways out."""
