"""Reading outside calendars: what of a calendar is asked for, what becomes of an answer, and when it is read again."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.base import sql
from workflows.availability.changes import raise_version
from workflows.availability.feeds import refuses_stale_calendars
from workflows.availability.intervals import Interval, merged
from workflows.availability.open_times import DAY
from workflows.events.event_types import CalendarFeedScheduled
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.kernel.locks import lock_calendar
from workflows.kernel.operator_policy import OperatorPolicy

# Busy times are known for the days from yesterday to the end of this month next year: a window that moves once a month,
# so that a calendar without news changes nothing from day to day.
MONTHS_AHEAD = 13
JITTER = 0.1
LONGEST_PAUSE = timedelta(days=1)
# So that no event of long ago is needed for a calendar that is read for years.
SCHEDULED_ANEW_AFTER = timedelta(days=7)

FEEDS_TO_READ = sql("""
SELECT feed.id, feed.mentor_profile_id, feed.sealed_url, feed.origin, feed.scheduled_by, feed.failures, feed.etag,
       feed.last_modified, feed.content_digest, feed.busy_until, feed.time_zone AS read_in_time_zone,
       mentor.time_zone, mentor.active, owner.email
FROM calendar_feeds AS feed
JOIN mentor_profiles AS mentor ON mentor.id = feed.mentor_profile_id
JOIN users AS owner ON owner.id = mentor.user_id
WHERE feed.id = ANY(CAST(:ids AS uuid[]))
""")
_FEED = sql("SELECT * FROM calendar_feeds WHERE id = :id")
OWN_BOOKINGS = sql("SELECT id FROM bookings WHERE id = ANY(CAST(:ids AS uuid[]))")
_WANTED = """
WITH wanted AS (
    SELECT tstzrange(start_time, end_time) AS busy
    FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS times(start_time, end_time)
)
"""
# In two statements: one that deletes and inserts in any order could meet its own rows in the constraint.
DELETE_TIMES = sql(f"""
{_WANTED}
, gone AS (
    DELETE FROM outside_busy
    WHERE mentor_profile_id = :mentor_profile_id AND calendar_feed_id = :id
      AND busy NOT IN (SELECT busy FROM wanted)
    RETURNING busy
)
SELECT count(*) FROM gone WHERE upper(busy) > :now
""")
INSERT_TIMES = sql(f"""
{_WANTED}
, made AS (
    INSERT INTO outside_busy (mentor_profile_id, calendar_feed_id, busy)
    SELECT :mentor_profile_id, :id, busy FROM wanted
    WHERE busy NOT IN (
        SELECT busy FROM outside_busy
        WHERE mentor_profile_id = :mentor_profile_id AND calendar_feed_id = :id
    )
    RETURNING busy
)
SELECT count(*) FROM made WHERE upper(busy) > :now
""")
# As of time off.
END_HOLDS = sql("""
DELETE FROM person_busy USING mentor_profiles AS mentor, outside_busy AS elsewhere
WHERE mentor.id = :mentor_profile_id
  AND person_busy.user_id = mentor.user_id AND person_busy.hold_id IS NOT NULL
  AND elsewhere.mentor_profile_id = mentor.id
  AND elsewhere.calendar_feed_id = :id AND elsewhere.busy && person_busy.busy
""")
_READ = sql("""
UPDATE calendar_feeds
SET attempted_at = :now, fetched_at = :now, next_fetch_at = :next_fetch_at, stale_at = :stale_at, failures = 0,
    last_error = NULL
WHERE id = :id
""")
# A mentor whose address has changed since the request may have declined other entries.
_KEEP_COPY = sql("""
UPDATE calendar_feeds
SET etag = :etag, last_modified = :last_modified, content_digest = :content_digest, time_zone = :time_zone,
    busy_until = CASE WHEN owner.email = :email THEN CAST(:busy_until AS timestamptz) END
