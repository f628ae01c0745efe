"""A partner under test: an endpoint in any state, and deliveries to it in any state."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, delete, func, insert, select, update

from models.events import DeliveryState, deliveries, delivery_attempts
from models.webhooks import EndpointState, webhook_endpoints
from tests.application import ApiClient, World
from tests.factories import make_webhook
from tests.queries import execute
from workflows.effects.webhooks import SEND_WEBHOOK
from workflows.events.event_types import BookingRequested
from workflows.events.record import drain_recorded, record

PENDING, DONE, DEAD, CANCELLED = DeliveryState.PENDING, DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.CANCELLED
HOOK = {"url": "https://partner.example/hooks", "eventTypes": ["session.completed"]}


@dataclass(frozen=True)
class Partner:
    """One endpoint, its owner's headers, and the database behind it."""

    engine: Engine
    client: ApiClient
    headers: dict[str, str]
    path: str

    @classmethod
    def of(cls, world: World, headers: dict[str, str], *, active: bool = True, **fields: Any) -> Partner:
        """An endpoint created over HTTP; an active one has answered its ping, as far as the database knows.

        Its ping leaves no delivery behind, so that a test has those alone that it makes.
        """
        answer = world.client.post("/webhook-endpoints", json=HOOK | fields, headers=headers)
        assert answer.status_code == 201, answer.json
        partner = cls(world.engine, world.client, headers, answer.headers["Location"])
        execute(world.engine, delete(deliveries).where(deliveries.c.endpoint_id == partner.id))
        if active:
            partner.becomes(EndpointState.ACTIVE)
        return partner

    @property
    def id(self) -> UUID:
        return UUID(self.path.rpartition("/")[2])

    def becomes(self, state: EndpointState, **values: Any) -> None:
        """Put the endpoint into a state, whatever leads there."""
        reason = "given up" if state is EndpointState.DISABLED else None
        with self.engine.begin() as db:
            statement = update(webhook_endpoints).where(webhook_endpoints.c.id == self.id)
            db.execute(statement.values(state=state, disabled_reason=reason, **values))

    def row(self) -> Any:
        return execute(self.engine, select(webhook_endpoints).where(webhook_endpoints.c.id == self.id)).one()

    def told(self, state: DeliveryState = DeliveryState.PENDING, *, ago: timedelta = timedelta(), **values: Any) -> str:
        """A delivery to the endpoint in that state, of an event of then; returns its id."""
        moment = datetime.now(UTC) - ago
        event = BookingRequested(
            id=id_of(moment),
            actor="system",
            occurred_at=moment,
            booking_id=uuid4(),
            listing_id=uuid4(),
            mentor_profile_id=uuid4(),
            mentee_user_id=None,
            kind="individual",
            status="draft",
            start_time=moment,
            end_time=moment,
            session_id=None,
            version=1,
        )
        with self.engine.begin() as db:
            record(db, event)
            make_webhook(db, event, self.id)
            drain_recorded(db)
            if state is DeliveryState.DEAD:
                values = {"attempts": 10, "last_error": "The receiver answered 500."} | values
            if state is DeliveryState.DONE:
                values = {"attempts": 1, "done_at": func.now()} | values
            of_event = (deliveries.c.event_id == event.id, deliveries.c.effect == SEND_WEBHOOK.name)
            if state is not DeliveryState.PENDING or values:
                db.execute(update(deliveries).where(*of_event).values(state=state, **values))
            return str(db.scalars(select(deliveries.c.id).where(*of_event)).one())

    def run(self, event_id: UUID, target: str) -> Any:
        with self.engine.connect() as db:
            of_run = (deliveries.c.event_id == event_id, deliveries.c.target == target)
            return db.execute(select(deliveries).where(*of_run)).one()

    def ends(self, run: Any, state: DeliveryState, **values: Any) -> None:
        execute(self.engine, update(deliveries).where(deliveries.c.id == run.id).values(state=state, **values))

    def attempted(self, delivery_id: str, attempt: int, **values: Any) -> None:
        """Record an attempt of a delivery."""
        with self.engine.begin() as db:
            key = db.execute(
                select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(
                    deliveries.c.id == UUID(delivery_id)
                )
            ).one()
            row = {"attempt": attempt, "outcome": "retry", "duration_ms": 12, **key._mapping, **values}
            db.execute(insert(delivery_attempts).values(row))

    def delivery(self, delivery_id: str) -> Any:
        return execute(self.engine, select(deliveries).where(deliveries.c.id == UUID(delivery_id))).one()


def id_of(moment: datetime) -> UUID:
    made = (int(moment.timestamp() * 1000) << 80) | secrets.randbits(80)
    return UUID(int=made & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62))
