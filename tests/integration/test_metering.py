"""Tests of how the database is measured: statements by process, failures by class, connections as they are."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from celery import Celery
from sqlalchemy import Connection, Engine, func, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cli.embedded import EmbeddedServer
from infrastructure.transactions import metered
from infrastructure.wakeups import WakeupQueue
from models.engine import create
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness
from tests.integration.test_sweep import Bell
from tests.integration.test_wakeups import some_wakeups
from tests.scraping import Figures
from workers.sweep import Sweep
from workflows.events.delivery import DeliveryKey, Postpone, SendResult
from workflows.events.event_types import BookingAccepted
from workflows.events.subscriptions import Effect, Subscriptions, load

DURATION = "tutelage_database_statement_duration_seconds"


@pytest.fixture
def process() -> str:
    return f"test-{uuid4().hex[:8]}"


@pytest.fixture
def measured(engine: Engine, process: str) -> Iterator[Engine]:
    found = metered(create(engine.url.render_as_string(hide_password=False), pool_size=3), process)
    yield found
    found.dispose()


def test_every_statement_is_measured_under_its_process(measured: Engine, process: str) -> None:
    with measured.connect() as db:
        db.execute(text("SELECT 1"))
        db.execute(text("SELECT pg_sleep(0.03)"))
    with measured.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("SELECT 1"))
    figures = Figures.here()
    assert figures.total(f"{DURATION}_count", process=process) == 3
    assert 0.03 <= figures.total(f"{DURATION}_sum", process=process) < 5
    assert figures.total(f"{DURATION}_bucket", process=process, le="0.025") == 2


def test_failures_are_counted_by_their_class(measured: Engine, process: str) -> None:
    with measured.connect() as db, pytest.raises(DBAPIError):
        db.execute(text("SELECT 1 / 0"))
    unreachable = metered(create("postgresql://tutelage@127.0.0.1:1/nothing", connect_timeout=1), process)
    with pytest.raises(OperationalError):
        unreachable.connect()
    errors = Figures.here().all("tutelage_database_errors_total", process=process)
    assert {dict(labels)["sqlstate_class"]: value for labels, value in errors.items()} == {"22": 1, "none": 1}


def test_connections_in_use_are_those_checked_out(measured: Engine, process: str) -> None:
    def in_use() -> float:
        return Figures.here().total("tutelage_database_connections_in_use", process=process)

    assert Figures.here().total("tutelage_database_connections_most", process=process) == 3
    with measured.connect() as first:
        first.execute(text("SELECT 1"))
        with measured.connect():
            assert in_use() == 2
        assert in_use() == 1
        # A broken connection is given back like any other.
        first.invalidate()
    assert in_use() == 0


ATTEMPTS, DELAY = "tutelage_delivery_duration_seconds_count", "tutelage_delivery_delay_seconds"


@pytest.fixture
def mail(harness: Harness) -> DeliveryKey:
    with harness.transactions() as db:
        make_booking(db)
    harness.deliver("notifications.booking_requested")
    return harness.key("mail.send")


def outcomes(before: Figures, effect: str = "mail.send") -> dict[str, float]:
    grown = Figures.here().since(before).all(ATTEMPTS, effect=effect)
    return {dict(labels)["outcome"]: count for labels, count in grown.items() if count}


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (SendResult(status_code=250), "done"),
        (SendResult(error="451 later"), "retry"),
        (SendResult(error="550 no such user", permanent=True), "dead"),
    ],
)
def test_an_attempt_is_counted_by_what_came_of_it(
    harness: Harness, mail: DeliveryKey, sent: SendResult, outcome: str
) -> None:
    harness.mail.answers = lambda _message: sent
    before = Figures.here()
    harness.deliverer.deliver(mail)
    assert outcomes(before) == {outcome: 1}
    # Looked at once more, it is not there to be counted again.
    harness.deliverer.deliver(mail)
    assert outcomes(before) == {outcome: 1}


def test_what_is_put_off_is_counted_as_such(harness: Harness, mail: DeliveryKey) -> None:
    def busy(_message: object) -> SendResult:
        raise Postpone(datetime.now(UTC) + timedelta(minutes=1), "its pace")

    harness.mail.answers = busy
    before = Figures.here()
    harness.deliverer.deliver(mail)
    assert outcomes(before) == {"postponed": 1}


def test_an_outcome_after_the_lease_is_counted_as_late(harness: Harness, mail: DeliveryKey) -> None:
    def lose(_message: object) -> SendResult:
        harness.change(mail, attempts=7)
        return SendResult(status_code=250)

    harness.mail.answers = lose
    before = Figures.here()
    harness.deliverer.deliver(mail)
    assert outcomes(before) == {"settled_late": 1}


def test_a_delay_is_counted_from_due_to_done(harness: Harness, mail: DeliveryKey) -> None:
    harness.change(mail, due_at=func.now() - timedelta(seconds=90), nudge_at=func.now())
    before = Figures.here()
    harness.mail.answers = lambda _message: SendResult(error="451 later")
    harness.deliverer.deliver(mail)
    assert Figures.here().since(before).total(f"{DELAY}_count", effect="mail.send") == 0
    harness.change(mail, due_at=func.now() - timedelta(seconds=90), nudge_at=func.now())
    harness.mail.answers = lambda _message: SendResult(status_code=250)
    harness.deliverer.deliver(mail)
    grown = Figures.here().since(before)
    assert grown.total(f"{DELAY}_count", effect="mail.send") == 1
    assert 90 <= grown.total(f"{DELAY}_sum", effect="mail.send") < 120


def test_a_session_is_counted_after_its_commit(harness: Harness) -> None:
    before = Figures.here()
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
        assert Figures.here().since(before).total("tutelage_events_total") == 0
    harness.deliver("sessions.create")
    grown = Figures.here().since(before)
    assert grown.total("tutelage_sessions_created_total") == 1
    assert grown.total("tutelage_transitions_total", machine="session", to="scheduled") == 1
    assert outcomes(before, "sessions.create") == {"done": 1}


def test_a_deadlock_that_is_tried_again_is_counted(engine: Engine) -> None:
    create = load().named("sessions.create")
    assert isinstance(create, Effect)
    failures = [OperationalError("", {}, psycopg.errors.DeadlockDetected())]

    def run(db: Connection, event: BookingAccepted, *, now: datetime) -> None:
        if failures:
            raise failures.pop()
        create.run(db, event, now=now)

    effects = Subscriptions()
    effects.add(replace(create, run=run))
    harness = Harness(engine, effects)
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    before = Figures.here()
    harness.deliver("sessions.create")
    assert outcomes(before, "sessions.create") == {"done": 1}
    retries = Figures.here().since(before).total("tutelage_transaction_retries_total", work="delivery")
    assert retries == 1


def test_nudges_are_counted_as_published_or_dropped(celery_app: Celery, valkey: EmbeddedServer) -> None:
    assert valkey
    before = Figures.here()
    wakeups = WakeupQueue(celery_app)
    wakeups.put(some_wakeups(7))
    assert wakeups.flush()
    grown = Figures.here().since(before)
    assert grown.total("tutelage_nudges_total", outcome="published") == 7
    assert grown.total("tutelage_nudges_total", outcome="dropped") == 0
    gone = WakeupQueue(Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False))
    gone.put(some_wakeups(3))
    assert gone.flush()
    assert Figures.here().since(before).total("tutelage_nudges_total", outcome="dropped") == 3


def test_the_sweep_counts_rounds_queue_lengths_and_wakeups(harness: Harness) -> None:
    with harness.transactions() as db:
        accept_booking(db, make_booking(db))
    past = text("now() - interval '10 seconds'")
    harness.change(harness.key("sessions.create"), due_at=past, nudge_at=past)
    before = Figures.here()
    Sweep(harness.engine, Bell(waiting=3)).once()
    grown = Figures.here().since(before)
    assert grown.total("tutelage_sweep_runs_total", outcome="ok") == 1
    assert grown.total("tutelage_sweep_nudged_total", queue="sessions") == 1
    assert Figures.here().total("tutelage_queue_length", queue="sessions") == 3
