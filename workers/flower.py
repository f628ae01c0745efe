"""The Celery app as Flower watches it: `celery --app workers.flower:app flower`."""

import os

from flower.views.monitor import Metrics
from tornado.web import authenticated

from config.settings import SettingsError, exit_on_refused_settings, settings
from infrastructure.celery_app import app

# `celery --app workers.flower:app` looks for it here.
__all__ = ["app"]

with exit_on_refused_settings():
    settings().require_broker_url()
    # FLOWER_AUTH is Flower's own, for those who sign in with an identity provider.
    if settings().production and not settings().flower_basic_auth and "FLOWER_AUTH" not in os.environ:
        raise SettingsError("Flower needs FLOWER_BASIC_AUTH=user:password in production.")

# Kombu's own transport, by its address: Flower's page of the queues knows no other.
app.conf.broker_transport = None

# Flower 2.2 shows everything for its password but /metrics, which names workers and tasks, and has no setting for that.
Metrics.get = authenticated(Metrics.get)
