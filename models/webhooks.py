"""Where partners want to be told, and the secrets that sign what they are told."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Timestamp, changing, created, enum, id_column, metadata


class EndpointState(StrEnum):
    """Whether an endpoint is told anything."""

    PENDING = "pending"  # in: its creation; out: the first 2xx to a signed ping
    ACTIVE = "active"  # in: that 2xx, or its owner after a pause; out: its owner, or policy
    PAUSED = "paused"  # in and out: its owner
    DISABLED = "disabled"  # in: policy, with the reason; out: a ping that its owner asked for and that got 2xx


webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    id_column(),
    # Null for an operator's endpoint, which hears everything; a mentor's hears of that mentor alone.
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id")),
    Column("url", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("description", Text),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'")),
    Column("rate_limit", Integer),
    Column("state", enum(EndpointState, "webhook_endpoint_state"), nullable=False, server_default=text("'pending'")),
    Column("disabled_reason", Text),
    *changing(),
    UniqueConstraint("mentor_profile_id", "url", postgresql_nulls_not_distinct=True),
    CheckConstraint("char_length(url) BETWEEN 8 AND 2048", name="url_length"),
    CheckConstraint("cardinality(event_types) > 0", name="event_types_not_empty"),
    CheckConstraint("jsonb_typeof(headers) = 'object'", name="headers_are_an_object"),
    CheckConstraint("rate_limit > 0", name="rate_limit"),
    CheckConstraint("(disabled_reason IS NOT NULL) = (state = 'disabled')", name="disabled_reason"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    id_column(),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    # Encrypted with the settings' key: a stolen dump signs nothing.
    Column("sealed_secret", Text, nullable=False),
    Column("expires_at", Timestamp),
    created(),
    Index("ix_webhook_secrets_endpoint_id", "endpoint_id"),
)
