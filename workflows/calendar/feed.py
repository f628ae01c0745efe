"""The calendar that a user subscribes to: every session of theirs, as mentor and as mentee, of two years."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import CTE, Connection, Select, Uuid, bindparam, cast, func, literal_column, select, union
from sqlalchemy.dialects.postgresql import aggregate_order_by

from models.bookings import booking_participants
from models.calendar_secrets import calendar_secrets
from models.people import mentor_profiles, users
from models.sessions import sessions
from workflows.calendar.lines import calendar
from workflows.calendar.meeting import MENTEE, MENTOR, Meeting, Reader, entry, with_parties
from workflows.calendar.secret import digest_of

A_YEAR = timedelta(days=366)
# How often clients should look again: RFC 7986, and in the words that were used before it.
_ABOUT = ("NAME:Sessions", "X-WR-CALNAME:Sessions", "REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H")
# To be raised whenever the same sessions are written in another way.
_FORM = 1


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A user's feed as it stands: by its `tag` a client knows whether it holds this very one."""

    reader: Reader
    day: date
    tag: str


def find_feed(db: Connection, secret: str, *, now: datetime) -> Feed | None:
    """The feed that the secret leads to, in one statement; None where it leads nowhere (any more).

    The tag follows from the versions of everything that is shown, and from the day by which the two years are counted.
    The latest change and the number of sessions would not do: a change may commit after one that began later.
    """
    day = now.astimezone(UTC).date()
    row = db.execute(_FIND, {"digest": digest_of(secret), **_span(day)}).one_or_none()
    if row is None:
        return None
    state = f"{_FORM} {day} {row.id} {row.version} {row.state}"
    reader = Reader(user_id=row.id, time_zone=row.time_zone)
    return Feed(reader=reader, day=day, tag=hashlib.sha256(state.encode()).hexdigest()[:32])


def written_feed(db: Connection, feed: Feed) -> bytes:
    """The calendar object, from one statement; what was called off stays in it as such, for clients to let go of it."""
    rows = db.execute(_READ, {"reader_id": feed.reader.user_id, **_span(feed.day)}).all()
    meetings = (Meeting.of(row) for row in rows)
    return calendar(_ABOUT, (line for each in meetings for line in entry(each, feed.reader, changed=each.updated_at)))


def _span(day: date) -> dict[str, datetime]:
    """From the same day of last year to that of the next; whole days, so that a feed changes at midnight alone."""
    midnight = datetime.combine(day, time(), UTC)
    return {"since": midnight - A_YEAR, "until": midnight + A_YEAR + timedelta(days=1)}


def _mine(reader: CTE) -> CTE:
    """The ids of the reader's sessions: as mentor, as the one mentee, and as one of a group."""
    within = (sessions.c.start_time >= bindparam("since"), sessions.c.start_time < bindparam("until"))
    as_mentor = (
        select(sessions.c.id)
        .join_from(reader, mentor_profiles, mentor_profiles.c.user_id == reader.c.id)
        .join(sessions, sessions.c.mentor_profile_id == mentor_profiles.c.id)
    )
    as_mentee = select(sessions.c.id).join_from(reader, sessions, sessions.c.mentee_user_id == reader.c.id)
    in_a_group = (
        select(sessions.c.id)
        .join_from(reader, booking_participants, booking_participants.c.user_id == reader.c.id)
        .join(sessions, sessions.c.booking_id == booking_participants.c.booking_id)
        .where(sessions.c.mentee_user_id.is_(None))
    )
    return union(*(each.where(*within) for each in (as_mentor, as_mentee, in_a_group))).cte("mine")


def _finding() -> Select[Any]:
    reader = (
        select(users.c.id, users.c.time_zone, users.c.version)
        .join_from(calendar_secrets, users, users.c.id == calendar_secrets.c.user_id)
        .where(calendar_secrets.c.digest == bindparam("digest"))
        .cte("reader")
    )
    mine = _mine(reader)
    shown = func.concat_ws(literal_column("'.'"), sessions.c.id, sessions.c.version, MENTOR.c.version, MENTEE.c.version)
    versions = func.md5(func.string_agg(shown, aggregate_order_by(literal_column("','"), sessions.c.id)))
    state = with_parties(select(versions)).where(sessions.c.id.in_(select(mine.c.id)))
    return select(reader, state.scalar_subquery().label("state"))


def _reading() -> Select[Any]:
    reader = select(cast(bindparam("reader_id"), Uuid).label("id")).cte("reader")
    mine = select(_mine(reader).c.id)
    return Meeting.query().where(sessions.c.id.in_(mine)).order_by(sessions.c.start_time, sessions.c.id)


_FIND, _READ = _finding(), _reading()
