"""Health of a webhook endpoint: the circuit breaker before a message, and what its response changes."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, update

from models.base import sql
from models.webhooks import EndpointState, webhook_endpoints
from workflows.events.delivery import Postpone, SendResult
from workflows.events.event_types import WebhookEndpointDisabled, WebhookEndpointExhausted, WebhookEndpointFailing
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.kernel.language import gettext_noop
from workflows.webhooks.messages import utc

OPENS_AFTER_FAILURES = 10  # in a row
PROBE = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(days=5)
NOTICE = timedelta(hours=48)
WARNED_AFTER = GIVEN_UP_AFTER - NOTICE
GONE = 410

# No failures counted, the circuit breaker closed, and its owner warned of nothing.
HEALTHY: dict[str, Any] = dict.fromkeys(("failing_since", "open_until", "warned_at", "exhausted_at")) | {"failures": 0}

_NOTIFIED_COLUMNS = "id AS webhook_endpoint_id, mentor_profile_id, state, failing_since, warned_at, exhausted_at"

# The breaker stays open for 30 s after the tenth failure in a row, and for an hour at most. A message that was on its
# way already when another's failure opened it adds nothing to that, and neither does a ping or an example.
_COUNT_FAILURE = sql(f"""
UPDATE webhook_endpoints
SET failures = failures + 1,
    failing_since = coalesce(failing_since, :now),
    open_until = CASE WHEN failures + 1 >= :opens_after THEN
        :now + least(interval '1 hour', interval '30 seconds' * power(2, least(failures + 1 - :opens_after, 7))) END
WHERE id = :id AND url = :url AND open_until IS NOT DISTINCT FROM CAST(:breaker_until AS timestamptz)
  AND (open_until IS NULL OR NOT :requested)
RETURNING {_NOTIFIED_COLUMNS}
""")
# Locked, so that one of several concurrent failures notifies the owner.
_LOCK_ENDPOINT = sql(
    f"SELECT {_NOTIFIED_COLUMNS} FROM webhook_endpoints WHERE id = :id AND url = :url FOR NO KEY UPDATE"
)


def admit(db: Connection, endpoint: Mapping[str, Any], *, now: datetime) -> datetime | None:
    """Admit a message that can be sent, or postpone it without counting an attempt.

    Args:
        endpoint: its `id` and `open_until` as they were just read.

    Returns:
        Until when the breaker is open now, which `record_failure` asks for: a probe passes while it is.

    Raises:
        Postpone: the circuit breaker is open and another message probes.
    """
    return None if endpoint["open_until"] is None else _probe(db, endpoint, now)


def end_probe(db: Connection, endpoint_id: UUID, *, until: datetime | None) -> None:
    """Let another message probe at once, unless one has since."""
    columns = webhook_endpoints.c
    of_probe = columns.id == endpoint_id, columns.open_until == until
    db.execute(update(webhook_endpoints).where(*of_probe).values(open_until=func.now()))


def record_success(db: Connection, endpoint_id: UUID, *, url: str) -> None:
    """Reset the failures of an endpoint that accepted a message; postponed messages are to become due, at a pace.

    Args:
        url: where the message was accepted; an address that the endpoint had before says nothing about the present one.
    """
    endpoints = webhook_endpoints.c
    db.execute(
        update(webhook_endpoints)
        .where(endpoints.id == endpoint_id, endpoints.url == url, endpoints.failures > 0)
        .values(**HEALTHY, hastens=True)
    )


def record_failure(
    db: Connection,
    endpoint_id: UUID,
    sent: SendResult,
    *,
    url: str,
    breaker_until: datetime | None,
    requested: bool,
    exhausted: bool,
    now: datetime,
) -> None:
    """Count a failure, open the breaker, notify the owner, and disable the endpoint in the end.

    An endpoint that gets few messages is warned late, and has the time of the notice from then on.

    Args:
        url: where the message was sent, as of `record_success`.
        breaker_until: until when the breaker was open when the message was admitted; None for not at all.
        requested: whether it was a ping or an example, which pass an open breaker and do not lengthen it.
        exhausted: whether it was the message's last attempt.
    """
    failure = {"id": endpoint_id, "url": url, "now": now, "breaker_until": breaker_until, "requested": requested}
    endpoint = (
        db.execute(_COUNT_FAILURE, failure | {"opens_after": OPENS_AFTER_FAILURES}).one_or_none()
        or db.execute(_LOCK_ENDPOINT, {"id": endpoint_id, "url": url}).one_or_none()
    )
    if endpoint is None or endpoint.state == EndpointState.DISABLED:
        return
    failing_for = now - (endpoint.failing_since or now)
    if sent.status_code == GONE:
        _disable(db, endpoint, now, gettext_noop("The receiver answered 410 Gone."))
    elif failing_for >= GIVEN_UP_AFTER and endpoint.warned_at is not None and now - endpoint.warned_at >= NOTICE:
        _disable(db, endpoint, now, gettext_noop("No message was accepted for five days."))
    else:
        _warn(db, endpoint, sent.error, failing_for=failing_for, exhausted=exhausted, now=now)


def _warn(
    db: Connection, endpoint: Row[Any], error: str | None, *, failing_for: timedelta, exhausted: bool, now: datetime
) -> None:
    # Both may be due at once: the attempts of one message take about three days.
    if exhausted and endpoint.exhausted_at is None:
        _note(db, endpoint.webhook_endpoint_id, exhausted_at=now)
        record(db, WebhookEndpointExhausted(**_event_values(endpoint, now), last_error=error))
    if failing_for >= WARNED_AFTER and endpoint.warned_at is None:
        _note(db, endpoint.webhook_endpoint_id, warned_at=now)
        record(db, WebhookEndpointFailing(**_event_values(endpoint, now), last_error=error))


def _probe(db: Connection, endpoint: Mapping[str, Any], now: datetime) -> datetime:
    """Admit no message while the breaker is open; afterwards one, and the others once it has succeeded."""
    if endpoint["open_until"] > now:
        raise _open(endpoint["open_until"])
    until = now + PROBE
    probing = db.execute(
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint["id"], webhook_endpoints.c.open_until == endpoint["open_until"])
        .values(open_until=until)
    )
    if not probing.rowcount:
        raise _open(until)
    return until


def _open(until: datetime) -> Postpone:
    due_at = until + timedelta(seconds=random.uniform(0, 5))
    return Postpone(due_at, f"The endpoint's circuit breaker is open until {utc(until)}, since messages failed.")


def _disable(db: Connection, endpoint: Row[Any], now: datetime, reason: str) -> None:
    _note(db, endpoint.webhook_endpoint_id, state=EndpointState.DISABLED, disabled_reason=reason)
    record(db, WebhookEndpointDisabled(**_event_values(endpoint, now)))


def _note(db: Connection, endpoint_id: UUID, **values: Any) -> None:
    db.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).values(**values))


def _event_values(endpoint: Row[Any], now: datetime) -> dict[str, Any]:
    return {
        "actor": SYSTEM.name,
        "occurred_at": now,
        "webhook_endpoint_id": endpoint.webhook_endpoint_id,
        "mentor_profile_id": endpoint.mentor_profile_id,
    }
