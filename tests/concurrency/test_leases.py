"""A lease, once taken, is its taker's: whoever else looks at the row for a moment must not cost it its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from models.events import DeliveryState
from tests import factories
from tests.concurrency.deliveries import CountingTransport, Harness
from tests.concurrency.racing import Race
from tests.eventually import eventually
from workers.transports import Renew, no_lease
from workflows.events.delivery import DeliveryKey, SendResult

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
)


@dataclass
class Onlooker(CountingTransport):
    """A way out during which somebody locks the delivery's row and still holds it when the message has been sent."""

    db: Connection | None = None

    def send(self, message: Any, _renew: Renew = no_lease) -> SendResult:
        """Lock it, and send."""
        assert self.db is not None
        self.db.execute(text("SELECT FROM deliveries WHERE effect = 'mail.send' FOR UPDATE"))
        return super().send(message)


@pytest.fixture
def key(engine: Engine) -> DeliveryKey:
    """A mail that is to be sent."""
    harness = Harness(engine)
    with harness.transactions() as db:
        factories.make_booking(db)
    for due in harness.due():
        harness.deliverer.deliver(due)
    return next(due for due in harness.due() if due.effect == "mail.send")


def test_an_outcome_waits_for_a_locked_row(engine: Engine, race: Race, key: DeliveryKey) -> None:
    with engine.connect() as onlooker:
        harness = Harness(engine, Onlooker(db=onlooker))

        def look_until_the_outcome_waits() -> None:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                eventually(lambda: db.scalar(WAITING), "an outcome that waits for the row")
            onlooker.rollback()

        race.run([lambda: harness.deliverer.deliver(key), look_until_the_outcome_waits])
    row = harness.row(key)
    assert (row.state, row.attempts, row.lease_until) == (DeliveryState.DONE, 1, None)
    assert set(harness.transport.sent.values()) == {1}
