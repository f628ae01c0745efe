"""The ground floor: tables with their constraints and state machines, and the engine that reaches them."""

from models import (
    analytics,
    bookings,
    calendar,
    calendar_secrets,
    catalog,
    engagement,
    events,
    idempotency,
    notifications,
    people,
    sessions,
    webhooks,
)
from models.base import metadata

__all__ = [
    "analytics",
    "bookings",
    "calendar",
    "calendar_secrets",
    "catalog",
    "engagement",
    "events",
    "idempotency",
    "metadata",
    "notifications",
    "people",
    "sessions",
    "webhooks",
]
