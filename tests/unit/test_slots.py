"""Property test of slots: equal to what a brute force over all times finds, for any hours, bookings and zones."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.availability.calendar import Block, MentorCalendar
from workflows.availability.hours import Dates, DayHours, Hours, Span
from workflows.availability.intervals import Interval
from workflows.availability.open_times import moment_of_day
from workflows.availability.rules import BookingRules
from workflows.availability.slots import Offered, Search, Wanted

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")
# Around both changes of the clocks in each of them.
BEGINS = tuple(
    datetime(2030, month, day, tzinfo=UTC) for month, day in ((3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
)
ME = UUID(int=1)
END = datetime(2030, 4, 2, 12, tzinfo=UTC)
ALL_WEEK = tuple(Span(weekday, 0, 1440) for weekday in range(7))
Case = tuple[Search, MentorCalendar, list[Block], list[Interval], Offered, Wanted, datetime]
minutes = st.integers(0, 287).map(lambda number: 5 * number)


@st.composite
def spans(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Open periods of a day, without overlap."""
    edges = sorted(draw(st.lists(minutes, min_size=2, max_size=4, unique=True)))
    return list(zip(edges[::2], edges[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn, begin: datetime) -> MentorCalendar:
    """Hours, hours of dates, time off, times of outside calendars, and rules."""
    week = draw(st.dictionaries(st.integers(0, 6), spans(), max_size=5))
    days = st.integers(-1, 4).map(lambda n: (begin + n * DAY).date())
    dates = draw(st.dictionaries(days, st.builds(DayHours, st.sampled_from(ZONES), spans()), max_size=2))
    off = draw(st.lists(stretches(begin), max_size=2))
    rules = draw(
        st.builds(
            BookingRules,
            step_minutes=st.sampled_from([5, 15, 25, 60]),
            horizon_days=st.none() | st.integers(1, 4),
            max_per_day=st.none() | st.integers(1, 2),
            max_per_mentee_per_week=st.none() | st.integers(1, 2),
            stale_calendars=st.sampled_from(["ignore", "ignore", "refuse"]),
        )
    )
    elsewhere = draw(st.lists(stretches(begin), max_size=3))
    stale_at = draw(st.none() | st.sampled_from([begin - 9 * DAY, begin + 9 * DAY]))
    return MentorCalendar(
        mentor_profile_id=uuid4(),
        version=1,
        time_zone=draw(st.sampled_from(ZONES)),
        hours=Hours(
            draw(st.sampled_from(ZONES)), tuple(Span(day, *each) for day in sorted(week) for each in week[day])
        ),
        dates=dates,
        time_off=sorted(off),
        outside_busy=sorted(elsewhere),
        outside_stale_at=stale_at,
        rules=rules,
    )


def stretches(begin: datetime) -> st.SearchStrategy[Interval]:
    """Times of a few hours around a date."""
    return st.tuples(st.integers(-600, 5000), st.integers(1, 600)).map(
        lambda each: (begin + each[0] * MINUTE, begin + (each[0] + each[1]) * MINUTE)
    )


@st.composite
def searches(draw: st.DrawFn) -> Case:
    """Everything that a search is made of."""
    begin = draw(st.sampled_from(BEGINS))
    calendar = draw(calendars(begin))
    blocks = [
        Block(
            start_time=start,
            end_time=end,
            session_start=start,
            mentee_user_id=draw(st.sampled_from([ME, uuid4()])),
            hold_id=None,
        )
        for start, end in draw(st.lists(stretches(begin), max_size=4))
    ] + [
        Block(
            start_time=start,
            end_time=end,
            session_start=None,
            mentee_user_id=draw(st.sampled_from([ME, uuid4()])),
            hold_id=uuid4(),
        )
        for start, end in draw(st.lists(stretches(begin), max_size=2))
    ]
    own = draw(st.lists(stretches(begin), max_size=2))
    offer = Offered(
        id=uuid4(),
        mentor_profile_id=calendar.mentor_profile_id,
        duration_minutes=draw(st.sampled_from([5, 30, 60, 90])),
        min_notice_minutes=draw(st.sampled_from([0, 0, 90, 3000])),
        buffer_before_minutes=draw(st.sampled_from([0, 10])),
        buffer_minutes=draw(st.sampled_from([0, 15])),
    )
    start = begin + draw(st.integers(-60, 600)) * MINUTE
    wanted = Wanted(
        start=start,
        end=start + draw(st.integers(1, 4 * 24 * 60)) * MINUTE,
        duration_minutes=offer.duration_minutes,
        step_minutes=draw(st.none() | st.sampled_from([10, 30])),
        time_zone=draw(st.sampled_from(ZONES)),
    )
    now = begin + draw(st.integers(-3000, 3000)) * MINUTE + timedelta(seconds=draw(st.integers(0, 59)))
    blocks.sort(key=lambda block: block.start_time)
    search = Search(calendar, blocks, offer, wanted, own=own, mentee=ME, now=now)
    return search, calendar, blocks, own, offer, wanted, now


def test_slots_are_those_of_a_brute_force(pytestconfig: pytest.Config) -> None:
    cases = settings(max_examples=pytestconfig.getoption("slot_cases"), deadline=None)
    cases(given(searches())(assert_slots_of_a_brute_force))()


def assert_slots_of_a_brute_force(case: Case) -> None:
    """Slots and reasons equal those found by looking at each time of the grid."""
    search, calendar, blocks, own, offer, wanted, now = case
    length = timedelta(minutes=offer.duration_minutes)
    before, after = timedelta(minutes=offer.buffer_before_minutes), timedelta(minutes=offer.buffer_minutes)
    offered = [datetime.fromtimestamp(second, UTC) for second in search.starts()]
    reasons = {each.start_time: each.reason for each in search.refused()}
    assert offered == sorted(set(offered))
    assert not reasons.keys() & set(offered)
    step = timedelta(minutes=wanted.step_minutes or calendar.rules.step_minutes)
    for start in expected_grid(calendar, wanted, step):
        end = start + length
        busy = any(
            block.start_time < end + after and block.end_time > start - before
            for block in blocks
            if block.hold_id is None or block.mentee_user_id != ME
        ) or any(since < end and to > start for since, to in own)
        busy = busy or any(since < end + after and to > start - before for since, to in calendar.outside_busy)
        if calendar.rules.stale_calendars == "refuse" and calendar.outside_stale_at is not None:
            busy = busy or calendar.outside_stale_at <= now
        reason = (
            "beyond_horizon" if start - now > calendar.rules.horizon
            else "too_soon" if start <= now or start < now + timedelta(minutes=offer.min_notice_minutes)
            else "time_off" if any(since < end and to > start for since, to in calendar.time_off)
            else "outside_hours" if not calendar.is_open(start, end)
            else "busy" if busy
            else "limit" if calendar.is_limit_reached(start, ME, blocks)
            else None
        )  # fmt: skip
        assert (start in offered) is (reason is None), (start, reason)
        assert reasons.get(start) == reason, start
    assert set(offered) <= set(expected_grid(calendar, wanted, step))


def expected_grid(calendar: MentorCalendar, wanted: Wanted, step: timedelta) -> list[datetime]:
    """Every time of the grid in the stretch: from each opening, or from the local midnight before it."""
    there = ZoneInfo(calendar.hours.time_zone if calendar.hours.spans else wanted.time_zone)
    openings = list(calendar.open_times(wanted.start - 2 * DAY, wanted.end + 2 * DAY))
    grid = []
    first = (wanted.start - DAY).astimezone(there).date()
    for number in range((wanted.end - wanted.start).days + 4):
        midnight, following = (moment_of_day(first + (number + later) * DAY, 0, there) for later in (0, 1))
        for opens, closes in openings:
            time = max(opens, midnight)
            while time < min(closes, following):
                grid.append(time)
                time += step
    return [time for time in grid if wanted.start <= time < wanted.end]


@pytest.mark.parametrize("hours", [Hours("Europe/Berlin"), Hours("Asia/Kathmandu", ALL_WEEK)], ids=["none", "always"])
@pytest.mark.parametrize("dates", [{}, {date(2030, 3, 30): DayHours("America/New_York", [(600, 700)])}], ids=str)
def test_the_grid_is_the_same_wherever_a_search_begins(hours: Hours, dates: Dates) -> None:
    """Where hours never close, and seven times 25 minutes are no day; clocks change on the last day of March."""

    def grid(begin: datetime) -> set[int]:
        wanted = Wanted(start=begin, end=END, duration_minutes=30, step_minutes=25, time_zone="Europe/Berlin")
        calendar = MentorCalendar(mentor_profile_id=ME, version=1, time_zone="UTC", hours=hours, dates=dates)
        offer = Offered(
            id=ME, mentor_profile_id=ME, duration_minutes=30, min_notice_minutes=0, buffer_before_minutes=0,
            buffer_minutes=0,
        )  # fmt: skip
        search = Search(calendar, [], offer, wanted, own=[], mentee=ME, now=datetime(2030, 1, 1, tzinfo=UTC))
        times = {*search.starts(), *(int(each.start_time.timestamp()) for each in search.refused())}
        return {time for time in times if time >= (END - 2 * DAY).timestamp()}

    expected = grid(END - 2 * DAY)
    assert len(expected) > 100
    assert all(grid(END - number * DAY - 7 * MINUTE) == expected for number in range(2, 9))
