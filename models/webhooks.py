"""Webhook endpoints of partners, and the secrets that sign their messages."""

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Timestamp, changing, created, enum, id_column, metadata
from models.personal import DELETED, IMPERSONAL


class EndpointState(StrEnum):
    """State of an endpoint: messages are sent to active ones alone."""

    PENDING = "pending"  # in: its creation; out: the first 2xx to a signed ping
    ACTIVE = "active"  # in: that 2xx, or its owner after a pause; out: its owner, or policy
    PAUSED = "paused"  # in and out: its owner
    DISABLED = "disabled"  # in: policy, with the reason; out: a ping that its owner asked for and that got 2xx


# Besides these, a new address makes any endpoint pending again: the new receiver has answered no ping yet.
ENDPOINT_TRANSITIONS: dict[EndpointState, frozenset[EndpointState]] = {
    EndpointState.PENDING: frozenset({EndpointState.ACTIVE, EndpointState.DISABLED}),
    EndpointState.ACTIVE: frozenset({EndpointState.PAUSED, EndpointState.DISABLED}),
    EndpointState.PAUSED: frozenset({EndpointState.ACTIVE, EndpointState.DISABLED}),
    EndpointState.DISABLED: frozenset({EndpointState.ACTIVE}),
}


class Signing(StrEnum):
    """How an endpoint's messages are signed, in the words of Standard Webhooks."""

    HMAC_SHA256 = "hmac-sha256"  # v1: one secret, which both sides hold
    ED25519 = "ed25519"  # v1a: a private key here, its public key there


webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    id_column(),
    # Null for an operator's endpoint, which gets every event; a mentor's gets that mentor's alone.
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id")),
    Column("url", Text, nullable=False, info=DELETED),
    Column("event_types", ARRAY(Text), nullable=False, info=IMPERSONAL),
    Column("description", Text, info=DELETED),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'"), info=DELETED),
    Column("rate_limit", Integer, info=IMPERSONAL),
    Column("state", enum(EndpointState, "webhook_endpoint_state"), nullable=False, server_default=text("'pending'")),
    Column("disabled_reason", Text, info=DELETED),
    Column("signing", enum(Signing, "webhook_signing"), nullable=False, server_default=text("'hmac-sha256'")),
    # Failed attempts in a row, the first of them, and until when the circuit breaker lets none through.
    Column("failures", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("failing_since", Timestamp),
    Column("open_until", Timestamp),
    # When its owner was notified that it will be disabled.
    Column("warned_at", Timestamp),
    # When its owner was notified of the first message that used up its attempts.
    Column("exhausted_at", Timestamp),
    # When it last ceased to be active, by a trigger; of one that never was, when it was made.
    Column("active_until", Timestamp, nullable=False, server_default=text("now()")),
    # The next free turn, under the rate limit or among the deliveries that are sent sooner.
    Column("next_send_at", Timestamp),
    # Whether messages that were postponed because of this endpoint may still be due too late.
    Column("hastens", Boolean, nullable=False, server_default=text("false"), info=IMPERSONAL),
    *changing(),
    UniqueConstraint("mentor_profile_id", "url", postgresql_nulls_not_distinct=True),
    CheckConstraint("char_length(url) BETWEEN 8 AND 2048", name="url_length"),
    CheckConstraint("cardinality(event_types) > 0", name="event_types_not_empty"),
    CheckConstraint("jsonb_typeof(headers) = 'object'", name="headers_are_an_object"),
    CheckConstraint("rate_limit > 0", name="rate_limit"),
    CheckConstraint("(disabled_reason IS NOT NULL) = (state = 'disabled')", name="disabled_reason"),
    CheckConstraint("failures >= 0 AND (failures > 0) = (failing_since IS NOT NULL)", name="failures"),
    CheckConstraint("failures > 0 OR (open_until IS NULL AND warned_at IS NULL)", name="only_failures_open_or_warn"),
    Index("ix_webhook_endpoints_hastens", "id", postgresql_where=text("hastens")),
)

# The owners of deleted endpoints, who can still read the messages that were sent to them.
deleted_webhook_endpoints = Table(
    "deleted_webhook_endpoints",
    metadata,
    id_column(),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id")),
    # Whether there may be pending ones.
    Column("deliveries_left", Boolean, nullable=False, server_default=text("false"), info=IMPERSONAL),
    created(),
    Index("ix_deleted_webhook_endpoints_deliveries_left", "id", postgresql_where=text("deliveries_left")),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    id_column(),
    Column("endpoint_id", Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    # Encrypted with the settings' key: a stolen dump signs nothing.
    Column("sealed_secret", Text, nullable=False, info=DELETED),
    Column("expires_at", Timestamp),
    created(),
    Index("ix_webhook_secrets_endpoint_id", "endpoint_id"),
    # Former secrets are deleted by it.
    Index("ix_webhook_secrets_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)
