"""Statements of a booking's life that would leave one mentor's shard, if the tables were distributed by mentor.

docs/scaling.md says which tables those are, and each listed statement's way out.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from models.base import metadata
from models.prepared import PreparedStatement
from tests import factories
from tests.api.conftest import Headers
from tests.application import World, as_mentor, as_user
from tests.integration.harness import Harness
from workflows.events.delivery import DeliveryKey
from workflows.events.sweep import overdue

# Rows of one mentor, which would lie together. Other rows are copied to every machine, or belong to a person.
OF_A_MENTOR = {
    *("bookings", "booking_participants", "sessions", "group_sessions", "reschedule_proposals"),
    *("events", "deliveries", "delivery_attempts", "review_permits", "reviews", "payments"),
    *("session_metrics", "session_counts", "session_count_changes", "person_busy"),
    *("listings", "mentor_profiles", "weekly_hours", "date_hours", "time_off", "outside_busy", "calendar_feeds"),
    *("booking_rules", "mentor_blocks", "group_session_templates", "availability_announcements"),
}
_MENTORS = text("""
SELECT id::text, id AS mentor FROM mentor_profiles
UNION ALL SELECT id::text, mentor_profile_id FROM listings
UNION ALL SELECT id::text, mentor_profile_id FROM bookings
UNION ALL SELECT id::text, mentor_profile_id FROM sessions
UNION ALL SELECT e.id::text, coalesce(b.mentor_profile_id, s.mentor_profile_id)
FROM events e LEFT JOIN bookings b ON b.id = e.subject_id LEFT JOIN sessions s ON s.id = e.subject_id
""")
_DUE = text("""
SELECT effect, event_id, target, queue FROM deliveries
WHERE state = 'pending' AND due_at <= now() AND lease_until IS NULL ORDER BY queue, effect
""")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The beginnings of a worker's statements for a batch with deliveries of several mentors. A batch of one mentor's asks
# one shard.
OF_A_BATCH = (
    "WITH named AS MATERIALIZED ( SELECT d.event_id",
    "WITH RECURSIVE asked AS ( SELECT * FROM unnest(CAST(%(event_ids)s",
    "UPDATE deliveries d SET state = 'done'",
    "WITH booking AS ( SELECT * FROM bookings WHERE id = ANY(",
    "WITH event AS ( INSERT INTO events",
    "INSERT INTO deliveries (event_id, effect, target",
    "SELECT b.id AS booking_id, b.title",
    "WITH asked AS ( SELECT * FROM unnest( CAST(%(event_ids)s",
    "SELECT sessions.id, sessions.booking_id, sessions.status, sessions.title",
    "INSERT INTO review_permits",
    "INSERT INTO session_metrics",
)
# These name a person or a queue, and no mentor.
OF_ALL_SHARDS = {
    "GET /bookings?role=mentee": "SELECT bookings.price_amount",
    "GET /sessions/mentee/my-sessions": "SELECT sessions.",
    "sweep": "SELECT page.*, e.subject_type",
}

Made = list[tuple[str, Any]]
STEPS = ("book", "accept", "start", "complete", "review")


@contextmanager
def statements_with_values(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    made: Made = []

    def on_statement(_db: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        made.append((statement, values))

    run = PreparedStatement.all

    def keep(self: PreparedStatement, db: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        made.append((self.text, values))
        return run(self, db, values)

    event.listen(engine, "before_cursor_execute", on_statement)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(PreparedStatement, "all", keep)
            yield made
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)


def shards(engine: Engine, made: Made) -> dict[str, set[int]]:
    """How many mentors the values of each statement named, if it is one about rows of mentors."""
    with engine.connect() as db:
        mentors = {id: mentor for id, mentor in db.execute(_MENTORS) if mentor}
    found: dict[str, set[int]] = defaultdict(set)
    for statement, values in made:
        if OF_A_MENTOR & set(re.findall(r"\w+", statement)) & metadata.tables.keys():
            named = {mentors[id] for id in _ID.findall(_shown(values)) if id in mentors}
            found[" ".join(statement.split())].add(len(named))
    return found


def _shown(values: Any) -> str:
    """The values of a statement in full; psycopg shows the beginning of those that it sends as JSON."""
    each = values.values() if isinstance(values, Mapping) else values or ()
    return str([getattr(value, "obj", value) for value in each])


@dataclass
class Life:
    """A booking of a mentor of its own."""

    world: World
    mentor: Headers
    mentee: Headers
    listing_id: str
    booking_id: str = ""
    session_id: str = ""

    def step(self, name: str) -> None:
        start = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        path, headers, body = {
            "book": ("/bookings", self.mentee, {"listingId": self.listing_id, "startTime": start}),
            "accept": (f"/bookings/{self.booking_id}/accept", self.mentor, None),
            "start": (f"/sessions/{self.session_id}/start", self.mentor, None),
            "complete": (f"/sessions/{self.session_id}/complete", self.mentor, None),
            "review": (f"/sessions/{self.session_id}/review", self.mentee, {"rating": 5}),
        }[name]
        answer = self.world.client.post(path, headers=headers, json=body)
        assert answer.status_code < 300, answer.json
        if name == "book":
            self.booking_id = answer.json["id"]
        if name == "accept":
            self.session_id = answer.json["sessionId"]


@pytest.fixture
def lives(engine: Engine, world: World) -> list[Life]:
    with engine.begin() as db:
        mentors = [factories.make_mentor(db) for _ in range(2)]
        listings = [factories.make_listing(db, each, early_start_minutes=None) for each in mentors]
        mentees = [factories.make_user(db) for _ in mentors]
    return [
        Life(world, as_mentor(mentor), as_user(mentee), str(listing.id))
        for mentor, listing, mentee in zip(mentors, listings, mentees, strict=True)
    ]


def deliver_due(harness: Harness) -> None:
    """Run what is due and what follows from it, in one batch of each queue, whosever it is."""
    while True:
        with harness.engine.connect() as db:
            due = db.execute(_DUE).all()
        if not due:
            return
        for queue in sorted({row.queue for row in due}):
            keys = [DeliveryKey(event_id=r.event_id, effect=r.effect, target=r.target) for r in due if r.queue == queue]
            harness.deliverer.deliver(*keys)


def play(lives: Sequence[Life], harness: Harness, monkeypatch: pytest.MonkeyPatch) -> tuple[Made, Made]:
    """The statements of the requests, and of the workers, of lives that are played side by side."""
    of_requests: Made = []
    of_workers: Made = []
    for step in STEPS:
        for life in lives:
            with statements_with_values(harness.engine, monkeypatch) as made:
                life.step(step)
            of_requests += made
        with statements_with_values(harness.engine, monkeypatch) as made:
            deliver_due(harness)
        of_workers += [each for each in made if each[0] != _DUE.text]
    return of_requests, of_workers


def test_each_table_with_a_mentor_is_known() -> None:
    with_a_mentor = {name for name, table in metadata.tables.items() if "mentor_profile_id" in table.c}
    # Endpoints of webhooks may be an operator's as well.
    assert with_a_mentor - OF_A_MENTOR == {"webhook_endpoints", "deleted_webhook_endpoints"}


def test_a_life_asks_one_shard(engine: Engine, lives: list[Life], monkeypatch: pytest.MonkeyPatch) -> None:
    of_requests, of_workers = play(lives[:1], Harness(engine), monkeypatch)
    for made in (of_requests, of_workers):
        found = shards(engine, made)
        assert len(found) >= len(STEPS)
        assert {statement[:100]: number for statement, number in found.items() if number != {1}} == {}


def test_batches_alone_span_shards(engine: Engine, lives: list[Life], monkeypatch: pytest.MonkeyPatch) -> None:
    of_requests, of_workers = play(lives, Harness(engine), monkeypatch)
    assert {number for numbers in shards(engine, of_requests).values() for number in numbers} == {1}
    spanning = [statement for statement, numbers in shards(engine, of_workers).items() if 2 in numbers]
    unknown = [each[:100] for each in spanning if not each.startswith(OF_A_BATCH)]
    assert unknown == [], "Name the beginning of a statement of a whole batch in OF_A_BATCH."
    assert [each for each in OF_A_BATCH if not any(statement.startswith(each) for statement in spanning)] == []


def test_lists_of_a_person_and_the_sweep_ask_all_shards(
    engine: Engine, world: World, lives: list[Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, beginning in OF_ALL_SHARDS.items():
        with statements_with_values(engine, monkeypatch) as made:
            if name == "sweep":
                with engine.begin() as db:
                    overdue(db, "sessions", list_is_empty=True)
            else:
                path = name.removeprefix("GET ")
                assert world.client.get(path, headers=lives[0].mentee).status_code == 200
        (asked,) = [each for each, numbers in shards(engine, made).items() if numbers == {0}]
        assert asked.startswith(beginning)
