"""Calendar feed of a user at a secret address: their sessions of two years, as mentor and as mentee."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import CTE, Connection, Select, Uuid, bindparam, cast, func, literal_column, select, union
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from models.bookings import booking_participants
from models.calendar import calendar_secrets
from models.people import mentor_profiles, users
from models.sessions import sessions
from workflows.calendar.icalendar import MENTEE, MENTOR, CalendarEntry, Reader, calendar, text, with_parties
from workflows.identity.access import require_person
from workflows.identity.actor import Actor
from workflows.kernel.errors import Blocked
from workflows.kernel.language import language_of
from workflows.sessions.meeting import MeetingService

SECRET_BYTES = 32
ONE_YEAR = timedelta(days=366)
# The refresh interval as RFC 7986 has it, and the property that older clients read.
_REFRESHED = ("REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H")
# Part of the ETag: raise it whenever the same sessions are written differently.
_FORMAT_VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A user's feed as of `day`; `tag` is its ETag."""

    reader: Reader
    day: date
    tag: str


def create_feed_secret(db: Connection, *, actor: Actor) -> str:
    """Create the secret of the caller's feed, which replaces an earlier one; only its hash is stored.

    Raises:
        Forbidden: an operator has no calendar.
    """
    user_id = require_person(actor)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    created = insert(calendar_secrets).values(user_id=user_id, digest=digest_of(secret))
    replaced = {"digest": created.excluded.digest}
    db.execute(created.on_conflict_do_update(index_elements=[calendar_secrets.c.user_id], set_=replaced))
    return secret


def digest_of(secret: str) -> bytes:
    """SHA-256 of a secret: without a salt, since 32 random bytes cannot be guessed. A timing attack on the look-up
    would need digests of the attacker's choice."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def find_feed(db: Connection, secret: str, *, meetings: MeetingService, now: datetime) -> Feed | None:
    """The feed that the secret belongs to, found by one statement; None for an unknown or replaced secret.

    Raises Blocked where its user is blocked.

    The tag is made of the day, the meeting service and the versions of all rows that are shown. The time of the latest
    change and the number of sessions would not do: a transaction may commit after one that began later.
    """
    day = now.astimezone(UTC).date()
    row = db.execute(_FIND, {"digest": digest_of(secret), **_span(day)}).one_or_none()
    if row is None:
        return None
    if row.blocked_at is not None:
        raise Blocked(code="blocked")
    state = f"{_FORMAT_VERSION} {meetings.address} {day} {row.id} {row.version} {row.state}"
    reader = Reader(user_id=row.id, time_zone=row.time_zone, locale=row.locale)
    return Feed(reader=reader, day=day, tag=hashlib.sha256(state.encode()).hexdigest()[:32])


def render_feed(db: Connection, feed: Feed, *, meetings: MeetingService) -> bytes:
    """The calendar object, read by one statement; cancelled sessions are included, for clients to remove them."""
    rows = db.execute(_READ, {"reader_id": feed.reader.user_id, **_span(feed.day)}).all()
    entries = map(CalendarEntry.of, rows)
    name = language_of(feed.reader.locale).gettext("Sessions")
    return calendar(
        (text("NAME", name), text("X-WR-CALNAME", name), *_REFRESHED),
        (line for each in entries for line in each.lines(feed.reader, changed=each.updated_at, meetings=meetings)),
    )


def _span(day: date) -> dict[str, datetime]:
    """From a year before the day to a year after it, in whole days, so that it changes at midnight only."""
    midnight = datetime.combine(day, time(), UTC)
    return {"since": midnight - ONE_YEAR, "until": midnight + ONE_YEAR + timedelta(days=1)}


def _session_ids(reader: CTE) -> CTE:
    """The ids of the reader's sessions: as mentor, as the only mentee, and as a member of a group."""
    within = (sessions.c.start_time >= bindparam("since"), sessions.c.start_time < bindparam("until"))
    as_mentor = (
        select(sessions.c.id)
        .join_from(reader, mentor_profiles, mentor_profiles.c.user_id == reader.c.id)
        .join(sessions, sessions.c.mentor_profile_id == mentor_profiles.c.id)
    )
    as_mentee = select(sessions.c.id).join_from(reader, sessions, sessions.c.mentee_user_id == reader.c.id)
    in_group = (
        select(sessions.c.id)
        .join_from(reader, booking_participants, booking_participants.c.user_id == reader.c.id)
        .join(sessions, sessions.c.booking_id == booking_participants.c.booking_id)
        .where(
            booking_participants.c.seat_id.is_not(None),
            # The index of seats is by their own copy of the start.
            booking_participants.c.start_time >= bindparam("since"),
            booking_participants.c.start_time < bindparam("until"),
        )
    )
    return union(*(each.where(*within) for each in (as_mentor, as_mentee, in_group))).cte("session_ids")


def _find_query() -> Select[Any]:
    reader = (
        select(users.c.id, users.c.time_zone, users.c.locale, users.c.version, users.c.blocked_at)
        .join_from(calendar_secrets, users, users.c.id == calendar_secrets.c.user_id)
        .where(calendar_secrets.c.digest == bindparam("digest"))
        .cte("reader")
    )
    shown = func.concat_ws(literal_column("'.'"), sessions.c.id, sessions.c.version, MENTOR.c.version, MENTEE.c.version)
    versions = func.md5(func.string_agg(shown, aggregate_order_by(literal_column("','"), sessions.c.id)))
    state = with_parties(select(versions)).where(sessions.c.id.in_(select(_session_ids(reader).c.id)))
    return select(reader, state.scalar_subquery().label("state"))


def _read_query() -> Select[Any]:
    reader = select(cast(bindparam("reader_id"), Uuid).label("id")).cte("reader")
    ids = select(_session_ids(reader).c.id)
    return CalendarEntry.query().where(sessions.c.id.in_(ids)).order_by(sessions.c.start_time, sessions.c.id)


_FIND, _READ = _find_query(), _read_query()
