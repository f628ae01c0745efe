"""Slots: the starts at which mentors can be booked, and why other times cannot.

A grid counts from each opening in the mentor's steps, and within an opening from each local midnight again, so that it
is the same whatever stretch is searched. It shapes what is offered, not what can be booked. Starts are whole seconds
since the epoch, since there are many of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import ceil, floor
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.sql.expression import TextualSelect

from models.base import sql
from models.catalog import listings
from workflows.availability.calendar import Block, MentorCalendar, load_blocks, load_calendars
from workflows.availability.intervals import Interval, merged
from workflows.availability.open_times import DAY, moment_of_day
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.records import Record

MAX_DAYS = 92
MAX_DAYS_EXPLAINED = 7
# Of one answer: starts of all its mentors together. A stretch with more is answered in pages.
MAX_STARTS = 50_000
# A mentor's calendar is read and gone through whatever their steps: it counts as if they were this short at least.
MAX_COUNTED_STEP_MINUTES = 15
# To look for the reason why a start is refused, and to write it, takes so many times as long as to offer one.
EXPLAINED_TIMES = 20
WEEK = timedelta(days=7)
# Longer than any session with its buffers.
AROUND = timedelta(days=3)
LAST = 2**63
Stretch = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Offered(Record):
    """The listing of one mentor by which slots are found."""

    table = listings

    id: UUID
    mentor_profile_id: UUID
    duration_minutes: int
    min_notice_minutes: int
    buffer_before_minutes: int
    buffer_minutes: int


@dataclass(frozen=True, kw_only=True)
class Slots:
    """The times that can be booked: in seconds since the epoch, since there are many of them."""

    length: int  # of each of them, in seconds
    starts: Sequence[tuple[int, int]]  # in their order, each with the number of its group
    groups: Mapping[int, Sequence[UUID]]  # the mentors who are free together, by number


@dataclass(frozen=True, kw_only=True)
class RefusedSlot:
    """A time of the grid that cannot be booked, and the first reason for that."""

    start_time: datetime
    end_time: datetime
    mentor_profile_id: UUID
    reason: str


@dataclass(frozen=True, kw_only=True)
class FoundSlots:
    """What a search has found."""

    slots: Slots
    refused: list[RefusedSlot]  # the other times; only where they were asked for
    # The mentors who are busy at all times since an outside calendar of theirs is stale; likewise.
    stale_calendars: list[UUID]
    next_from: datetime | None  # where the search goes on; None where all of the stretch has been searched
    looked_at: int  # how many starts were looked at, refused ones with `EXPLAINED_TIMES` their number


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a caller looks for, from `start` to before `end`.

    `duration_minutes` is None for the listing's, or the shortest on offer, `step_minutes` for the mentor's own
    steps; `time_zone` is the one whose midnights count for mentors without weekly hours.
    """

    start: datetime
    end: datetime
    duration_minutes: int | None
    step_minutes: int | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class ListingsStatement:
    """Selects the listings of a search: of a duration, or of the shortest that there is."""

    of_duration: TextualSelect
    of_shortest: TextualSelect


# Of what the caller can book, if there is anything.
_SHORTEST = """coalesce(
    min(listing.duration_minutes) FILTER (
        WHERE listing.mentor_profile_id IS DISTINCT FROM :own_mentor_profile_id
    ),
    min(listing.duration_minutes)
)"""


def _listings_where(condition: str) -> ListingsStatement:
    among = f"""
FROM listings AS listing JOIN mentor_profiles AS mentor ON mentor.id = listing.mentor_profile_id AND mentor.active
WHERE {condition} AND listing.active"""
    return ListingsStatement(
        of_duration=_cheapest(among, ":duration_minutes"), of_shortest=_cheapest(among, f"(SELECT {_SHORTEST} {among})")
    )


