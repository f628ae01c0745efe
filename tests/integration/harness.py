"""The delivery engine in one process: real transactions on a real database, and wake-ups kept instead of published."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, event, func, select, update

from infrastructure.transactions import Transactions
from models.events import deliveries
from models.prepared import observe_prepared
from tests.application import KeptWakeups
from tests.queries import execute
from workers.outbound import MAX_LEASED_TOGETHER, Route, SenderPool
from workers.runner import BATCH_SECONDS, DeliveryRunner
from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import Delivery, DeliveryKey, SendResult
from workflows.events.subscriptions import OutboundEffect, Subscriptions, load

M = TypeVar("M")


@dataclass
class Receiver:
    """The outside world: keeps what it is sent, and gives configured answers."""

    answers: Callable[[Any], SendResult] = lambda _message: SendResult(status_code=200)
    received: list[Any] = field(default_factory=list)

    def send(self, message: Any, _renew: Renew = no_lease) -> SendResult:
        self.received.append(message)
        return self.answers(message)

    def close(self) -> None:
        """There is nothing to be closed."""


class CallersThread(SenderPool):
    """Senders without a limit that send in the thread of the caller, one after the other."""

    def __init__(self) -> None:
        self.count = MAX_LEASED_TOGETHER

    def acquire(self, named: int) -> int:
        return named

    def release(self, count: int) -> None:
        pass

    def submit(self, run: Callable[..., None], /, *args: object) -> None:
        run(*args)


def routes(**transports: Transport[Any]) -> dict[str, Route[Any]]:
    """Each by its name, and everything sent in the caller's thread."""
    return {name: Route(transport, CallersThread()) for name, transport in transports.items()}


class Harness:
    """A worker's belongings on a test's own database."""

    def __init__(
        self,
        engine: Engine,
        subscriptions: Subscriptions | None = None,
        *,
        batch_seconds: float = BATCH_SECONDS,
        calendars: Transport[Any] | None = None,
        stripe: Transport[Any] | None = None,
    ) -> None:
        self.engine = engine
        self.wakeups = KeptWakeups()
        self.transactions = Transactions(engine, self.wakeups)
        self.mail = Receiver()
        self.http = Receiver()
        self.push = Receiver()
        self.channels = Receiver()
        routes_by_name = routes(
            mail=self.mail,
            http=self.http,
            push=self.push,
            channels=self.channels,
            calendars=calendars or Receiver(),
            stripe=stripe or Receiver(),
        )
        self.effects = subscriptions or load()
        self.deliverer = DeliveryRunner(self.transactions, self.effects, routes_by_name, batch_seconds=batch_seconds)

    def deliver(self, effect: str, event_id: UUID | None = None, target: str | None = None) -> DeliveryKey:
        """Look at one delivery now, as a worker does: the only one of that effect, unless said otherwise."""
        key = self.key(effect, event_id, target)
        self.deliverer.deliver(key)
        return key

    def key(self, effect: str, event_id: UUID | None = None, target: str | None = None) -> DeliveryKey:
        """The key of the only delivery of that effect, unless said otherwise."""
        query = select(deliveries.c.event_id, deliveries.c.target).where(deliveries.c.effect == effect)
        if event_id is not None:
            query = query.where(deliveries.c.event_id == event_id)
        if target is not None:
            query = query.where(deliveries.c.target == target)
        row = execute(self.engine, query).one()
        return DeliveryKey(event_id=row.event_id, effect=effect, target=row.target)

    def row(self, key: DeliveryKey) -> Any:
        """The delivery as it stands, and the database's clock beside it."""
        return execute(self.engine, select(deliveries, func.now().label("now")).where(*_is(key))).one()

    def delivered(self, key: DeliveryKey) -> Any:
        """Look at a delivery now, as a worker does; the delivery as it stands then."""
        self.deliverer.deliver(key)
        return self.row(key)

    def delivered_again(self, key: DeliveryKey) -> Any:
        """Make a delivery due, and look at it; the delivery as it stands then."""
        self.make_due(key)
        return self.delivered(key)

    def change(self, key: DeliveryKey, **values: Any) -> None:
        with self.engine.begin() as db, without_guards(db):
            db.execute(update(deliveries).where(*_is(key)).values(**values))

    def make_due(self, key: DeliveryKey) -> None:
        self.change(key, due_at=func.now() - timedelta(seconds=5), nudge_at=func.now() - timedelta(seconds=3))

    def run_all(self, queue: str | None = None) -> None:
        """Run due deliveries and those that follow, of every queue or of one, until none is left."""
        while due := self._due(queue):
            for key in due:
                self.deliverer.deliver(key)

    def _due(self, queue: str | None = None) -> list[DeliveryKey]:
        query = select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(
            deliveries.c.state == "pending",
            deliveries.c.due_at <= func.now(),
            # What another one is about to send cannot be claimed: `run_all` would ask for it until its lease ends.
            deliveries.c.lease_until.is_(None) | (deliveries.c.lease_until <= func.now()),
        )
        if queue is not None:
            query = query.where(deliveries.c.queue == queue)
        return [DeliveryKey(**row._mapping) for row in execute(self.engine, query)]


def _is(key: DeliveryKey) -> tuple[Any, ...]:
    return (
        deliveries.c.event_id == key.event_id,
        deliveries.c.effect == key.effect,
        deliveries.c.target == key.target,
    )


def prepared_message(effect: OutboundEffect[M], db: Connection, delivery: Delivery) -> M:
    """The message of one delivery; raises the error if there is none."""
    (message,) = effect.prepare(db, [delivery])
    if isinstance(message, Exception):
        raise message
    return message


@contextmanager
def without_guards(db: Connection) -> Iterator[None]:
    """Switch triggers and foreign keys off for this transaction, to plant what must not be."""
    db.exec_driver_sql("SET LOCAL session_replication_role = replica")
    yield
    db.exec_driver_sql("SET LOCAL session_replication_role = origin")


@contextmanager
def counted_statements(db: Connection | Engine) -> Iterator[list[str]]:
    """The statements that are sent over a connection, or over all of an engine's, within the block."""
    statements: list[str] = []

    def keep(_db: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(db, "before_cursor_execute", keep)
    observe_prepared(db, lambda statement, _seconds: statements.append(statement))
    try:
        yield statements
    finally:
        event.remove(db, "before_cursor_execute", keep)
        observe_prepared(db, None)
