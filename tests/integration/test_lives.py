"""Random lives: what a quote promised is what was kept, announced and entered; what reports count, a recount finds."""

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Row, select, update

from models.bookings import bookings
from models.events import events
from models.people import mentor_profiles
from models.reviews import reviews
from models.sessions import sessions
from tests import factories
from tests.integration.expectations import DAY, MINUTES, Disagreement, require_equal
from tests.integration.harness import without_guards
from tests.integration.lives import Lives
from workflows.analytics.availability import availability_of
from workflows.analytics.counts import COUNTS, SUBJECTS, Conversion, Grouping, conversion_query, session_counts_query
from workflows.analytics.scope import Period, Scope, period_of
from workflows.analytics.summary import BUSIEST, add_up_changes, summary_of
from workflows.analytics.transition_times import (
    BOUNDS,
    MAY_BE_NEGATIVE,
    Transition,
    histograms_of,
    transition_times_query,
)
from workflows.availability.hours import Hours, Span, WeeklyHours, set_hours, weekly_hours_query
from workflows.kernel.paging import Page

STEPS = 150
MAX_LIVES = 12
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham", "America/Los_Angeles")
MINUTE, QUARTER, MILLISECOND = timedelta(minutes=1), timedelta(minutes=15), timedelta(milliseconds=1)
WIDE = Page(limit=10_000)
# Steps that the course's sequences do not take.
EVERY_SUCCESS = {
    *("start", "complete", "review", "hide", "void", "no-show of the mentor", "no-show of the mentee", "not held"),
    *("waive", "waive a seat", "book a series", "cancel a series"),
}


def played(db: Connection, seed: int) -> Lives:
    """The lives of a seed, each cancellation of which has kept what was quoted, and which reports count as they are."""
    lives = Lives(db, seed)
    try:
        lives.play(STEPS)
        Recount(db, lives, Random(seed)).compare()
    except Disagreement as found:
        raise Disagreement(f"{found}\nin the lives of seed {seed}") from found
    finally:
        db.rollback()
    return lives


def test_lives_keep_their_quotes_and_reports_count_them(rollback_engine: Engine, seeds: range) -> None:
    missing = set(EVERY_SUCCESS)
    for seed in itertools.count(seeds.start):
        if seed >= seeds.stop and (not missing or seed >= seeds.start + MAX_LIVES):
            break
        with rollback_engine.connect() as db:
            missing -= {action for action, outcome in played(db, seed).outcomes if outcome == "done"}
    assert not missing


