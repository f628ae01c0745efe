"""On random calendars, each slot can be booked, and the other times of the grid cannot, for their reasons."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, insert, update

from models.availability import time_off
from models.catalog import BookingMode
from models.people import mentor_profiles
from tests import factories
from workflows.accounts.records import Mentor, User
from workflows.availability.dates import CalendarDay, calendar_day_query, set_date_hours
from workflows.availability.hours import Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.availability.rules import BookingRules, RulesOfMentor, rules_query, set_rules
from workflows.availability.slots import OF_LISTING, Wanted, find_slots
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import hold
from workflows.bookings.request import request
from workflows.catalog.listings import Listing
from workflows.kernel.errors import DomainError

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = 3
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
NOW = datetime.now(UTC)
# Clocks that change by half an hour, by two, at midnight or before it, by less in winter, and far from UTC.
ODD_ZONES = (
    *("Africa/Cairo", "Europe/Dublin", "America/Nuuk", "America/Santiago", "America/St_Johns", "Antarctica/Troll"),
    *("Asia/Beirut", "Asia/Gaza", "Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Easter"),
)
CASES_PER_SCENE = 20
# A booking is checked against the limits before its time is taken, and the slots name the calendar first.
CODES = {
    "beyond_horizon": {"beyond_horizon"},
    "too_soon": {"too_soon", "invalid_request"},
    "time_off": {"outside_hours"},
    "outside_hours": {"outside_hours"},
    "busy": {"slot_taken", "booking_limit"},
    "limit": {"booking_limit"},
}


class Scene:
    """A mentor whose calendar follows from a seed, and a mentee who looks for a time.

    Args:
        seed: of bookings, holds, hours, dates, time off and rules.
        zones: of the hours, and of the profile, whose days the limits count.
        now: for everything.
    """

    def __init__(self, db: Connection, seed: int, *, zones: Sequence[str] = ZONES, now: datetime = NOW) -> None:
        self.db, self.random, self.zones, self.now = db, Random(seed), zones, now
        self.begin = now.replace(hour=0, minute=0, second=0, microsecond=0)
        self.mentor, self.mentee = factories.make_mentor(db), factories.make_user(db)
        own = mentor_profiles.c.id == self.mentor.id
        db.execute(update(mentor_profiles).where(own).values(time_zone=self.random.choice(zones)))
        self.actor = factories.acting_mentor(self.mentor)
        terms: dict[str, Any] = {"min_notice_minutes": self.random.choice([0, 180])}
        buffers = {name: self.random.choice([0, 15]) for name in ("buffer_before_minutes", "buffer_minutes")}
        self.listing = self.listing_of(self.mentor, **terms, **buffers)
        # While every time is open; what is in the calendar stays there.
        self.book(self.listing, factories.make_user(db), times=5)
        self.book(self.listing, self.mentee, times=1)
        self.book(self.listing_of(factories.make_mentor(db)), self.mentee, times=2)
        self.hold(factories.make_user(db))
        self.hold(self.mentee)
        self.open_up()

    def listing_of(self, mentor: Mentor, **terms: Any) -> Listing:
        return factories.make_listing(self.db, mentor, booking_mode=BookingMode.INSTANT, **terms)

    def moment(self) -> datetime:
        """A quarter of an hour of the days that are searched."""
        return self.begin + DAY / 2 + self.random.randrange(DAYS * 96) * 15 * MINUTE

    def book(self, listing: Listing, mentee: User, *, times: int) -> None:
        for _ in range(times):
            self.refusal(listing, mentee, self.moment(), keep=True)

    def hold(self, mentee: User) -> None:
        wanted = WantedListing(mentor_profile_id=self.mentor.id, duration_minutes=self.listing.duration_minutes)
        limits: dict[str, Any] = {"now": self.now, "minutes": 5, "max_holds": 3}
        # A random time that cannot be held leaves the calendar as it is.
        with suppress(DomainError), self.db.begin_nested():
            actor = factories.acting_user(mentee)
            hold(self.db, actor=actor, wanted=wanted, start_time=self.moment(), **limits)

    def open_up(self) -> None:
        """Give the mentor hours, dates, time off and rules."""
        by: dict[str, Any] = {"actor": self.actor, "now": self.now}
        week = [Span(day, *self.span()) for day in range(7) if self.random.random() < 0.8]
        hours = WeeklyHours.of(self.db.execute(weekly_hours_query(self.mentor.id)).one())
        set_hours(self.db, seen=hours, spans=week, time_zone=self.random.choice(self.zones), **by)
        day = (self.begin + self.random.randrange(DAYS) * DAY).date()
        seen = CalendarDay.of(self.db.execute(calendar_day_query(self.mentor.id, day)).one())
        set_date_hours(self.db, seen=seen, spans=self.random.choice([[], [self.span()]]), **by)
        away = self.moment()
        period = {"mentor_profile_id": self.mentor.id, "start_time": away, "end_time": away + 5 * HOUR}
        self.db.execute(insert(time_off).values(id=uuid4(), **period))
        rules = BookingRules(
            horizon_days=self.random.choice([None, 2]),
            max_per_day=self.random.choice([None, 2]),
            max_per_mentee_per_day=self.random.choice([None, 1]),
        )
        present = RulesOfMentor.of(self.db.execute(rules_query(self.mentor.id)).one())
        set_rules(self.db, seen=present, rules=rules, **by)

    def span(self) -> tuple[int, int]:
        opens = self.random.randrange(0, 1000, 15)
        return opens, self.random.randrange(opens + 60, 1441, 15)

    def refusal(self, listing: Listing, mentee: User, start: datetime, *, keep: bool = False) -> str | None:
        """The code with which a booking is refused; None where it is made."""
        attempt = self.db.begin_nested()
        try:
            request(self.db, actor=factories.acting_user(mentee), listing_id=listing.id, start_time=start, now=self.now)
        except DomainError as error:
            attempt.rollback()
            return error.code
        (attempt.commit if keep else attempt.rollback)()
        return None


@pytest.mark.parametrize("seeds", [range(4), range(4, 8)], ids=str)
def test_slots_are_the_times_that_can_be_booked(db: Connection, seeds: range) -> None:
    seen = Counter[str]()
    for seed in seeds:
        with db.begin_nested() as savepoint:
            seen += compared(Scene(db, seed), seed)
            savepoint.rollback()
    # Nearly every one of the reasons, and something to book.
    assert len(seen) >= 5, seen
    assert seen["offered"], seen


def test_slots_are_the_times_that_can_be_booked_where_clocks_change(
    db: Connection, pytestconfig: pytest.Config, first_seed: int
) -> None:
    seen = Counter[str]()
    for seed in range(first_seed, first_seed + pytestconfig.getoption("slot_cases") // CASES_PER_SCENE):
        zone = Random(seed).choice(ODD_ZONES)
        with db.begin_nested() as savepoint:
            # New rules may leave a zone without changes.
            now = Random(seed).choice(changes_of(zone) or [NOW + 9 * DAY]) - 1.5 * DAY
            seen += compared(Scene(db, seed, zones=[zone], now=now), (seed, zone))
            savepoint.rollback()
    assert seen["offered"], seen


def changes_of(zone: str) -> list[datetime]:
    """The hours of the next two years in which the clocks change."""
    there, begin = ZoneInfo(zone), NOW.replace(minute=0, second=0, microsecond=0) + 3 * DAY
    hours = [begin + number * HOUR for number in range(2 * 365 * 24)]
    return [
        later
        for earlier, later in pairwise(hours)
        if earlier.astimezone(there).utcoffset() != later.astimezone(there).utcoffset()
    ]


def compared(scene: Scene, case: object) -> Counter[str]:
    """How often each reason was found, after every time of the grid has been tried."""
    found = find_slots(
        scene.db,
        OF_LISTING,
        scene.mentor.id,
        Wanted(start=scene.begin, end=scene.begin + DAYS * DAY, duration_minutes=60, step_minutes=30),
        actor=factories.acting_user(scene.mentee),
        now=scene.now,
        listing_id=scene.listing.id,
        explain=True,
    )
    for second, _group in found.slots.starts:
        start = datetime.fromtimestamp(second, UTC)
        assert scene.refusal(scene.listing, scene.mentee, start) is None, (case, start)
    for each in found.refused:
        code = scene.refusal(scene.listing, scene.mentee, each.start_time)
        assert code in CODES[each.reason], (case, each)
    return Counter([each.reason for each in found.refused] + ["offered"] * len(found.slots.starts))
