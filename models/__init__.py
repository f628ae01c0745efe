"""The lowest layer: tables with their constraints and state machines, and the database engine."""

from models import (
    analytics,
    audit,
    availability,
    bookings,
    bundles,
    calendar,
    catalog,
    events,
    groups,
    idempotency,
    links,
    maintenance,
    notifications,
    people,
    reviews,
    sessions,
    webhooks,
)
from models.base import metadata

__all__ = [
    "analytics",
    "audit",
    "availability",
    "bookings",
    "bundles",
    "calendar",
    "catalog",
    "events",
    "groups",
    "idempotency",
    "links",
    "maintenance",
    "metadata",
    "notifications",
    "people",
    "reviews",
    "sessions",
    "webhooks",
]
