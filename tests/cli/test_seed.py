"""Tests of `tutelage seed`: every state there is, made by the rules, and never made twice."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Column, Connection, Engine, func, select, text

from api.pages.demo.people import find_demo_people
from cli.main import main
from cli.seed import fill
from cli.seeding.bookings import TURNS, Outcome, PlannedBooking, Planner
from cli.seeding.component import add_demo_people, play_demo
from cli.seeding.people import COURSES, MAX_MENTEES, MAX_MENTORS, plan_mentees, plan_mentors
from config.sealing import Sealer, use_sealer
from config.settings import settings
from models.bookings import BookingStatus, bookings
from models.catalog import BookingMode, listings, products
from models.engine import create
from models.events import DeliveryState, deliveries, events
from models.groups import group_sessions
from models.payments import PaymentStatus, payments
from models.people import mentor_profiles, users
from models.reviews import reviews
from models.sessions import SessionStatus, sessions
from tests import servers
from tests.queries import broken_invariants
from workflows.events import subscriptions
from workflows.invariants import check_all

DAY = datetime(2027, 3, 27, 0, 3, tzinfo=UTC)
MENTORS = 5
MENTEES = len(TURNS)
# Sessions are cancelled by a policy that a seeded booking does not use.
SESSION_STATES = {SessionStatus.SCHEDULED, SessionStatus.IN_PROGRESS, SessionStatus.COMPLETED}


def states(db: Connection, column: Column[Any]) -> dict[str, int]:
    return {value: count for value, count in db.execute(select(column, func.count()).group_by(column))}


def plans(seed: int, now: datetime = DAY) -> list[PlannedBooking]:
    planner = Planner(seed, plan_mentors(seed, MENTORS), now)
    return [plan for mentee in range(1, MENTEES + 1) for plan in planner.bookings_of(mentee)]


def test_a_seed_decides_on_the_whole_plan() -> None:
    assert plans(7) == plans(7)
    assert plan_mentors(7, MENTORS) == plan_mentors(7, MENTORS)
    assert plans(7) != plans(8)
    assert not {person.email for person in plan_mentees(7, 50)} & {person.email for person in plan_mentees(8, 50)}


def test_a_larger_number_begins_with_the_same_people() -> None:
    assert plan_mentees(7, 50)[:20] == plan_mentees(7, 20)
    assert plan_mentors(7, 50)[:20] == plan_mentors(7, 20)


@pytest.mark.parametrize("hours", range(0, 24, 5))
def test_past_and_future_hold_at_any_hour(hours: int) -> None:
    now = DAY + timedelta(hours=hours)
    planned = plans(3, now)
    assert planned
    for plan in planned:
        assert plan.requested_at < plan.decided_at < min(plan.start, now)
        if plan.outcome is Outcome.COMPLETED:
            assert plan.end < now
        if plan.outcome in (Outcome.DRAFT, Outcome.SCHEDULED, Outcome.AWAITING_PAYMENT):
            assert plan.start > now
        if plan.outcome is Outcome.IN_PROGRESS:
            assert plan.start <= now < plan.end


@pytest.fixture(scope="module")
def now() -> datetime:
    """When these tests begin: minutes after this module is imported, timers of then would be overdue."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def filled(worker_id: str, template_database: str, now: datetime) -> Iterator[tuple[Engine, Counter[str]]]:
    """A database for tests that only read what a seed has put into it, and how much of what that was."""
    # No choice of an operator is left from the test before.
    subscriptions.reset_policy()
    with servers.temporary_database(f"tutelage_seeded_{worker_id}", template_database) as address:
        engine = create(address)
        yield engine, fill(engine, mentors=MENTORS, mentees=MENTEES, seed=1, now=now)
        engine.dispose()