class Recount:
    """Every report of random periods, zones and scopes, beside what Python counts in the rows."""

    def __init__(self, db: Connection, lives: Lives, random: Random) -> None:
        self.db, self.lives, self.random = db, lives, random
        self.zone = self.random.choice(ZONES)
        self.there = ZoneInfo(self.zone)
        self.hours: dict[UUID, list[tuple[datetime, Hours]]] = {}
        self._open_up()
        self._spread()
        self.bookings = {row.id: row for row in db.execute(select(bookings))}
        self.sessions = db.execute(select(sessions)).all()
        self.reviews = db.execute(select(reviews)).all()
        self.seats = db.execute(select(events).where(events.c.type.startswith("seat."))).all()

    def compare(self) -> None:
        self._ratings()
        self._summary()
        for _ in range(4):
            period, scope = self._any_period(), self._any_scope()
            for grouping in Grouping:
                found = self.db.execute(session_counts_query(WIDE, period=period, group=grouping, scope=scope)).all()
                self._equal(grouping, self._shown(grouping, found), self._counted(grouping, period, scope))
            self._conversion(period, scope)
            self._transition_times(period, scope)
            self._availability(period)

    # The rows

    def _spread(self) -> None:
        """Let rows be written at moments of their own, some at the edges of quarters: a test's transaction has one."""
        with without_guards(self.db):
            for booking in self.db.execute(select(bookings)).all():
                made = self._any_moment()
                decided = made + (self.random.random() * DAY if _was_requested(booking) else timedelta())
                times = {"created_at": made, "updated_at": decided}
                if booking.decided_at is not None:
                    times["decided_at"] = decided
                self.db.execute(update(bookings).where(bookings.c.id == booking.id).values(times))
                for session in self.db.execute(select(sessions).where(sessions.c.booking_id == booking.id)).all():
                    created = decided + self.random.choice([-1, 0, 1]) * self.random.random() * MINUTE
                    steps = [created, session.started_at, session.completed_at, session.cancelled_at]
                    times = {"created_at": created, "updated_at": max(filter(None, steps))}
                    self.db.execute(update(sessions).where(sessions.c.id == session.id).values(times))

    def _open_up(self) -> None:
        """Mentors get hours, some twice."""
        for mentor in self.lives.mentors.values():
            for at in sorted(_begin(self._any_moment(), QUARTER) for _ in range(self.random.choice([0, 1, 2]))):
                seen = WeeklyHours.of(self.db.execute(weekly_hours_query(mentor.id)).one())
                opens = [self.random.randrange(0, 1200, 5) for _day in range(7)]
                week = [Span(day, first, self.random.randrange(first + 5, 1441, 5)) for day, first in enumerate(opens)]
                hours = Hours(self.random.choice(ZONES), tuple(week[::2]))
                by: dict[str, Any] = {"actor": factories.acting_mentor(mentor), "now": at}
                set_hours(self.db, seen=seen, spans=hours.spans, time_zone=hours.time_zone, **by)
                self.hours.setdefault(mentor.id, []).append((at, hours))

    def _any_moment(self) -> datetime:
        moment = self.lives.now - self.random.random() * 6 * DAY
        return _begin(moment, QUARTER) if self.random.random() < 0.4 else moment

    def _any_period(self) -> Period:
        """One that begins and ends where something happens, or covers whole days."""
        happened = [moment for moment, _of, _counts in self._steps() if moment]
        happened += [booking.created_at for booking in self.bookings.values()]
        moments = [_begin(moment, QUARTER) for moment in happened]
        first, last = sorted(self.random.sample(moments, 2))
        if first == last or self.random.random() < 0.3:
            return period_of(first.date(), last.date(), self.zone, now=self.lives.now)
        return period_of(first, last, self.zone, now=self.lives.now)

    def _any_scope(self) -> Scope:
        mentor = self.random.choice([None, None, *self.lives.mentors])
        course = self.random.choice([None, None, *(course.id for course in self.lives.courses)])
        return Scope(mentor_profile_id=mentor, course_id=course)

    def _equal(self, what: object, found: object, expected: object) -> None:
        require_equal(f"{what} in {self.zone}", found, expected)

    # The reports

    def _ratings(self) -> None:
        for mentor in self.db.execute(select(mentor_profiles)).all():
            own = [each.rating for each in self.reviews if each.mentor_profile_id == mentor.id and not each.hidden_at]
            self._equal("The rating", (mentor.rating_sum, mentor.review_count), (sum(own), len(own)))

    def _summary(self) -> None:
        mentors = Counter(session.mentor_profile_id for session in self.sessions)
        busiest = sorted(mentors.items(), key=lambda each: (-each[1], each[0]))[:BUSIEST]
        accepted = sum(booking.status == "accepted" for booking in self.bookings.values())
        expected = (Counter(session.status for session in self.sessions), accepted, busiest)
        while True:
            shown = summary_of(self.db, now=self.lives.now)
            first = [(UUID(each["mentor_profile_id"]), each["sessions"]) for each in shown.busiest]
            self._equal("The summary", (shown.statuses, shown.accepted_bookings, first), expected)
            if not add_up_changes(self.db, limit=self.random.randint(1, 40)):
                break

    def _shown(self, grouping: Grouping, rows: Sequence[Row[Any]]) -> dict[object, dict[str, int]]:
        subject = SUBJECTS[grouping][0]
        names = ("sessions", "minutes") if grouping is Grouping.STATUS else COUNTS
        return {getattr(row, subject): {name: count for name in names if (count := getattr(row, name))} for row in rows}

    def _counted(self, grouping: Grouping, period: Period, scope: Scope) -> dict[object, dict[str, int]]:
        found: dict[object, Counter[str]] = {}
        if grouping is Grouping.STATUS:
            for session in self.sessions:
                if _within(session.start_time, period) and _covers(scope, session):
                    found.setdefault(session.status, Counter()).update(sessions=1, minutes=MINUTES)
            return {key: dict(each) for key, each in found.items()}
        for moment, of, counts in self._steps():
            if _within(moment, period) and _covers(scope, of):
                found.setdefault(self._subject(grouping, moment, of), Counter()).update(counts)
        for each in found.values():
            each["seats"] = each["seats_joined"] - each["seats_left"] - each["seats_refunded"]
        return {key: {name: count for name, count in each.items() if count} for key, each in found.items()}

    def _steps(self) -> Iterator[tuple[datetime, Any, dict[str, int]]]:
        for session in self.sessions:
            ended = session.cancellation or {}
            late = ended.get("late") is True and ended["type"] != "no_show"
            yield session.created_at, session, {"created": 1}
            yield session.started_at, session, {"started": 1}
            yield session.completed_at, session, {"completed": 1, "minutes": MINUTES}
            yield session.cancelled_at, session, {"cancelled": 1, "late_cancellations": int(late)}
        for event in self.seats:
            of, late = self.bookings[UUID(event.data["booking_id"])], event.data.get("late") is True
            counts = {"joined": {"seats_joined": 1}, "left": {"seats_left": 1, "seats_left_late": int(late)}}
            yield event.occurred_at, of, counts.get(event.type.removeprefix("seat."), {"seats_refunded": 1})

    def _subject(self, grouping: Grouping, moment: datetime, of: Any) -> object:
        clock = moment.astimezone(self.there)
        day = clock.date()
        since = timedelta(minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)
        return {
            Grouping.HOUR: moment - since,
            Grouping.DAY: day,
            Grouping.WEEK: day - day.weekday() * DAY,
            Grouping.MENTOR: of.mentor_profile_id,
            Grouping.COURSE: of.course_id,
        }[grouping]

    def _conversion(self, period: Period, scope: Scope) -> None:
        asked = [each for each in self.bookings.values() if each.kind == "individual" and _covers(scope, each)]
        asked = [each for each in asked if _within(each.created_at, period)]
        ids = {each.id for each in asked}
        own = [session for session in self.sessions if session.booking_id in ids]
        expected = Conversion(
            requests=len(asked),
            accepted=sum(each.status == "accepted" for each in asked),
            sessions=len(own),
            completed=sum(session.status == "completed" for session in own),
            reviewed=sum(each.session_id in {session.id for session in own} for each in self.reviews),
        )
        found = Conversion.of(self.db.execute(conversion_query(period=period, scope=scope)).one())
        self._equal("The conversion", found, expected)

    def _transition_times(self, period: Period, scope: Scope) -> None:
        took: dict[Transition, list[int]] = {each: [] for each in Transition}
        for transition, of, began, ended in self._transitions():
            if ended and _within(ended, period) and _covers(scope, of):
                milliseconds = (ended - began) // MILLISECOND
                took[transition].append(milliseconds if transition is MAY_BE_NEGATIVE else max(0, milliseconds))
        found = histograms_of(self.db.execute(transition_times_query(period=period, scope=scope)).all())
        for each in found:
            times, bounds = took[each.transition], BOUNDS[each.transition]
            buckets = Counter(bisect_right(bounds, milliseconds) for milliseconds in times)
            expected = (len(times), sum(times), [buckets[number] for number in range(len(bounds) + 1)])
            shown = (each.count, each.milliseconds, [bucket.count for bucket in each.buckets])
            self._equal(each.transition, shown, expected)

    def _transitions(self) -> Iterator[tuple[Transition, Any, datetime, datetime | None]]:
        for each in self.bookings.values():
            if each.status in ("accepted", "declined") and _was_requested(each):
                yield Transition.REQUEST_TO_DECISION, each, each.created_at, each.decided_at or each.updated_at
        for session in self.sessions:
            booking = self.bookings[session.booking_id]
            decided = booking.decided_at or booking.updated_at
            yield Transition.ACCEPTANCE_TO_SESSION, session, decided, session.created_at
            yield Transition.START_DELAY, session, session.start_time, session.started_at
            yield Transition.LENGTH, session, session.started_at, session.completed_at

    def _availability(self, period: Period) -> None:
        mentor_id = self.random.choice(list(self.lives.mentors))
        own = [each for each in self.sessions if each.mentor_profile_id == mentor_id and each.status != "cancelled"]
        taken, opened = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
        for minute in range((period.end - period.start) // MINUTE):
            moment = period.start + minute * MINUTE
            clock = moment.astimezone(self.there)
            hour = clock.weekday(), clock.hour
            taken[hour] += sum(each.start_time <= moment < each.end_time for each in own)
            opened[hour] += self._is_open(mentor_id, moment)
        hours = itertools.product(range(7), range(24))
        has_hours = mentor_id in self.hours
        expected = [(*hour, opened[hour] if has_hours else None, taken[hour]) for hour in hours]
        found = availability_of(self.db, mentor_id, period).hours
        shown = [(each.weekday, each.hour, each.open_minutes, each.booked_minutes) for each in found]
        self._equal("Availability", shown, expected)

    def _is_open(self, mentor_id: UUID, moment: datetime) -> bool:
        """By the hours that held then, or by the first ones for all the time before them."""
        revisions = self.hours.get(mentor_id, [])
        for _since, hours in [each for each in revisions if each[0] <= moment][-1:] or revisions[:1]:
            clock = moment.astimezone(ZoneInfo(hours.time_zone))
            minutes = clock.hour * 60 + clock.minute
            return any(each.weekday == clock.weekday() and each.opens <= minutes < each.closes for each in hours.spans)
        return False


def _was_requested(booking: Any) -> bool:
    """Whether it was written before it was decided; each move is a version, too."""
    return bool(booking.version - booking.reschedule_count > 1)


def _within(moment: datetime | None, period: Period) -> bool:
    return moment is not None and period.start <= moment < period.end


def _covers(scope: Scope, of: Any) -> bool:
    return scope.mentor_profile_id in (None, of.mentor_profile_id) and scope.course_id in (None, of.course_id)


def _begin(moment: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return moment - (moment - epoch) % step
