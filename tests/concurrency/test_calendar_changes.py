"""Changes of a mentor's calendar, limits and holds, each raced by those who book at the same moment."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, func, select

from models.availability import outside_busy, time_off
from models.bookings import bookings
from models.calendar import person_busy
from models.catalog import BookingMode
from models.sessions import SessionStatus
from models.sessions import sessions as sessions_table
from tests import factories
from tests.concurrency.racing import ROUNDS as LONG_ROUNDS
from tests.concurrency.racing import WAITING, Race, codes, meanwhile, winners
from tests.eventually import eventually
from tests.queries import broken_invariants, execute, scalar
from workflows.accounts.records import Mentor, User
from workflows.availability.dates import CalendarDay, CalendarOwner, calendar_owner_query, set_date_hours
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.availability.rules import BookingRules, RulesOfMentor, rules_query, set_rules
from workflows.bookings.actions import cancel, decline
from workflows.bookings.direct import WantedListing, book_directly
from workflows.bookings.holds import Hold, hold
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.insert import DEFAULT_BOOKING_POLICY, BookingPolicy, DraftLimits
from workflows.bookings.records import Booking
from workflows.bookings.series import Recurrence, SeriesParties, series_parties_query, withdraw_drafts
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.groups.place import read_group
from workflows.groups.seats import join
from workflows.kernel.errors import Conflict, DomainError
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.sessions.actions import create_all
from workflows.sessions.time_off import take_time_off

Call = Callable[[Connection], Any]
HOUR = timedelta(hours=1)
TAKERS_OF_EACH_KIND, ROUNDS = 5, 10


class Offers:
    """A mentor with a listing of each mode and one of a course, all of an hour."""

    def __init__(self, db: Connection) -> None:
        self.mentor: Mentor = factories.make_mentor(db)
        self.course: Course = factories.make_course(db)
        factories.make_product(db, self.course)
        self.by_request: Listing = factories.make_listing(db, self.mentor)
        self.instant: Listing = factories.make_listing(db, self.mentor, booking_mode=BookingMode.INSTANT)
        factories.make_listing(db, self.mentor, course_id=self.course.id)

    def request(self, mentee: User, start: datetime, policy: BookingPolicy = DEFAULT_BOOKING_POLICY) -> Call:
        asked = partial(factories.make_booking, policy=policy)
        return partial(asked, listing=self.by_request, mentee=mentee, start_time=start)

    def book(self, mentee: User, start: datetime) -> Call:
        return partial(factories.make_booking, listing=self.instant, mentee=mentee, start_time=start)

    def book_individually(self, mentee: User, start: datetime) -> Call:
        wanted = IndividualRequest(
            mentor_profile_id=self.mentor.id, course_id=self.course.id, duration_minutes=60, start_time=start
        )
        return lambda db: book_individual(db, actor=factories.acting_user(mentee), wanted=wanted, now=_now())

    def hold(self, mentee: User, start: datetime, max_holds: int = 3) -> Call:
        listing = WantedListing(mentor_profile_id=self.mentor.id, duration_minutes=60)
        wanted = partial(hold, wanted=listing, minutes=5, max_holds=max_holds)
        return lambda db: wanted(db, actor=factories.acting_user(mentee), start_time=start, now=_now())

    def take_off(self, start: datetime, end: datetime, *, cancel_sessions: bool = False) -> Call:
        def take(db: Connection) -> Any:
            owner = CalendarOwner.of(db.execute(calendar_owner_query(self.mentor.id)).one())
            off = partial(take_time_off, start_time=start, end_time=end, reason=None, cancel_sessions=cancel_sessions)
            return off(db, actor=self.actor, mentor=owner, now=_now())

        return take

    def close_date(self, start: datetime) -> Call:
        def close(db: Connection) -> Any:
            owner = CalendarOwner.of(db.execute(calendar_owner_query(self.mentor.id)).one())
            day = CalendarDay(day=start.date(), **vars(owner))
            return set_date_hours(db, actor=self.actor, seen=day, spans=[], now=_now())

        return close

    def close_weekday(self, start: datetime) -> Call:
        def close(db: Connection) -> Any:
            seen = WeeklyHours.of(db.execute(weekly_hours_query(self.mentor.id)).one())
            other = [Span((start.weekday() + 3) % 7, 0, 1440)]
            return set_hours(db, actor=self.actor, seen=seen, spans=other, time_zone=None, now=_now())

        return close

    def become_busy(self, start: datetime) -> Call:
        return lambda db: factories.make_calendar_feed(db, self.mentor, [(start, start + HOUR)])

    def narrow_horizon(self, _start: datetime) -> Call:
        def narrow(db: Connection) -> Any:
            seen = RulesOfMentor.of(db.execute(rules_query(self.mentor.id)).one())
            return set_rules(db, actor=self.actor, seen=seen, rules=BookingRules(horizon_days=1), now=_now())

        return narrow

    def limit(self, db: Connection, rules: BookingRules) -> None:
        seen = RulesOfMentor.of(db.execute(rules_query(self.mentor.id)).one())
        set_rules(db, actor=self.actor, seen=seen, rules=rules, now=_now())

    @property
    def actor(self) -> Any:
        return factories.acting_mentor(self.mentor)


def _now() -> datetime:
    return datetime.now(UTC)


def _people(db: Connection, number: int) -> list[User]:
    return [factories.make_user(db) for _ in range(number)]


def test_of_200_takers_of_one_slot_one_gets_it(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        offers, people = Offers(db), _people(db, 4 * TAKERS_OF_EACH_KIND)
    taken: Counter[str] = Counter()
    for _ in range(ROUNDS):
        start = factories.next_slot()
        with engine.begin() as db:
            drafts = [offers.request(mentee, start)(db) for mentee in people[:TAKERS_OF_EACH_KIND]]
        calls: list[Call] = [partial(factories.accept_booking, booking=draft) for draft in drafts]
        for number, take in enumerate((offers.book, offers.book_individually, offers.hold), 1):
            some = people[number * TAKERS_OF_EACH_KIND : (number + 1) * TAKERS_OF_EACH_KIND]
            calls += [take(mentee, start) for mentee in some]
        outcomes = race.transact(calls)
        assert codes(outcomes) == ["slot_taken"] * (len(calls) - 1)
        taken[type(winners(outcomes)[0]).__name__] += 1
        execute(engine, person_busy.update().where(person_busy.c.hold_id.is_not(None)).values(expires_at=func.now()))
    assert sum(taken.values()) == ROUNDS
    assert not broken_invariants(engine)


CHANGES = {
    "close_weekday": "outside_hours",
    "close_date": "outside_hours",
    "narrow_horizon": "beyond_horizon",
    "become_busy": "slot_taken",
}


@pytest.mark.parametrize("change", [*CHANGES, "take_off"])
@pytest.mark.parametrize("way", ["request", "book", "book_individually", "hold"])
def test_no_booking_by_a_calendar_that_is_being_changed(engine: Engine, change: str, way: str) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
    changing = offers.take_off(start, start + HOUR) if change == "take_off" else getattr(offers, change)(start)
    (outcome,) = _booked_meanwhile(engine, changing, getattr(offers, way)(mentee, start))
    assert isinstance(outcome, DomainError)
    assert outcome.code == CHANGES.get(change, "outside_hours")
    with engine.begin() as db:
        assert db.execute(select(bookings)).all() == db.execute(select(person_busy)).all() == []


def test_time_off_leaves_a_session_that_is_just_being_started(engine: Engine) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, people = Offers(db), _people(db, 2)
        booked = [offers.book(mentee, start + n * HOUR)(db) for n, mentee in enumerate(people)]
        sessions = create_all(db, [booking.id for booking in booked])
    first, other = (sessions[booking.id] for booking in booked)
    begin = partial(factories.start_session, session=first)
    meanwhile(engine, begin, offers.take_off(start, start + 2 * HOUR, cancel_sessions=True))
    states = {row.id: row.status for row in execute(engine, select(sessions_table))}
    assert states == {first.id: SessionStatus.IN_PROGRESS, other.id: SessionStatus.CANCELLED}


@pytest.mark.parametrize(("change", "code"), [("take_off", "outside_hours"), ("become_busy", "slot_taken")])
def test_no_acceptance_while_its_time_is_being_taken(engine: Engine, change: str, code: str) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
        draft = offers.request(mentee, start)(db)
    taken = offers.take_off(start, start + HOUR) if change == "take_off" else offers.become_busy(start)
    (outcome,) = _booked_meanwhile(engine, taken, partial(factories.accept_booking, booking=draft))
    assert isinstance(outcome, DomainError)
    assert outcome.code == code


@pytest.mark.parametrize("way", ["book", "book_individually", "accept"])
def test_the_mentees_own_hold_being_taken_gives_way(engine: Engine, way: str) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
        draft = offers.request(mentee, start)(db)
    book = partial(factories.accept_booking, booking=draft) if way == "accept" else getattr(offers, way)(mentee, start)
    (outcome,) = _booked_meanwhile(engine, offers.hold(mentee, start), book)
    assert not isinstance(outcome, DomainError)
    assert [block.hold_id for block in execute(engine, select(person_busy))] == [None, None]


def test_a_change_that_hinders_nothing_lets_the_booking_in(engine: Engine) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
    (outcome,) = _booked_meanwhile(engine, offers.close_date(start + timedelta(days=9)), offers.book(mentee, start))
    assert outcome.status == "accepted"


def test_requests_that_wait_for_a_change_do_not_deadlock(engine: Engine) -> None:
    start = factories.next_slot()
    with engine.begin() as db:
        offers, people = Offers(db), _people(db, 5)
    requests = [offers.request(mentee, start) for mentee in people]
    outcomes = _booked_meanwhile(engine, offers.close_date(start + timedelta(days=9)), *requests)
    assert [outcome.status for outcome in outcomes] == ["draft"] * len(people)


def _booked_meanwhile(engine: Engine, change: Call, *books: Call) -> list[Any]:
    """The results of bookings that have read the calendar, and wait for the commit of its change."""

    def book_at_once(book: Call) -> Any:
        try:
            with engine.begin() as db:
                return book(db)
        except DomainError as refusal:
            return refusal

    # In a transaction, an onlooker would see what went on at its first look.
    watching = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(len(books)) as threads, watching as onlooker:
        with engine.begin() as db:
            change(db)
            booked = [threads.submit(book_at_once, book) for book in books]
            eventually(lambda: onlooker.execute(WAITING).scalar_one() == len(books), "bookings that wait")
        return [each.result() for each in booked]


def test_time_off_and_acceptances_exclude_each_other(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        start = factories.next_slot()
        with engine.begin() as db:
            offers, people = Offers(db), _people(db, 5)
            drafts = [offers.request(mentee, start + n * HOUR)(db) for n, mentee in enumerate(people)]
        calls: list[Call] = [partial(factories.accept_booking, booking=draft) for draft in drafts]
        race.transact([*calls, offers.take_off(start, start + 5 * HOUR)])
        with engine.begin() as db:
            of_mentor = offers.mentor.id
            taken = db.scalar(select(func.count()).where(time_off.c.mentor_profile_id == of_mentor))
            booked = db.scalar(select(func.count()).where(person_busy.c.mentor_profile_id == of_mentor))
            assert (taken, booked) in ((1, 0), (0, 5)), (taken, booked)


def test_becoming_busy_races_acceptances_and_cancels_none(engine: Engine, race: Race) -> None:
    for _ in range(ROUNDS):
        start = factories.next_slot()
        with engine.begin() as db:
            offers, people = Offers(db), _people(db, 5)
            drafts = [offers.request(mentee, start + n * HOUR)(db) for n, mentee in enumerate(people)]
            feed = factories.make_calendar_feed(db, offers.mentor)
        calls: list[Call] = [partial(factories.accept_booking, booking=draft) for draft in drafts]
        busy = [(start, start + 5 * HOUR)]
        outcomes = race.transact([*calls, *[partial(factories.read_calendar, feed=feed, busy=busy)] * 2])
        refused = codes(outcomes)
        assert refused == ["slot_taken"] * len(refused)
        with engine.begin() as db:
            of_mentor = offers.mentor.id
            booked = db.scalar(select(func.count()).where(person_busy.c.mentor_profile_id == of_mentor))
            assert booked == 5 - len(refused)
            assert db.scalars(select(outside_busy.c.busy).where(outside_busy.c.mentor_profile_id == of_mentor)).all()


def test_a_days_limit_holds_against_many_at_once(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        offers, people = Offers(db), _people(db, 10)
        offers.limit(db, BookingRules(max_per_day=3))
    midnight = factories.this_hour().replace(hour=0) + timedelta(days=9)
    calls = [offers.book(mentee, midnight + n * HOUR) for n, mentee in enumerate(people)]
    outcomes = race.transact(calls)
    assert codes(outcomes) == ["booking_limit"] * 7


def test_limits_of_drafts_and_holds_hold_against_many_at_once(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        offers, (mentee, other) = Offers(db), _people(db, 2)
    starts = [factories.next_slot() for _ in range(10)]
    limits = BookingPolicy(draft_limits=DraftLimits(per_mentor=3))
    drafts = [offers.request(mentee, start, policy=limits) for start in starts]
    outcomes = race.transact(drafts)
    assert codes(outcomes) == ["booking_limit"] * 7
    held = race.transact([offers.hold(other, start) for start in starts])
    assert codes(held) == ["booking_limit"] * 7
    assert all(isinstance(each, Hold) for each in winners(held))


def test_drafts_are_limited_for_one_mentor_and_for_all(engine: Engine, race: Race) -> None:
    limits = BookingPolicy(draft_limits=DraftLimits(per_mentor=5, of_all=20))
    with engine.begin() as db:
        mentors, (one, another) = [Offers(db) for _ in range(6)], _people(db, 2)
    starts = [factories.next_slot() for _ in range(30)]
    of_one = race.transact([mentors[0].request(one, start, policy=limits) for start in starts])
    assert codes(of_one) == ["booking_limit"] * 25
    of_six = [mentors[n % 6].request(another, start, policy=limits) for n, start in enumerate(starts)]
    assert codes(race.transact(of_six)) == ["booking_limit"] * 10


@pytest.mark.parametrize("step", [decline, cancel])
def test_a_series_is_withdrawn_around_a_decision_of_one(engine: Engine, step: Callable[..., Booking]) -> None:
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
        _first, series = book_directly(
            db,
            actor=factories.acting_user(mentee),
            wanted=WantedListing(mentor_profile_id=offers.mentor.id, duration_minutes=60),
            scheduled_at=factories.next_slot(),
            now=_now(),
            recurrence=Recurrence(count=3),
        )
    assert series is not None
    first, *others = series.made
    actor = factories.acting_user(mentee) if step is cancel else offers.actor

    def withdraw(db: Connection) -> tuple[list[UUID], list[UUID]]:
        parties = SeriesParties.of(db.execute(series_parties_query(series.id)).one())
        asked: dict[str, Any] = {"from_time": first.start_time, "reason": "Moved", "now": _now()}
        return withdraw_drafts(db, actor=factories.acting_user(mentee), series=parties, **asked)

    decide = partial(step, actor=actor, booking=first, reason=None, now=_now())
    assert meanwhile(engine, decide, withdraw) == ([each.id for each in others], [])


def test_series_are_limited_as_one_draft_each(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
    limits = BookingPolicy(draft_limits=DraftLimits(per_mentor=5, of_all=20))
    weeks = [factories.next_slot() for _ in range(8)]
    calls: list[Call] = [
        partial(
            book_directly,
            actor=factories.acting_user(mentee),
            wanted=WantedListing(mentor_profile_id=offers.mentor.id, duration_minutes=60),
            scheduled_at=start,
            now=_now(),
            recurrence=Recurrence(count=3, every_weeks=40),
            policy=limits,
        )
        for start in weeks
    ]
    assert codes(race.transact(calls)) == ["booking_limit"] * 3
    assert scalar(engine, select(func.count()).where(bookings.c.mentee_user_id == mentee.id)) == 5 * 3


def test_of_equal_requests_at_once_one_is_made(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        offers, (mentee,) = Offers(db), _people(db, 1)
    outcomes = race.transact([offers.request(mentee, factories.this_hour() + timedelta(days=4))] * 10)
    assert codes(outcomes) == ["booking_limit"] * 9


@pytest.mark.parametrize("way", ["request", "book", "book_individually", "hold", "join"])
def test_a_block_comes_before_a_booking_or_after_it(engine: Engine, race: Race, way: str) -> None:
    """Whoever is second sees the first; no booking appears after the answer to the block."""
    for number in range(LONG_ROUNDS):
        with engine.begin() as db:
            offers, mentee, start = Offers(db), factories.make_user(db), factories.next_slot()
            group = factories.make_group(db, [], listing=offers.instant, start_time=start + 2 * HOUR)
        block = partial(factories.make_block, mentor=offers.mentor, user=mentee)
        book = (
            partial(_join, group_id=group.id, mentee=mentee) if way == "join" else getattr(offers, way)(mentee, start)
        )
        if number == 0:
            with pytest.raises(Conflict) as refusal:
                meanwhile(engine, block, book)
            assert refusal.value.code == "not_bookable"
            continue
        if number == 1:
            assert meanwhile(engine, book, block).user_id == mentee.id
        else:
            assert set(codes(race.transact([book, block]))) <= {"not_bookable"}
        assert codes(race.transact([book])) in (["not_bookable"], ["already_joined"])


def _join(db: Connection, *, group_id: UUID, mentee: User) -> Any:
    about: dict[str, Any] = {"mentee_user_id": mentee.id, "bundle_purchase_id": None, "now": _now()}
    about |= {"actor": factories.acting_user(mentee), "policy": DEFAULT_POLICY}
    return join(db, group=read_group(db, group_id), **about)
