"""Tables of events and deliveries: what happened, and the effects that must follow. Redis only carries wake-ups."""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models.base import Timestamp, Xid8, created, enum, id_column, metadata
from models.personal import ERASED, IMPERSONAL, kept


class DeliveryState(StrEnum):
    """State of a delivery, with who moves it in and out."""

    PENDING = "pending"  # in: the event's own transaction, or an operator's retry; out: the worker
    DONE = "done"  # in: the worker, with the effect's own commit; final
    DEAD = (
        "dead"  # a dead letter; in: the worker, when the retries are used up; out: an operator, who retries or cancels
    )
    CANCELLED = "cancelled"  # in: the worker or an operator, with the reason; final


class ErrorClass(StrEnum):
    """Kind of failure of an attempt."""

    CONNECT = "connect"
    DNS = "dns"
    HEADER = "header"  # it cannot be sent
    INTERNAL = "internal"  # a defect of ours
    PROTOCOL = "protocol"  # the answer was not HTTP or broke off, or its status is not known
    REDIRECT = "redirect"
    REFUSED_ADDRESS = "refused_address"
    STATUS = "status"  # an answer, and not a 2xx
    TIMEOUT = "timeout"
    TLS = "tls"
    # These end a delivery as cancelled.
    DELETED = "deleted"
    NOT_LISTENING = "not_listening"  # paused or disabled when it was due; can be recovered
    TOO_LARGE = "too_large"


CANCEL_REASONS = (ErrorClass.DELETED, ErrorClass.NOT_LISTENING, ErrorClass.TOO_LARGE)


DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.CANCELLED}),
    DeliveryState.DONE: frozenset(),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING, DeliveryState.CANCELLED}),
    DeliveryState.CANCELLED: frozenset(),
}


def states_before(state: DeliveryState) -> frozenset[DeliveryState]:
    """The states with a transition to this state."""
    return frozenset(here for here, steps in DELIVERY_TRANSITIONS.items() if state in steps)


def _values(classes: Iterable[ErrorClass]) -> tuple[str, ...]:
    return tuple(each.value for each in classes)


_KEY_DIGEST = "encode(sha256(convert_to({of}.event_id || '/' || {of}.effect || '/' || {of}.target, 'UTF8')), 'hex')"
# The id of deliveries that were recorded before `DELIVERY_ID`: of their key's SHA-256 alone.
FORMER_DELIVERY_ID = (
    f"CAST(overlay(overlay(substr({_KEY_DIGEST}, 1, 32) placing '8' from 13) placing '8' from 17) AS uuid)"
)
# The public id of a delivery, the same on every attempt: a UUIDv8 made of the SHA-256 of its key (RFC 9562, appendix
# B.2), except its first four digits: digits 5 to 8 of its event's id, a count of 65 seconds. The ids of one minute are
# therefore near each other in their index. In no order, each would be written to a page of its own, and every such page
# whole into the log after a checkpoint. The statements that write deliveries compute the id, since only they know all
# targets; PostgreSQL has no SHA-1, and so no UUIDv5, without extensions that not every installation has.
DELIVERY_ID = (
    "CAST(overlay(overlay(substr(CAST({of}.event_id AS text), 5, 4) || "
    f"substr({_KEY_DIGEST}, 5, 28) placing '8' from 13) placing '8' from 17) AS uuid)"
)


# Append-only, by a trigger, until retention deletes them. A reader of the stream uses the cursor (xid, sequence) below
# the oldest running transaction: sequence alone would skip what commits late. It compares no ids of different clusters:
# see `clusters`.
events = Table(
    "events",
    metadata,
    id_column(),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("sequence", BigInteger, Identity(always=True), nullable=False, info=IMPERSONAL),
    Column("type", Text, nullable=False, info=IMPERSONAL),
    Column("subject_type", Text, nullable=False, info=IMPERSONAL),
    Column("subject_id", Uuid, nullable=False),
    Column("actor", Text, nullable=False, info=kept("an id")),
    Column(
        "data",
        JSONB,
        nullable=False,
        info=kept("ids, states, times and amounts; what an endpoint answered, without its address"),
    ),
    Column("occurred_at", Timestamp, nullable=False),
    # Which effects its writer knew; null for writers before there were catalogues.
    Column("catalogue", BigInteger, info=IMPERSONAL),
    created(),
    Index("ix_events_subject_id", "subject_id"),
    # Reports count the seats of groups by these alone.
    Index(
        "ix_events_seats", "type", "id", postgresql_where=text("type IN ('seat.joined', 'seat.left', 'seat.refunded')")
    ),
    # The order of all changes, for live streams.
    Index("ix_events_xid_sequence", "xid", "sequence"),
)

