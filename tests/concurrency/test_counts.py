"""Whatever happens to 200 sessions, in any order, delivered five times over by two workers: the counts are right."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, text

from models.catalog import BookingMode, courses
from models.events import DeliveryState
from tests import factories
from tests.concurrency.deliveries import House
from workflows.analytics.recount import differences, set_right
from workflows.bookings.accept import accept
from workflows.bookings.booking import Booking
from workflows.bookings.cancel import cancel as take_back
from workflows.bookings.decline import decline
from workflows.bookings.request import request
from workflows.catalog.listing import Listing
from workflows.events.delivery import Key
from workflows.identity.actor import Actor
from workflows.identity.people import User
from workflows.sessions.cancel import cancel as call_off
from workflows.sessions.cancel import session_to_cancel_query
from workflows.sessions.complete import complete
from workflows.sessions.policy import SessionToCancel
from workflows.sessions.session import Session, session_query
from workflows.sessions.start import start

LIVES = 200
COPIES = 5
WORKERS = 2
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)

# How far a booking goes; its session comes by itself once it is accepted.
FATES = {
    "draft": ("ask",),
    "declined": ("ask", "decline"),
    "taken back": ("ask", "take_back"),
    "accepted": ("ask", "accept"),
    "held": ("ask", "accept", "open", "close"),
    "going on": ("ask", "accept", "open"),
    "called off": ("ask", "accept", "call_off"),
    "called off late": ("ask", "accept", "call_off_late"),
    "instant": ("ask_at_once", "open", "close"),
    "instant, called off": ("ask_at_once", "call_off"),
}

# What the books say, whoever counted: sums of counters by what they should be.
IN_THE_BOOKS = {
    "created": "SELECT count(*) FROM sessions",
    "started": "SELECT count(*) FROM sessions WHERE started_at IS NOT NULL",
    "completed": "SELECT count(*) FROM sessions WHERE status = 'completed'",
    "cancelled": "SELECT count(*) FROM sessions WHERE status = 'cancelled'",
    "late_cancellations": "SELECT count(*) FROM sessions WHERE (cancellation ->> 'late')::boolean",
    "minutes": "SELECT sum(extract(epoch FROM end_time - start_time) / 60) FROM sessions WHERE status = 'completed'",
    "requests": "SELECT count(*) FROM bookings",
    "requests_accepted": "SELECT count(*) FROM bookings WHERE status = 'accepted'",
    "requests_with_session": "SELECT count(*) FROM sessions",
    "requests_completed": "SELECT count(*) FROM sessions WHERE status = 'completed'",
}
TIMES_IN_THE_BOOKS = {
    "request_to_decision": "SELECT count(*) FROM bookings b JOIN listings l ON l.id = b.listing_id"
    " WHERE l.booking_mode = 'request' AND b.status IN ('accepted', 'declined')",
    "acceptance_to_session": "SELECT count(*) FROM sessions",
    "start_delay": "SELECT count(*) FROM sessions WHERE started_at IS NOT NULL",
    "length": "SELECT count(*) FROM sessions WHERE status = 'completed'",
}


@dataclass
class Story:
    """One booking on its way to its fate."""

    fate: str
    listing: Listing
    instant: Listing
    mentee: User
    start_time: datetime
    booking: Booking | None = None
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = list(FATES[self.fate])

    def go_on(self, db: Connection, now: datetime) -> None:
        """Take the next step."""
        getattr(self, f"_{self.steps.pop(0)}")(db, now)

    def _ask(self, db: Connection, now: datetime, listing: Listing | None = None) -> None:
        of = (listing or self.listing).id
        self.booking = request(db, actor=self._mentee, listing_id=of, start_time=self.start_time, now=now)

    def _ask_at_once(self, db: Connection, now: datetime) -> None:
        self._ask(db, now, self.instant)

    def _accept(self, db: Connection, now: datetime) -> None:
        self.booking = accept(db, actor=self._mentor, booking=self._booking, now=now)

    def _decline(self, db: Connection, now: datetime) -> None:
        decline(db, actor=self._mentor, booking=self._booking, reason=None, now=now)

    def _take_back(self, db: Connection, now: datetime) -> None:
        take_back(db, actor=self._mentee, booking=self._booking, reason=None, now=now)

    def _open(self, db: Connection, now: datetime) -> None:
        start(db, actor=self._mentor, session=self._session(db), early_start_minutes=None, now=now)

    def _close(self, db: Connection, now: datetime) -> None:
        complete(db, actor=self._mentor, session=self._session(db), now=now)

    def _call_off(self, db: Connection, now: datetime) -> None:
        row = db.execute(session_to_cancel_query(self._session(db).id)).one()
        call_off(db, actor=self._mentor, session=SessionToCancel.of(row), reason="Ill", now=now)

    def _call_off_late(self, db: Connection, _now: datetime) -> None:
        row = db.execute(session_to_cancel_query(self._session(db).id)).one()
        an_hour_before = self.start_time - timedelta(hours=1)
        call_off(db, actor=self._mentee, session=SessionToCancel.of(row), reason="Ill", now=an_hour_before)

    def _session(self, db: Connection) -> Session:
        return Session.of(db.execute(session_query(self._booking.session_id)).one())  # type: ignore[arg-type]

    @property
    def _booking(self) -> Booking:
        assert self.booking is not None
        return self.booking

    @property
    def _mentee(self) -> Actor:
        return factories.acting_user(self.mentee)

    @property
    def _mentor(self) -> Actor:
        return factories.mentor_of(self._booking)


def stories(db: Connection, fates: list[str]) -> list[Story]:
    """One for each fate, with three mentors, two of whom have a course, at times that never overlap."""
    mentee = factories.make_user(db)
    offers = [(_offers(db, course)) for course in (uuid4(), uuid4(), None)]
    return [
        Story(fate, *offers[n % len(offers)], mentee, NOW + timedelta(days=30, hours=2 * n))
        for n, fate in enumerate(fates)
    ]


def _offers(db: Connection, course: Any) -> tuple[Listing, Listing]:
    mentor = factories.make_mentor(db)
    if course:
        db.execute(insert(courses).values(id=course, title="Compilers"))
    instant = factories.make_listing(db, mentor, booking_mode=BookingMode.INSTANT, duration_minutes=45)
    return factories.make_listing(db, mentor, course_id=course), instant


def play(house: House, tales: list[Story], chance: random.Random, deliver: Callable[[list[Key]], None]) -> None:
    """Take every step there is in some order, and deliver what is due at some moments on the way."""
    now = NOW
    unfinished = list(tales)
    while unfinished:
        now += timedelta(minutes=chance.randrange(1, 30))
        story = chance.choice(unfinished)
        with house.transactions() as db:
            story.go_on(db, now)
        if not story.steps:
            unfinished.remove(story)
        elif story.steps[0] in ("open", "call_off", "call_off_late"):
            deliver(due(house, "sessions.create"))
        if chance.random() < 0.02:
            deliver(due(house))
    while waiting := due(house):
        deliver(waiting)


def due(house: House, effect: str = "") -> list[Key]:
    """What is due of everything that counts, and of what makes sessions."""
    wanted = ("sessions.create", "analytics.")
    return [key for key in house.due() if key.effect.startswith(effect or wanted)]


def racing(house: House, chance: random.Random, threads: ThreadPoolExecutor) -> Callable[[list[Key]], None]:
    """Deliver each five times over, in as many orders as there are workers."""

    def deliver(keys: list[Key]) -> None:
        rounds: list[list[Key]] = [[] for _ in range(WORKERS)]
        for copy in range(COPIES):
            rounds[copy % WORKERS] += keys
        for each in rounds:
            chance.shuffle(each)
        list(threads.map(partial(_work_off, house), rounds))

    return deliver


def _work_off(house: House, keys: list[Key]) -> None:
    deliverer = house.deliverer
    for key in keys:
        deliverer.deliver(key)


def assert_counted_right(engine: Engine) -> None:
    with engine.begin() as db:
        assert differences(db) == []
        for table in ("daily_session_stats", "quarter_hour_session_stats"):
            sums = {name: db.scalar(text(f"SELECT coalesce(sum({name}), 0) FROM {table}")) for name in IN_THE_BOOKS}
            assert sums == {name: db.scalar(text(query)) or 0 for name, query in IN_THE_BOOKS.items()}, table
        counts = db.execute(text("SELECT transition::text, sum(count) FROM daily_transition_times GROUP BY 1"))
        found = {name: count for name, count in counts}
        right = {name: db.scalar(text(query)) for name, query in TIMES_IN_THE_BOOKS.items()}
        assert found == {name: count for name, count in right.items() if count}
        states = db.scalars(text("SELECT DISTINCT state::text FROM deliveries WHERE queue = 'analytics'")).all()
    assert states == [DeliveryState.DONE]


def bounded(examples: int) -> settings:
    """So many examples, the same on every run, and none looked for that fails in fewer steps: each takes seconds."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