def test_seeds_reach_every_state_and_violate_no_invariant(filled: tuple[Engine, Counter[str]], now: datetime) -> None:
    engine, added = filled
    assert (added["mentors"], added["mentees"]) == (MENTORS, MENTEES)
    assert added["left out"] == 0
    with engine.connect() as db:
        by_status = states(db, bookings.c.status)
        assert set(by_status) == set(BookingStatus)
        awaiting = by_status[BookingStatus.AWAITING_PAYMENT]
        assert awaiting == added[Outcome.AWAITING_PAYMENT]
        paid = states(db, payments.c.status)
        assert (paid.pop(PaymentStatus.AWAITING), set(paid)) == (awaiting, {PaymentStatus.PAID})
        assert by_status[BookingStatus.DRAFT] == added[Outcome.DRAFT]
        assert by_status[BookingStatus.CANCELLED] == added[Outcome.CANCELLED] + added[Outcome.EXPIRED]
        held = {status: added[status.value] for status in SESSION_STATES}
        held[SessionStatus.SCHEDULED] += added["groups"]
        assert states(db, sessions.c.status) == held
        assert set(states(db, listings.c.booking_mode)) == set(BookingMode)
        assert db.scalar(select(func.count()).select_from(reviews)) == added["reviews"] > 0
        assert db.scalars(select(func.count()).where(reviews.c.answer.is_not(None))).one() > 0
        assert db.scalars(select(func.max(reviews.c.created_at))).one() <= now
        taught = select(func.count()).where(listings.c.course_id.is_not(None))
        assert (added["courses"], db.scalars(taught).one() > 0) == (len(COURSES), True)
        assert db.scalar(select(func.count()).select_from(products)) == added["products"] > 0
        assert db.scalar(select(func.count()).select_from(group_sessions)) == added["groups"] > 0
        assert [finding for finding in check_all(db) if finding.violations] == []


def test_only_mails_and_timers_stay_pending(filled: tuple[Engine, Counter[str]], now: datetime) -> None:
    engine, added = filled
    with engine.connect() as db:
        by_state = states(db, deliveries.c.state)
        assert set(by_state) == {DeliveryState.PENDING, DeliveryState.DONE, DeliveryState.CANCELLED}
        # The mail that reminds the mentor of each request that has expired, which no attempt was made to send.
        of_delivery = deliveries.c
        cancelled = select(events.c.type, of_delivery.effect, of_delivery.attempts, of_delivery.last_error)
        cancelled = cancelled.join(events, events.c.id == of_delivery.event_id)
        outdated = ("booking.undecided", "mail.send", 0, "The request has been decided or has expired.")
        found = db.execute(cancelled.where(of_delivery.state == DeliveryState.CANCELLED)).all()
        assert list(map(tuple, found)) == [outdated] * added[Outcome.EXPIRED]
        pending = select(deliveries.c.effect, deliveries.c.due_at).where(deliveries.c.state == DeliveryState.PENDING)
        for row in db.execute(pending):
            assert row.effect == "mail.send" or row.due_at > now


def test_a_second_run_adds_only_what_is_missing(engine: Engine, now: datetime) -> None:
    first = fill(engine, mentors=MENTORS, mentees=8, seed=1, now=now)
    assert fill(engine, mentors=MENTORS, mentees=8, seed=1, now=now) == {}
    more = fill(engine, mentors=MENTORS, mentees=12, seed=1, now=now)
    assert (first["mentees"], more["mentees"], more["mentors"]) == (8, 4, 0)
    with engine.connect() as db:
        assert db.scalar(select(func.count()).select_from(users)) == MENTORS + 12
        assert db.scalar(select(func.count()).select_from(mentor_profiles)) == MENTORS
        assert [finding for finding in check_all(db) if finding.violations] == []


def seed(*options: str) -> Result:
    return CliRunner().invoke(main, ["seed", *options])


@pytest.mark.usefixtures("own_database")
def test_the_command_reports_what_it_added() -> None:
    result = seed("--mentors", "2", "--mentees", "3")
    assert result.exit_code == 0, result.output
    assert "Mentees" in result.output
    assert "Every invariant holds." in result.output
    again = seed("--mentors", "2", "--mentees", "3")
    assert again.exit_code == 0, again.output
    assert "Everything of this seed is there already; nothing was added." in again.output