def _cheapest(among: str, duration: str) -> TextualSelect:
    """Of each mentor the cheapest listing of a duration, then the one with the smallest id, as direct booking takes."""
    columns = Offered.names(of="listing")
    return sql(f"""
SELECT DISTINCT ON (listing.mentor_profile_id) {columns} {among} AND listing.duration_minutes = {duration}
ORDER BY listing.mentor_profile_id, listing.price_amount, listing.id
""").columns(*Offered.columns())


OF_MENTOR = _listings_where("listing.mentor_profile_id = :id")
OF_COURSE = _listings_where("listing.course_id = :id")
OF_LISTING = _listings_where("listing.id = :listing_id AND listing.mentor_profile_id = :id")
OF_LISTING_OF_COURSE = _listings_where("listing.id = :listing_id AND listing.course_id = :id")
OWN_TIME = sql(
    "SELECT lower(busy), upper(busy) FROM person_busy"
    " WHERE user_id = :user_id AND busy && tstzrange(:start, :end)"
    " AND (expires_at IS NULL OR expires_at > now())"
    " AND (mentor_profile_id IS NOT NULL OR NOT CAST(:mentee_overlap AS boolean)) ORDER BY 1"
)


def find_slots(
    db: Connection,
    statement: ListingsStatement,
    subject_id: UUID,
    wanted: Wanted,
    *,
    actor: Actor,
    now: datetime,
    listing_id: UUID | None = None,
    explain: bool = False,
    mentee_overlap: bool = False,
    closed_without_hours: bool = False,
) -> FoundSlots:
    """The slots of a mentor or a course, the earliest first, by a fixed number of statements.

    Of a stretch with more than `MAX_STARTS`, the first part is searched.

    Args:
        statement: one of the `OF_…` above.
        actor: whose own time is left out, and whose own holds are not; as a mentor, they are on offer on their own
            page alone.
        explain: whether to return the other times of the grid with their reasons, too.
        closed_without_hours: whether a mentor without hours has no slots.

    Raises:
        Invalid: a stretch of time that is empty or too long.
        Conflict: `no_listing` of that duration, or none at all.
    """
    _require_stretch(wanted, MAX_DAYS_EXPLAINED if explain else MAX_DAYS)
    offers = _offers(db, statement, subject_id, wanted, listing_id, actor)
    mentors = [offer.mentor_profile_id for offer in offers]
    last = wanted.end
    # Before the calendars are read, whose steps may be shorter still.
    wanted, _looked_at = _first_page(wanted, [MAX_COUNTED_STEP_MINUTES] * len(offers), explain=explain)
    around = (wanted.start - AROUND, wanted.end + AROUND)
    calendars = load_calendars(db, mentors, *around, closed_without_hours=closed_without_hours)
    steps = [calendar.rules.step_minutes for calendar in calendars.values()]
    wanted, looked_at = _first_page(wanted, steps, explain=explain)
    limited = any(calendar.rules.has_limits for calendar in calendars.values())
    around = (wanted.start - WEEK - AROUND, wanted.end + WEEK + AROUND)
    blocks = load_blocks(db, mentors, *around, with_bookings=limited)
    own = [] if actor.user_id is None else _own_time(db, actor.user_id, wanted, mentee_overlap)
    # A group's number has the bit of each of its mentors.
    found: dict[int, int] = {}
    refused: list[RefusedSlot] = []
    stale: list[UUID] = []
    for place, offer in enumerate(offers):
        mentor = offer.mentor_profile_id
        if mentor == actor.mentor_profile_id != subject_id:
            # Of a course, which nobody books with themselves.
            continue
        search = Search(calendars[mentor], blocks[mentor], offer, wanted, own=own, mentee=actor.user_id, now=now)
        for start in search.starts():
            found[start] = found.get(start, 0) | 1 << place
        if explain:
            refused += search.refused()
            stale += [mentor] * search.stale
    groups = {
        group: [mentor for place, mentor in enumerate(mentors) if group >> place & 1] for group in set(found.values())
    }
    slots = Slots(length=offers[0].duration_minutes * 60, starts=sorted(found.items()), groups=groups)
    refused.sort(key=lambda each: (each.start_time, each.mentor_profile_id))
    return FoundSlots(
        slots=slots,
        refused=refused,
        stale_calendars=stale,
        next_from=wanted.end if wanted.end < last else None,
        looked_at=looked_at,
    )


