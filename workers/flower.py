"""The Celery app as Flower watches it: `celery --app workers.flower:app flower`."""

from __future__ import annotations

import os

from config.settings import SettingsError, exit_on_refused_settings, settings
from workers.app import app

# `celery --app workers.flower:app` looks for it here.
__all__ = ["app"]

with exit_on_refused_settings():
    # FLOWER_AUTH is Flower's own, for those who sign in with an identity provider.
    if settings().production and not settings().flower_basic_auth and "FLOWER_AUTH" not in os.environ:
        raise SettingsError("Flower needs FLOWER_BASIC_AUTH=user:password in production.")