@pytest.mark.usefixtures("own_database")
def test_invented_people_stay_out_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "a secret of at least thirty-two bytes for tests"
    for name, value in {
        "TUTELAGE_ENV": "production",
        "JWT_SECRET": own,
        "ENCRYPTION_KEYS": own,
        "SIGNING_KEYS": own,
        "PUBLIC_URL": "https://api.example",
        "MAIL": "files",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    result = seed()
    assert result.exit_code == 1
    assert "invented people do not belong there" in result.output


def test_the_people_of_the_demo_pages_are_added_once(engine: Engine, now: datetime) -> None:
    assert [add_demo_people(engine, now=now) for _ in range(2)] == [3, 0]
    with engine.connect() as db:
        people = find_demo_people(db)
        assert people is not None
        assert {offer.is_instant for offer in people.offers} == {True, False}
        assert people.course_id is not None
        assert db.scalars(select(func.count()).select_from(reviews)).one() == 1
        assert len(people.sessions) == 2
        assert set(states(db, bookings.c.status)) == {BookingStatus.ACCEPTED, BookingStatus.DRAFT}
        assert db.scalars(select(func.count()).select_from(group_sessions)).one() > 0
        assert [finding for finding in check_all(db) if finding.violations] == []


def test_the_people_of_the_demo_pages_fit_beside_the_others(engine: Engine, now: datetime) -> None:
    fill(engine, mentors=MENTORS, mentees=4, seed=1, now=now)
    assert add_demo_people(engine, now=now) == 3
    assert not broken_invariants(engine)


def test_the_demo_is_seeded_on_every_day(db: Connection, now: datetime) -> None:
    use_sealer(Sealer(settings().encryption_keys))
    for days in range(7):
        with db.begin_nested() as attempt:
            play_demo(db, now=now - timedelta(days=days))
            attempt.rollback()


def test_no_two_people_have_one_name() -> None:
    people = [*plan_mentees(7, MAX_MENTEES), *(mentor.person for mentor in plan_mentors(7, MAX_MENTORS))]
    assert len({person.name for person in people}) == len({person.email for person in people}) == len(people)


# Each row names two moments of which the first comes before the second.
ORDERED = """
SELECT 'account before booking', u.created_at, b.created_at FROM bookings b JOIN users u ON u.id = b.mentee_user_id
UNION ALL SELECT 'listing before booking', l.created_at, b.created_at FROM bookings b JOIN listings l
    ON l.id = b.listing_id
UNION ALL SELECT 'booking before session', b.created_at, s.created_at FROM sessions s JOIN bookings b
    ON b.id = s.booking_id
UNION ALL SELECT 'booking before payment', b.created_at, p.created_at FROM payments p JOIN bookings b
    ON b.id = p.booking_id
UNION ALL SELECT 'payment before it is paid', p.created_at, p.paid_at FROM payments p
UNION ALL SELECT 'paid before session', p.paid_at, s.created_at FROM sessions s JOIN payments p
    ON p.booking_id = s.booking_id
UNION ALL SELECT 'session before its start', s.created_at, s.started_at FROM sessions s WHERE s.started_at IS NOT NULL
UNION ALL SELECT 'start before completion', s.started_at, s.completed_at FROM sessions s
    WHERE s.completed_at IS NOT NULL
UNION ALL SELECT 'completion before review', s.completed_at, r.created_at FROM reviews r JOIN sessions s
    ON s.id = r.session_id
UNION ALL SELECT 'notifications in their order', n.created_at, lead(n.created_at) OVER (PARTITION BY n.user_id
    ORDER BY n.id) FROM notifications n WHERE n.created_at < now() - interval '1 day'
"""


@pytest.mark.usefixtures("filled")
def test_everything_happened_in_an_order_that_can_be(filled: tuple[Engine, Counter[str]]) -> None:
    engine, _added = filled
    with engine.connect() as db:
        moments = db.execute(text(ORDERED)).all()
    assert len({rule for rule, _before, _after in moments}) == 10
    assert [row for row in moments if row[2] is not None and row[1] > row[2]] == []


@pytest.mark.usefixtures("own_database")
def test_the_report_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(main, ["seed", "--mentors", "2", "--mentees", "3"])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