FROM mentor_profiles AS mentor JOIN users AS owner ON owner.id = mentor.user_id
WHERE calendar_feeds.id = :id AND mentor.id = calendar_feeds.mentor_profile_id
""")
_FAILED = sql("""
UPDATE calendar_feeds
SET attempted_at = :now, next_fetch_at = :next_fetch_at, failures = failures + 1, last_error = :error
WHERE id = :id
""")
_SCHEDULE_ANEW = sql("UPDATE calendar_feeds SET scheduled_by = :event_id WHERE id = :id")


@dataclass(frozen=True, kw_only=True)
class Window:
    """From when to before when busy times are wanted, in UTC, and the IANA name of the zone of times without one."""

    start: datetime
    end: datetime
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class FeedRequest:
    """One attempt to read an outside calendar.

    Args:
        sealed_url: the encrypted address.
        origin: its scheme, host and port, for logs.
        email: the mentor's mail address: what they have declined does not make them busy.
        etag, last_modified, content_digest: of the last copy; None where a new one is needed anyhow.
        failures: how many attempts have failed since it could be read last.
        interval: after which it is read again.
        stale_after: how long a copy is relied on.
        prepared_at: by the database's clock.
    """

    feed_id: UUID
    sealed_url: str = field(repr=False)
    origin: str
    email: str = field(repr=False)
    window: Window
    etag: str | None
    last_modified: str | None
    content_digest: bytes | None
    failures: int
    interval: timedelta
    stale_after: timedelta
    prepared_at: datetime


@dataclass(frozen=True, kw_only=True)
class CalendarCopy:
    """What a calendar has in a window."""

    busy: Sequence[Interval]  # times in UTC, in any order
    # Further times, by the UUID that their entry is identified by: a booking here may have it.
    named: Mapping[UUID, Sequence[Interval]]
    etag: str | None
    last_modified: str | None
    content_digest: bytes


def window_at(now: datetime, time_zone: str) -> Window:
    """The window of busy times that is wanted at that time."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    months = day.year * 12 + day.month - 1 + MONTHS_AHEAD
    return Window(
        start=day - DAY, end=day.replace(year=months // 12, month=months % 12 + 1, day=1), time_zone=time_zone
    )


def request_for(feed: Row[Any], *, policy: OperatorPolicy, now: datetime) -> FeedRequest:
    """The next attempt to read a calendar.

    Args:
        feed: a row of `FEEDS_TO_READ`.
    """
    window = window_at(now, feed.time_zone)
    # Of a copy for another window or zone it must not be asked whether it still holds.
    holds = feed.busy_until == window.end and feed.read_in_time_zone == window.time_zone
    interval = timedelta(minutes=policy.calendar_feed_minutes)
    return FeedRequest(
        feed_id=feed.id,
        sealed_url=feed.sealed_url,
        origin=feed.origin,
        email=feed.email,
        window=window,
        etag=feed.etag if holds else None,
        last_modified=feed.last_modified if holds else None,
        content_digest=feed.content_digest if holds else None,
        failures=feed.failures,
        # Spread over time, so that those that were added together are not read together for ever.
        interval=interval * random.uniform(1 - JITTER, 1 + JITTER),
        stale_after=timedelta(hours=policy.calendar_stale_hours),
        prepared_at=now,
    )


def pause_after(request: FeedRequest, *, failed: bool, retry_after: timedelta | None = None) -> timedelta:
    """How long to wait after an attempt: twice as long after each failure, up to a day."""
    if not failed:
        return request.interval
    pause: timedelta = request.interval * 2 ** min(request.failures, 10)
    return max(min(pause, LONGEST_PAUSE), request.interval, retry_after or timedelta())


def keep_answer(
    db: Connection, request: FeedRequest, copy: CalendarCopy | None, *, next_fetch_at: datetime, now: datetime
) -> None:
    """Write that a calendar could be read, and when the mentor is busy by it. Sessions and requests stay, holds end.

    Times of sessions that were booked here, and have come back by a calendar that subscribes to ours, are left out.

    Args:
        copy: None where the last copy still holds.
    """
    feed = _locked(db, request.feed_id)
    if feed is None:
        return
    changed = feed.stale_at <= now and refuses_stale_calendars(db, feed.mentor_profile_id)
    values = {"id": feed.id, "now": now, "next_fetch_at": next_fetch_at, "stale_at": now + request.stale_after}
    db.execute(_READ, values)
    if copy is not None:
        changed |= _replace_times(db, feed, [*copy.busy, *_outside_of(db, copy.named)], now)
        kept = {
            "etag": copy.etag,
            "last_modified": copy.last_modified,
            "content_digest": copy.content_digest,
            "email": request.email,
            "busy_until": request.window.end,
            "time_zone": request.window.time_zone,
        }
        db.execute(_KEEP_COPY, {"id": feed.id, **kept})
    if changed:
        raise_version(db, feed.mentor_profile_id, changed="calendars", actor=SYSTEM, now=now)


def keep_failure(db: Connection, request: FeedRequest, error: str, *, next_fetch_at: datetime, now: datetime) -> None:
    """Write that a calendar could not be read; the times of the last copy stay.

    Args:
        error: a sentence for the mentor.
    """
    feed = _locked(db, request.feed_id)
    if feed is None:
        return
    db.execute(_FAILED, {"id": feed.id, "now": now, "next_fetch_at": next_fetch_at, "error": error})
    became_stale = feed.stale_at <= now and (feed.attempted_at or feed.stale_at) < feed.stale_at
    if became_stale and refuses_stale_calendars(db, feed.mentor_profile_id):
        raise_version(db, feed.mentor_profile_id, changed="calendars", actor=SYSTEM, now=now)


def schedule_anew(db: Connection, scheduled: CalendarFeedScheduled, *, next_fetch_at: datetime, now: datetime) -> None:
    """Let a new event take the place of one that is a week old; the delivery of the old one ends when it is due."""
    if now - scheduled.occurred_at < SCHEDULED_ANEW_AFTER:
        return
    event = CalendarFeedScheduled(
        actor=SYSTEM.name,
        occurred_at=now,
        calendar_feed_id=scheduled.calendar_feed_id,
        mentor_profile_id=scheduled.mentor_profile_id,
        fetch_at=next_fetch_at,
    )
    if db.execute(_SCHEDULE_ANEW, {"id": scheduled.calendar_feed_id, "event_id": event.id}).rowcount:
        record(db, event)


def _locked(db: Connection, feed_id: UUID) -> Row[Any] | None:
    """The feed under the lock of its mentor; None where it has been removed."""
    feed = db.execute(_FEED, {"id": feed_id}).one_or_none()
    if feed is None:
        return None
    lock_calendar(db, feed.mentor_profile_id)
    # Again: its snapshot must be younger than the lock.
    return db.execute(_FEED, {"id": feed_id}).one_or_none()


def _outside_of(db: Connection, named: Mapping[UUID, Sequence[Interval]]) -> list[Interval]:
    """The times of entries that are no bookings of ours."""
    own: Collection[UUID] = set(db.scalars(OWN_BOOKINGS, {"ids": list(named)})) if named else ()
    return [time for id, times in named.items() if id not in own for time in times]


def _replace_times(db: Connection, feed: Row[Any], times: Iterable[Interval], now: datetime) -> bool:
    """Whether anything changed that is not over."""
    wanted = merged(times)
    values = {
        "id": feed.id,
        "mentor_profile_id": feed.mentor_profile_id,
        "starts": [start for start, _end in wanted],
        "ends": [end for _start, end in wanted],
        "now": now,
    }
    gone = db.execute(DELETE_TIMES, values).scalar_one()
    made = db.execute(INSERT_TIMES, values).scalar_one()
    if made:
        db.execute(END_HOLDS, {"id": feed.id, "mentor_profile_id": feed.mentor_profile_id})
    return bool(gone + made)