SEEDS = st.integers(min_value=0, max_value=2**32)


@given(chances=st.lists(st.integers(min_value=1, max_value=9), min_size=len(FATES), max_size=len(FATES)), seed=SEEDS)
@bounded(2)
def test_any_interleaving_of_200_lives_is_counted_right(engine: Engine, chances: list[int], seed: int) -> None:
    chance = random.Random(seed)
    live_and_count(engine, chance.choices(list(FATES), chances, k=LIVES), chance)


@given(fates=st.lists(st.sampled_from(list(FATES)), min_size=1, max_size=12), seed=SEEDS)
@bounded(6)
def test_any_few_lives_are_counted_right(engine: Engine, fates: list[str], seed: int) -> None:
    live_and_count(engine, fates, random.Random(seed))


def live_and_count(engine: Engine, fates: list[str], chance: random.Random) -> None:
    """Live, count, and look; what the examples before this one left behind is counted as well."""
    house = House(engine)
    with house.transactions() as db:
        tales = stories(db, fates)
    with ThreadPoolExecutor(WORKERS) as threads:
        play(house, tales, chance, racing(house, chance, threads))
    assert_counted_right(engine)


def test_a_recount_that_is_written_loses_and_doubles_nothing_while_workers_count(engine: Engine) -> None:
    house, chance = House(engine), random.Random(7)
    with house.transactions() as db:
        tales = stories(db, sorted(FATES) * 4)

    def spoil_and_mend() -> Iterator[int]:
        while True:
            with house.transactions() as db:
                # Alone, since it changes all rows in an order of its own.
                db.execute(text("LOCK TABLE daily_session_stats IN SHARE ROW EXCLUSIVE MODE"))
                db.execute(text("UPDATE daily_session_stats SET created = created + 1, minutes = minutes + 1"))
            with house.transactions() as db:
                yield len(set_right(db))

    with ThreadPoolExecutor(WORKERS + 1) as threads:
        deliver = racing(house, chance, threads)
        playing = threads.submit(play, house, tales, chance, deliver)
        mended = spoil_and_mend()
        found = 0
        while not playing.done():
            found += next(mended)
        playing.result()
        mended.close()
        # Whoever had to wait too long for the lock comes again.
        house.let_time_pass()
        while waiting := due(house):
            deliver(waiting)
    with house.transactions() as db:
        set_right(db)
    assert found > 0
    assert_counted_right(engine)
