"""The Celery app as Flower watches it: `celery --app workers.flower:app flower`."""

from __future__ import annotations

import os

from config.collecting import settle
from config.settings import SettingsError, settings
from workers.app import app

# `celery --app workers.flower:app` looks for it here.
__all__ = ["app"]

# FLOWER_AUTH is Flower's own, for those who sign in with an identity provider.
if settings().production and not settings().flower_basic_auth and "FLOWER_AUTH" not in os.environ:
    raise SettingsError("Flower needs FLOWER_BASIC_AUTH=user:password in production.")

# The last of what a Flower imports: it has loaded all of its own before it asks for the app, and says nothing later on.
settle()
