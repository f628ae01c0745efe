"""Tests of the fan-out: the statement that records an event writes the deliveries of whoever listens by webhook."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select, text
from uuid_utils.compat import uuid7

from cli.migrate import MIGRATIONS, revert, upgrade
from models.engine import create
from models.events import deliveries
from models.sessions import session_id_of
from tests.factories import (
    accept_booking,
    complete_session,
    make_booking,
    make_event,
    make_mentor,
    start_session,
)
from tests.integration.endpoints import an_event, listening
from tests.integration.harness import Harness, counted_statements
from workflows.events.catalogue import BookingRequested
from workflows.events.record import record
from workflows.events.subscriptions import use
from workflows.operator_policy import OperatorPolicy
from workflows.sessions.session import Session, session_query
from workflows.webhooks.deliveries import FAN_OUT_ROWS

BEFORE = "0017"
# Issue: what a life costs. Request, acceptance, session, start, completion, and the review that it unlocks.
MOST_DELIVERIES_OF_A_LIFE = 25


def targets(db: Connection, event_id: UUID) -> dict[UUID | None, str]:
    """To which endpoints an event goes, and in which state its delivery is."""
    rows = db.execute(
        select(deliveries.c.endpoint_id, deliveries.c.state).where(
            deliveries.c.event_id == event_id, deliveries.c.effect == "webhooks.send"
        )
    )
    return {row.endpoint_id: str(row.state) for row in rows}


def test_an_event_and_all_that_follows_is_one_statement(harness: Harness) -> None:
    endpoints = {listening(harness, f"https://{n}.example") for n in range(3)}
    with harness.transactions() as db, counted_statements(db) as statements:
        event = make_event(db)
        assert len(statements) == 1
        assert targets(db, event.id) == dict.fromkeys(endpoints, "pending")
    told = [wakeup for wakeup in harness.wakeups.kept if wakeup.effect == "webhooks.send"]
    assert {wakeup.target for wakeup in told} == {str(each) for each in endpoints}
    assert {(wakeup.queue, wakeup.subject_id) for wakeup in told} == {("webhooks", event.subject_id)}


def test_several_events_are_one_statement_and_keep_their_order(harness: Harness) -> None:
    listening(harness)
    with harness.transactions() as db:
        made = [an_event() for _ in range(3)]
        with counted_statements(db) as statements:
            record(db, *made)
        assert len(statements) == 1
        rows = db.execute(text("SELECT id FROM events ORDER BY sequence")).scalars().all()
        assert rows == [event.id for event in made]
        assert all(len(targets(db, event.id)) == 1 for event in made)


def test_a_mentors_endpoint_hears_of_that_mentor_alone(harness: Harness) -> None:
    with harness.transactions() as db:
        booking = make_booking(db)
        other = make_mentor(db)
    operators = listening(harness, "https://o.example")
    own = listening(harness, "https://a.example", mentor_profile_id=booking.mentor_profile_id)
    listening(harness, "https://b.example", mentor_profile_id=other.id)
    with harness.transactions() as db:
        accept_booking(db, booking)
        event_id = own_event(db, "booking.accepted")
        assert targets(db, event_id) == {own: "pending", operators: "pending"}


def own_event(db: Connection, event_type: str) -> UUID:
    """The id of the one event of that type."""
    event_id: UUID = db.execute(text("SELECT id FROM events WHERE type = :type"), {"type": event_type}).scalar_one()
    return event_id


@pytest.mark.parametrize(
    ("types", "hears"),
    [(["*"], True), (["booking.*"], True), (["booking.requested"], True), (["booking.accepted"], False)],
)
def test_by_name_by_family_or_everything(harness: Harness, types: list[str], hears: bool) -> None:
    listening(harness, event_types=types)
    with harness.transactions() as db:
        make_booking(db)
        assert bool(targets(db, own_event(db, BookingRequested.type))) is hears


def test_what_is_not_announced_goes_to_nobody(harness: Harness) -> None:
    listening(harness)
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    harness.deliver("sessions.create")
    with harness.engine.connect() as db:
        reminders = db.scalars(text("SELECT id FROM events WHERE type = 'session.reminder_set'")).all()
        assert [targets(db, event_id) for event_id in reminders] == [{}, {}]


def test_listeners_are_found_by_an_index(engine: Engine) -> None:
    with engine.begin() as db:
        mentors = [make_mentor(db).id for _ in range(3)]
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(
            text(
                "INSERT INTO webhook_endpoints (id, mentor_profile_id, url, event_types, state)"
                " SELECT gen_random_uuid(), gen_random_uuid(), 'https://' || n || '.example', ARRAY['*'], 'active'"
                " FROM generate_series(1, 20000) n"
            )
        )
        db.execute(text("ANALYZE webhook_endpoints"))
        db.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        db.execute(
            text(
                "PREPARE fan_out(uuid[], text[], uuid[]) AS"
                " WITH announced AS (SELECT * FROM unnest($1, $2, $3) AS announced(event_id, type, mentor_profile_id))"
                f" SELECT * FROM ({FAN_OUT_ROWS}) AS found"
            )
        )
        plan = db.execute(
            text(f"EXPLAIN EXECUTE fan_out(ARRAY['{mentors[0]}']::uuid[], ARRAY['a.b'], ARRAY['{mentors[0]}']::uuid[])")
        ).scalars()
        lines = "\n".join(plan)
        assert "Seq Scan on webhook_endpoints" not in lines, lines


def test_a_life_runs_at_most_twenty_five_deliveries(harness: Harness) -> None:
    use(OperatorPolicy())
    listening(harness)
    with harness.transactions() as db:
        booking = make_booking(db)
    harness.run_all()
    with harness.transactions() as db:
        accept_booking(db, booking)
    harness.run_all()
    with harness.transactions() as db:
        session = Session.of(db.execute(session_query(session_id_of(booking.id))).one())
        started = start_session(db, session)
    harness.run_all()
    with harness.transactions() as db:
        complete_session(db, started)
    harness.run_all()
    with harness.engine.connect() as db:
        rows = db.execute(select(deliveries.c.effect, deliveries.c.state)).all()
    assert {str(row.state) for row in rows} == {"done", "pending"}
    ran = Counter(row.effect for row in rows if row.state == "done")
    assert ran.total() <= MOST_DELIVERIES_OF_A_LIFE, ran
    assert {row.effect for row in rows if row.state == "pending"} == {
        *("bookings.expire", "bookings.remind", "notifications.session_reminder")
    }
    assert ran["webhooks.send"] == 6
    assert ran["mail.send"] == 5


def test_endpoints_of_older_deliveries_become_columns_and_go_back(database_url: str) -> None:
    engine = create(database_url)
    endpoint_id = uuid7()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    steps = len(list(ScriptDirectory.from_config(config).iterate_revisions("head", BEFORE)))
    revert(database_url, steps)
    with engine.begin() as db:
        event_id = uuid7()
        db.execute(
            text(
                "INSERT INTO events (id, type, subject_type, subject_id, actor, data, occurred_at)"
                " VALUES (:id, 'session.started', 'session', :id, 'system', '{}', now())"
            ),
            {"id": event_id},
        )
        write_as_before(db, event_id, str(endpoint_id), f"{endpoint_id}:2", "no endpoint")
    engine.dispose()
    upgrade(database_url)
    with engine.begin() as db:
        # A process of the release before is still running.
        write_as_before(db, event_id, f"{endpoint_id}:3")
        rows = db.execute(select(deliveries.c.target, deliveries.c.endpoint_id, deliveries.c.resend)).all()
        assert {tuple(row) for row in rows} == {
            (str(endpoint_id), endpoint_id, 0),
            (f"{endpoint_id}:2", endpoint_id, 2),
            (f"{endpoint_id}:3", endpoint_id, 3),
            ("no endpoint", None, 0),
        }
    engine.dispose()


def write_as_before(db: Connection, event_id: UUID, *targets: str) -> None:
    """Webhook deliveries as they were written when the target alone told of the endpoint."""
    for target in targets:
        db.execute(
            text(
                "INSERT INTO deliveries (event_id, effect, target, id, queue, due_at, nudge_at)"
                " VALUES (:id, 'webhooks.send', :target, gen_random_uuid(), 'webhooks', now(), now())"
            ),
            {"id": event_id, "target": target},
        )