# In which clusters of PostgreSQL the database has lived, the latest with the highest number. A dump that is restored
# in another cluster brings its transaction ids along, which say nothing there: they are of the events up to
# `events_up_to`.
clusters = Table(
    "clusters",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False, info=IMPERSONAL),
    Column("system_identifier", BigInteger, nullable=False, info=IMPERSONAL),
    Column("events_up_to", BigInteger, nullable=False, info=IMPERSONAL),
    created(),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("event_id", Uuid, ForeignKey("events.id"), nullable=False),
    Column("effect", Text, nullable=False, info=IMPERSONAL),
    Column("target", Text, nullable=False, server_default=text("''"), info=IMPERSONAL),
    Column("id", Uuid, nullable=False),
    Column("queue", Text, nullable=False, info=IMPERSONAL),
    Column("state", enum(DeliveryState, "delivery_state"), nullable=False, server_default=text("'pending'")),
    Column("due_at", Timestamp, nullable=False),
    Column("nudge_at", Timestamp, nullable=False),
    Column("nudges", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("attempts", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # Attempts before an operator's retry, which the retry policy does not count (`attempts_reset` in the code).
    Column("forgiven", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("lease_until", Timestamp),
    Column("last_error", Text, info=ERASED),
    # Why it was cancelled: a delivery that was `not_listening` can be recovered.
    Column("cancel_reason", Text, info=IMPERSONAL),
    # Equal to due_at while it waits for an unavailable receiver, and not after an attempt of its own.
    Column("put_off_until", Timestamp),
    Column("done_at", Timestamp),
    # Webhook deliveries only: the endpoint, and the number of the resend of its event; 0 for the first run.
    Column("endpoint_id", Uuid),
    # The endpoint's rate limit by which `due_at`, its turn, was computed; null without a limit.
    Column("turn_rate", Integer, info=IMPERSONAL),
    Column("resend", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    created(),
    # Of an outbound delivery that is done: the attempt that succeeded, which is not in `delivery_attempts`.
    Column("status_code", Integer, info=IMPERSONAL),
    Column("duration_ms", Integer, info=IMPERSONAL),
    Column("response", Text, info=ERASED),
    PrimaryKeyConstraint("event_id", "effect", "target"),
    CheckConstraint("nudges >= 0 AND attempts >= 0", name="counters"),
    CheckConstraint("forgiven BETWEEN 0 AND attempts", name="forgiven"),
    CheckConstraint("(done_at IS NOT NULL) = (state = 'done')", name="done_at"),
    CheckConstraint("duration_ms >= 0", name="duration_ms"),
    CheckConstraint(
        f"cancel_reason IS NULL OR (state = 'cancelled' AND cancel_reason IN {_values(CANCEL_REASONS)})",
        name="cancel_reason",
    ),
    Index("uq_deliveries_id", "id", unique=True),
    # Read by the sweep, once a second and queue: as short as the backlog, however many rows are done.
    Index("ix_deliveries_queue_nudge_at", "queue", "nudge_at", postgresql_where=text("state = 'pending'")),
    # A worker claims these beside the deliveries that its wake-up names, an effect at a time.
    Index(
        "ix_deliveries_effect_due_at",
        "effect",
        "due_at",
        postgresql_where=text("state = 'pending' AND lease_until IS NULL"),
    ),
    Index("ix_deliveries_dead", "effect", "event_id", postgresql_where=text("state = 'dead'")),
    # Operators list these: few among all that are done.
    Index("ix_deliveries_cancelled", "event_id", postgresql_where=text("state = 'cancelled'")),
    # One endpoint's, the newest first.
    Index("ix_deliveries_webhook", "endpoint_id", "event_id", postgresql_where=text("effect = 'webhooks.send'")),
    # The waiting deliveries of each endpoint: claims take endpoints in turn, and messages to a recovering one sooner.
    Index(
        "ix_deliveries_webhook_pending",
        "endpoint_id",
        "due_at",
        postgresql_where=text("effect = 'webhooks.send' AND state = 'pending'"),
    ),
    # Deliveries with a turn under a rate limit, so that a backlog without turns does not delay their search.
    Index(
        "ix_deliveries_turns",
        "due_at",
        postgresql_where=text(
            "effect = 'webhooks.send' AND state = 'pending' AND lease_until IS NULL AND turn_rate IS NOT NULL"
        ),
    ),
    # Read by `recover`: short, however much has been delivered.
    Index(
        "ix_deliveries_webhook_failed",
        "endpoint_id",
        "event_id",
        postgresql_where=text("effect = 'webhooks.send' AND (state = 'dead' OR cancel_reason = 'not_listening')"),
    ),
    # Messages that endpoints missed while they were not active, deleted in the end.
    Index(
        "ix_deliveries_missed", "event_id", postgresql_where=text("cancel_reason = 'not_listening' AND attempts = 0")
    ),
    # Each row is rewritten once or twice soon after its insert, with new entries in its indexes. What it leaves is free
    # for later rows as soon as a vacuum has seen it; room on each page would never be used again.
    postgresql_with={"fillfactor": "90", "autovacuum_vacuum_scale_factor": "0.01"},
)

# Attempts that failed, and those that succeeded before `deliveries` kept them.
delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("event_id", Uuid, nullable=False),
    Column("effect", Text, nullable=False, info=IMPERSONAL),
    Column("target", Text, nullable=False, info=IMPERSONAL),
    Column("attempt", Integer, nullable=False, info=IMPERSONAL),
    Column("outcome", Text, nullable=False, info=IMPERSONAL),
    Column("error", Text, info=ERASED),
    Column("error_class", Text, info=IMPERSONAL),
    Column("status_code", Integer, info=IMPERSONAL),
    Column("response", Text, info=ERASED),
    Column("duration_ms", Integer, nullable=False, info=IMPERSONAL),
    created(),
    PrimaryKeyConstraint("event_id", "effect", "target", "attempt"),
    ForeignKeyConstraint(
        ["event_id", "effect", "target"], ["deliveries.event_id", "deliveries.effect", "deliveries.target"]
    ),
    CheckConstraint("outcome IN ('done', 'retry', 'cancelled', 'dead')", name="outcome"),
    CheckConstraint("duration_ms >= 0", name="duration_ms"),
    CheckConstraint(f"error_class IN {_values(ErrorClass)}", name="error_class"),
    # Read by the invariants, twice a minute: few among all that are kept.
    Index("ix_delivery_attempts_internal", "event_id", postgresql_where=text("error_class = 'internal'")),
)

# Of an event whose deliveries were deleted by retention: how each ended, as [effect, target, queue, state, attempts,
# moment, whether its id is a `DELIVERY_ID`]. Messages to endpoints, browsers and chat channels are not among them.
event_outcomes = Table(
    "event_outcomes",
    metadata,
    Column("event_id", Uuid, ForeignKey("events.id"), primary_key=True),
    Column("outcomes", JSONB, nullable=False, info=kept("ids and states")),
)

# The effects that writers of events knew, as `effect event_type`, by the number that their events keep.
effect_catalogues = Table(
    "effect_catalogues",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False, info=IMPERSONAL),
    Column("effects", ARRAY(Text), nullable=False, info=IMPERSONAL),
    created(),
)

# When each effect was first registered for each type of event: deliveries that an old process, still running during a
# deploy, did not record are filled in from then on.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("effect", Text, nullable=False, info=IMPERSONAL),
    Column("event_type", Text, nullable=False, info=IMPERSONAL),
    Column("queue", Text, nullable=False, info=IMPERSONAL),
    Column("first_seen_at", Timestamp, nullable=False, server_default=text("now()")),
    created(),
    PrimaryKeyConstraint("effect", "event_type"),
)
