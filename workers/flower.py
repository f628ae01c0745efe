"""The Celery app as Flower watches it: `celery --app workers.flower:app flower`."""

from __future__ import annotations

from config.collecting import settle
from workers.queues import app

# `celery --app workers.flower:app` looks for it here.
__all__ = ["app"]

# The last of what a Flower imports: it has loaded all of its own before it asks for the app, and says nothing later on.
settle()
