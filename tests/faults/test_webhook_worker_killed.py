"""The worker of the webhooks is killed in the middle of a thousand messages: all arrive, each under its one id."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.eventually import eventually
from tests.faults.partners import Partner, running_partners, subscribed
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants
from workers.outbound import LEASE

PARTNERS, EVENTS = 20, 50
MESSAGES = PARTNERS * EVENTS
KILLED_AFTER = 300
ARRIVAL_SECONDS = 90.0

# Instead of waiting the 45 s that a lease takes to run out: the worker that held these is dead, and not the next one.
LET_LEASES_RUN_OUT = """
UPDATE deliveries SET lease_until = now(), nudge_at = now()
WHERE effect = 'webhooks.send' AND state = 'pending' AND lease_until > now() AND target = ANY(%s) AND lease_until <= %s
"""
STATES = """
SELECT state::text, count(*) FROM deliveries WHERE effect = 'webhooks.send' AND target = ANY(%s) GROUP BY state
"""
EVENT_IDS = "SELECT id::text FROM events WHERE type = 'booking.requested' AND subject_id = ANY(%s)"


@pytest.fixture
def partners(sut: SystemUnderTest, cast: Participants) -> Iterator[list[Partner]]:  # noqa: ARG001 - registers before them
    """Twenty endpoints that take whatever they are sent."""
    with running_partners(well=PARTNERS) as partners, subscribed(sut, partners, "booking.requested"):
        yield partners


def test_no_message_is_lost_when_the_webhook_worker_is_killed(
    sut: SystemUnderTest, cast: Participants, partners: list[Partner], figures: Figures
) -> None:
    targets = [str(partner.id) for partner in partners]
    # Nothing is sent before there is all of it.
    with sut.stopped("worker-webhooks"):
        bookings = [cast.request() for _ in range(EVENTS)]
    killed = sut.pid("worker-webhooks")
    eventually(lambda: arrived(partners) >= KILLED_AFTER, "the first messages", seconds=60)
    with sut.db() as db:
        with sut.stopped("worker-webhooks"):
            last = db.execute("SELECT now() + %s", [LEASE]).fetchone() or ()
            sut.kill("worker-webhooks")
        figures("messages in the worker's hands", db.execute(LET_LEASES_RUN_OUT, [targets, *last]).rowcount)
    figures("messages that had arrived", arrived(partners))
    eventually(lambda: distinct(partners) == MESSAGES, "every message", seconds=ARRIVAL_SECONDS)
    eventually(lambda: sut.pid("worker-webhooks") != killed, "a new worker in run.json")

    def states() -> dict[str, int]:
        with sut.db() as db:
            return dict(db.execute(STATES, [targets]).fetchall())

    eventually(lambda: states() == {"done": MESSAGES}, "the end of every delivery")
    with sut.db() as db:
        event_ids = {row[0] for row in db.execute(EVENT_IDS, [bookings])}
    assert len(event_ids) == EVENTS
    for partner in partners:
        assert_whole(partner, event_ids)
    copies = Counter((partner.url, each.headers["webhook-id"]) for partner in partners for each in partner.arrivals)
    figures("share that arrived twice", sum(number > 1 for number in copies.values()) / MESSAGES)
    assert max(copies.values()) <= 2, "killed once, sent twice at most"


def assert_whole(partner: Partner, event_ids: set[str]) -> None:
    """The partner has every event, genuine, and all copies of it are equal."""
    bodies: dict[str, set[bytes]] = {}
    for arrival in list(partner.arrivals):
        message: Any = Webhook(partner.secret).verify(arrival.body, arrival.headers)
        assert message["id"] == arrival.headers["webhook-id"]
        bodies.setdefault(message["id"], set()).add(arrival.body)
    assert bodies.keys() == event_ids
    assert {len(said) for said in bodies.values()} == {1}


def arrived(partners: list[Partner]) -> int:
    return sum(len(partner.arrivals) for partner in partners)


def distinct(partners: list[Partner]) -> int:
    return sum(len({each.headers["webhook-id"] for each in list(partner.arrivals)}) for partner in partners)