def first_slots(
    db: Connection,
    offers: Sequence[Offered],
    start: datetime,
    end: datetime,
    *,
    now: datetime | None = None,
    time_zone: str = "UTC",
    actor: Actor | None = None,
    mentee_overlap: bool = False,
    closed_without_hours: bool = False,
) -> dict[UUID, datetime]:
    """Of each mentor with a slot their first one, by two statements, and one more for a caller with a user.

    Args:
        offers: one of each mentor.
        now: the present; the start of the stretch where left out.
        time_zone: as of `Wanted`.
        actor: the caller, as of `find_slots`; None for a caller without a user.

    Raises:
        Invalid: a stretch of time that is empty or too long.
    """
    wanted = Wanted(start=start, end=end, duration_minutes=None, time_zone=time_zone)
    # Before the calendars are read, by which PostgreSQL takes no range that ends before it begins.
    _require_stretch(wanted, MAX_DAYS)
    mentors = [offer.mentor_profile_id for offer in offers]
    around = (start - AROUND, end + AROUND)
    calendars = load_calendars(db, mentors, *around, closed_without_hours=closed_without_hours)
    limited = any(calendar.rules.has_limits for calendar in calendars.values())
    # Limits count whole weeks.
    beyond = AROUND + WEEK if limited else AROUND
    blocks = load_blocks(db, mentors, start - beyond, end + beyond, with_bookings=limited)
    mentee = actor.user_id if actor else None
    own = [] if mentee is None else _own_time(db, mentee, wanted, mentee_overlap)
    found = {
        id: Search(calendars[id], blocks[id], offer, wanted, own=own, mentee=mentee, now=now or start).first()
        for id, offer in zip(mentors, offers, strict=True)
    }
    return {id: datetime.fromtimestamp(first, UTC) for id, first in found.items() if first is not None}


def _own_time(db: Connection, user_id: UUID, wanted: Wanted, mentee_overlap: bool) -> list[Interval]:
    stretch = {"start": wanted.start, "end": wanted.end + AROUND, "mentee_overlap": mentee_overlap}
    return [(start, end) for start, end in db.execute(OWN_TIME, {"user_id": user_id, **stretch})]


def _offers(
    db: Connection,
    statement: ListingsStatement,
    subject_id: UUID,
    wanted: Wanted,
    listing_id: UUID | None,
    actor: Actor,
) -> list[Offered]:
    values: dict[str, object] = {"id": subject_id, "own_mentor_profile_id": actor.mentor_profile_id}
    if listing_id is not None:
        values["listing_id"] = listing_id
    if wanted.duration_minutes is None:
        offers = [Offered.of(row) for row in db.execute(statement.of_shortest, values)]
    else:
        values["duration_minutes"] = wanted.duration_minutes
        offers = [Offered.of(row) for row in db.execute(statement.of_duration, values)]
    if not offers:
        raise _no_listing(wanted.duration_minutes)
    return offers


def _first_page(wanted: Wanted, steps: Sequence[int], *, explain: bool) -> tuple[Wanted, int]:
    """As much of the stretch as has `MAX_STARTS` if all times are free, and how many starts it then has.

    Args:
        steps: of each mentor their own, in minutes.
    """
    counted = (min(wanted.step_minutes or step, MAX_COUNTED_STEP_MINUTES) for step in steps)
    starts_per_second = sum(1 / (60 * step) for step in counted) * (EXPLAINED_TIMES if explain else 1)
    # Of any number of mentors, a page ends later than it begins.
    end = wanted.start + timedelta(seconds=max(1, int(MAX_STARTS / starts_per_second)))
    hour = end.replace(minute=0, second=0, microsecond=0)
    end = min(hour if hour > wanted.start else end, wanted.end)
    return replace(wanted, end=end), ceil((end - wanted.start).total_seconds() * starts_per_second)


