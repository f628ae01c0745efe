"""Endpoints that listen already, and messages that are due to them, for tests of what happens between the two."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from uuid_utils.compat import uuid7

from models.events import delivery_attempts, events
from models.webhooks import EndpointState, webhook_endpoints, webhook_secrets
from tests.factories import make_webhook
from tests.integration.harness import Harness
from tests.queries import execute, scalars
from workers.runner import DeliveryRunner
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events.delivery import WEBHOOK_RETRY_POLICY, DeliveryKey, SendResult
from workflows.events.event_types import SessionStarted
from workflows.events.record import record
from workflows.webhooks.secrets import new_secret

NO = SendResult(error="The receiver answered 500.", status_code=500)
YES = SendResult(status_code=200)
GONE = SendResult(error="The receiver answered 410.", status_code=410, permanent=True)


def listening(
    harness: Harness, url: str = "https://partner.example/in", *, seal: Callable[[str], str] = str, **columns: Any
) -> UUID:
    """An active endpoint, of the operators and for every type by default."""
    values = {"id": uuid7(), "url": url, "event_types": ["*"], "state": EndpointState.ACTIVE, **columns}
    with harness.engine.begin() as db:
        db.execute(insert(webhook_endpoints).values(**values))
        secret = {"id": uuid7(), "endpoint_id": values["id"], "sealed_secret": seal(new_secret())}
        db.execute(insert(webhook_secrets).values(**secret))
    return UUID(str(values["id"]))


def messages(harness: Harness, endpoint_id: UUID, count: int = 1) -> list[DeliveryKey]:
    """That many events, each with its message to the endpoint, due now."""
    happened = [an_event() for _ in range(count)]
    with harness.transactions() as db:
        for event in happened:
            record(db, event)
            make_webhook(db, event, endpoint_id)
    return [DeliveryKey(event_id=event.id, effect=SEND_WEBHOOK.name, target=str(endpoint_id)) for event in happened]


def send_one(harness: Harness, endpoint_id: UUID, answer: SendResult) -> DeliveryKey:
    harness.http.answers = lambda _message: answer
    (key,) = messages(harness, endpoint_id)
    harness.deliverer.deliver(key)
    return key


def use_up(harness: Harness, endpoint_id: UUID) -> DeliveryKey:
    (key,) = messages(harness, endpoint_id)
    harness.change(key, attempts=WEBHOOK_RETRY_POLICY.attempts - 1)
    harness.http.answers = lambda _message: NO
    assert harness.delivered(key).state == "dead"
    return key


def all_at_once(deliverer: DeliveryRunner, keys: Iterable[DeliveryKey], threads: int = 10) -> None:
    """Look at all of these, as a worker does with as many threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(deliverer.deliver, keys))


def endpoint(harness: Harness, endpoint_id: UUID) -> Any:
    return execute(harness.engine, select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)).one()


def set_endpoint(harness: Harness, endpoint_id: UUID, **values: Any) -> None:
    """Change the endpoint's row directly, as if time had passed."""
    execute(harness.engine, update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).values(**values))


def attempts_kept(harness: Harness, key: DeliveryKey) -> list[str]:
    """The outcomes of the attempts that were recorded, in their order; a success is in the delivery's own row."""
    kept = delivery_attempts.c
    query = select(kept.outcome).where(kept.event_id == key.event_id, kept.target == key.target).order_by(kept.attempt)
    return [*scalars(harness.engine, query), *(["done"] if harness.row(key).duration_ms is not None else [])]


def announced(harness: Harness, event_type: str) -> list[Any]:
    return list(execute(harness.engine, select(events).where(events.c.type == event_type)))


def an_event() -> SessionStarted:
    now = datetime.now(UTC)
    return SessionStarted(
        actor="system",
        occurred_at=now,
        session_id=uuid7(),
        booking_id=uuid7(),
        mentor_profile_id=uuid7(),
        mentee_user_id=uuid7(),
        status="in_progress",
        start_time=now,
        end_time=now + timedelta(hours=1),
        version=1,
    )