class Search:
    """The slots of one mentor.

    Args:
        blocks: in the order of their starts.
        own: when the caller is busy, as mentee or mentor, in UTC.
        mentee: the caller; None for an operator.
    """

    def __init__(
        self,
        calendar: MentorCalendar,
        blocks: Sequence[Block],
        offer: Offered,
        wanted: Wanted,
        *,
        own: Sequence[Interval],
        mentee: UUID | None,
        now: datetime,
    ) -> None:
        self._calendar, self._blocks, self._offer, self._wanted = calendar, blocks, offer, wanted
        # To someone without a user of their own, the limits per mentee do not apply.
        self._mentee = mentee or UUID(int=0)
        self._own, self._now = own, now
        self._busy = [
            *((block.start_time, block.end_time) for block in blocks if block.hinders(mentee)),
            *calendar.outside_busy,
        ]
        # Whether the mentor is not to be booked at all, since an outside calendar of theirs is stale.
        self.stale = calendar.has_stale_calendars(now)
        self._length = offer.duration_minutes * 60
        self._step = (wanted.step_minutes or calendar.rules.step_minutes) * 60
        self._there = ZoneInfo(calendar.time_zone)
        self._limited: dict[date, bool] = {}

    def starts(self) -> list[int]:
        """The starts on offer in their order, in seconds since the epoch; none while stale calendars are refused."""
        found: list[int] = []
        for starts in self._free():
            found += starts
        return [start for start in found if not self._is_limited(start)] if self._calendar.rules.has_limits else found

    def first(self) -> int | None:
        """The first of these starts, found without the others; None without any."""
        limited = self._calendar.rules.has_limits
        starts = (start for starts in self._free() for start in starts)
        return next((start for start in starts if not (limited and self._is_limited(start))), None)

    def _free(self) -> Iterator[range]:
        """The starts at which nothing is in the way, in their order; limits are not looked at."""
        if self.stale:
            return
        earliest, latest = self._bounds()
        taken, position = self._taken(), 0
        for origin, _end, last in self._grid():
            start, last = _on_grid(max(origin, earliest), origin, self._step), min(last, latest)
            while start <= last:
                while position < len(taken) and taken[position][1] <= start:
                    position += 1
                begin, end = taken[position] if position < len(taken) else (LAST, LAST)
                yield range(start, min(begin, last + 1), self._step)
                start = _on_grid(end, origin, self._step)

    def refused(self) -> Iterator[RefusedSlot]:
        """The other times of the grid, and outside of openings the times of a grid that counts from local midnight."""
        grid = list(self._grid())
        times = {second for origin, end, _last in grid for second in range(origin, end, self._step)}
        openings = [(origin, end) for origin, end, _last in grid]
        for midnight, next_midnight in pairwise(self._midnights()):
            for second in range(midnight, next_midnight, self._step):
                position = bisect_right(openings, (second, LAST)) - 1
                if position < 0 or openings[position][1] <= second:
                    times.add(second)
        for second in times.difference(self.starts()):
            start = datetime.fromtimestamp(second, UTC)
            if self._wanted.start <= start < self._wanted.end:
                until = start + timedelta(seconds=self._length)
                mentor, reason = self._calendar.mentor_profile_id, self._reason(start, until)
                yield RefusedSlot(start_time=start, end_time=until, mentor_profile_id=mentor, reason=reason)

    def _reason(self, start: datetime, end: datetime) -> str:
        """The first that applies, in the order of the contract."""
        if start - self._now > self._calendar.rules.horizon:
            return "beyond_horizon"
        # Also what has passed.
        if start <= self._now or start < self._now + timedelta(minutes=self._offer.min_notice_minutes):
            return "too_soon"
        if self._calendar.has_time_off(start, end):
            return "time_off"
        if not self._calendar.is_open(start, end):
            return "outside_hours"
        return "busy" if self._is_busy(start, end) else "limit"

    def _is_busy(self, start: datetime, end: datetime) -> bool:
        begin = start - timedelta(minutes=self._offer.buffer_before_minutes)
        until = end + timedelta(minutes=self._offer.buffer_minutes)
        return (
            self.stale
            or any(since < until and to > begin for since, to in self._busy)
            or any(since < end and to > start for since, to in self._own)
        )

    def _is_limited(self, second: int) -> bool:
        start = datetime.fromtimestamp(second, self._there)
        day = start.date()
        if day not in self._limited:
            begin, end = self._calendar.week_of(start)
            near = (
                bisect_left(self._blocks, edge, key=lambda block: block.start_time) for edge in (begin - AROUND, end)
            )
            self._limited[day] = self._calendar.is_limit_reached(start, self._mentee, self._blocks[slice(*near)])
        return self._limited[day]

    def _bounds(self) -> tuple[int, int]:
        """The first and the last start that stretch, notice and horizon allow."""
        now, notice = self._now.timestamp(), self._offer.min_notice_minutes * 60
        earliest = max(ceil(self._wanted.start.timestamp()), floor(now) + 1, ceil(now + notice))
        latest = (self._now + self._calendar.rules.horizon).timestamp()
        return earliest, min(ceil(self._wanted.end.timestamp()) - 1, floor(latest))

    def _taken(self) -> list[Stretch]:
        """From when to before when no session may start: in order, merged."""
        before, after = self._offer.buffer_before_minutes * 60, self._offer.buffer_minutes * 60
        stretches = [
            *_starts_in_the_way(self._busy, self._length + after, before),
            *_starts_in_the_way(self._own, self._length, 0),
            *_starts_in_the_way(self._calendar.time_off, self._length, 0),
        ]
        return merged(stretches)

    def _grid(self) -> Iterator[tuple[int, int, int]]:
        """Of each opening, cut at local midnights, from where its grid counts, where it ends, and its last start."""
        midnights = self._midnights(AROUND)
        begin, end = datetime.fromtimestamp(midnights[0], UTC), self._wanted.end + AROUND
        for opens, closes in self._calendar.open_times(begin, end):
            origin, until = int(opens.timestamp()), int(closes.timestamp())
            cuts = midnights[bisect_right(midnights, origin) : bisect_left(midnights, until)]
            for part, following in pairwise([origin, *cuts, until]):
                yield part, following, min(following - 1, until - self._length)

    def _midnights(self, around: timedelta = timedelta()) -> list[int]:
        """The first moment of each local day of the stretch, and of the day after."""
        hours = self._calendar.hours
        there = ZoneInfo(hours.time_zone if hours.spans else self._wanted.time_zone)
        edges = (self._wanted.start - around, self._wanted.end + around)
        day, last = (edge.astimezone(there).date() for edge in edges)
        days = [day + number * DAY for number in range((last - day).days + 2)]
        return [int(moment_of_day(each, 0, there).timestamp()) for each in days]


def _no_listing(duration_minutes: int | None) -> Conflict:
    if duration_minutes is None:
        return Conflict("There is no listing that can be booked.", code="no_listing")
    return Conflict(f"There is no listing of {duration_minutes} minutes; choose another duration.", code="no_listing")


def _starts_in_the_way(times: Sequence[Interval], length: int, before: int) -> list[Stretch]:
    """The starts of sessions that would overlap, each from the first to before the next possible one."""
    return [(floor(begin.timestamp()) - length + 1, ceil(end.timestamp()) + before) for begin, end in times]


def _on_grid(second: int, origin: int, step: int) -> int:
    """The first point of a grid that is not before a moment."""
    return origin + -(-(second - origin) // step) * step


def _require_stretch(wanted: Wanted, max_days: int) -> None:
    if wanted.end <= wanted.start:
        raise Invalid("`to` must be later than `from`.", details={"to": ["must be later than from"]})
    if wanted.end - wanted.start > timedelta(days=max_days):
        raise Invalid(f"Ask for at most {max_days} days at a time.", details={"to": [f"more than {max_days} days"]})
