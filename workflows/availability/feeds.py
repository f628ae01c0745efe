"""Outside calendars of a mentor, read as iCalendar feeds: the record, the list, how they are added and removed."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, func, insert, select
from uuid_utils.compat import uuid7

from models.availability import calendar_feeds, outside_busy
from models.base import sql
from workflows.availability.changes import raise_version
from workflows.availability.dates import CalendarOwner
from workflows.events.event_types import CalendarFeedScheduled
from workflows.events.record import record
from workflows.identity.access import require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.address import Network, checked_address, read_address
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, Invalid
from workflows.kernel.locks import lock_calendar
from workflows.kernel.paging import PagedList
from workflows.kernel.quotas import DAY, Quota, use_quota
from workflows.kernel.records import Record

MAX_FEEDS = 10
# Each is read at once: removed and added again and again, it would be asked for at any rate.
FEEDS_PER_DAY = 50
_ADDED = Quota(
    "calendar_feed.added",
    FEEDS_PER_DAY,
    DAY,
    "You have added very many outside calendars today; wait before you add another one.",
)
# What calendar applications write for a calendar to be subscribed to; it is fetched like any other.
_WEBCAL = re.compile("^webcals?://", re.IGNORECASE)
_REFUSES_STALE = sql(
    "SELECT 1 FROM booking_rules WHERE mentor_profile_id = :mentor_profile_id AND stale_calendars = 'refuse'"
)


class FeedStatus(StrEnum):
    """How far an outside calendar can be relied on."""

    PENDING = "pending"  # it has never been read
    FRESH = "fresh"
    STALE = "stale"  # the last time that it could be read is too long ago


@dataclass(frozen=True, kw_only=True)
class CalendarFeed(Record):
    """An outside calendar. Of its address, which is a secret, only `origin` is shown: scheme, host and port."""

    table = calendar_feeds

    id: UUID
    mentor_profile_id: UUID
    name: str | None
    origin: str
    stale: bool  # whether the last copy is too old to be relied on
    fetched_at: datetime | None  # when it could be read last
    next_fetch_at: datetime
    last_error: str | None  # why it could not be read since, as a sentence; None where it could
    created_at: datetime
    version: int

    @property
    def url(self) -> str:
        """The address without its path."""
        return f"{self.origin}/…"

    @property
    def status(self) -> FeedStatus:
        """How far it can be relied on."""
        if self.fetched_at is None:
            return FeedStatus.PENDING
        return FeedStatus.STALE if self.stale else FeedStatus.FRESH

    @classmethod
    def query(cls) -> Select[Any]:
        return select(*cls.columns(), (calendar_feeds.c.stale_at <= func.now()).label("stale"))


def feed_query(mentor_profile_id: UUID, calendar_feed_id: UUID) -> Select[Any]:
    """The outside calendar of that mentor and id."""
    feed = calendar_feeds.c
    return CalendarFeed.query().where(feed.mentor_profile_id == mentor_profile_id, feed.id == calendar_feed_id)


FEEDS = PagedList(CalendarFeed, of=("mentor_profile_id",))


def add_feed(
    db: Connection,
    *,
    actor: Actor,
    mentor: CalendarOwner,
    url: str,
    name: str | None,
    seal: Callable[[str], str],
    now: datetime,
    allowed: Sequence[Network] = (),
) -> CalendarFeed:
    """Register an outside calendar; it is read for the first time in a moment.

    Args:
        url: `https` or `webcal`.
        seal: encrypts the address for storage.
        allowed: the networks that may be reached besides the public internet.

    Raises:
        Forbidden: another mentor's calendar.
        Invalid: an address that no calendar is read from.
        Conflict: `calendar_feed_exists` with this address; `calendar_feed_limit`.
        RateLimited: the mentor has added too many within a day.
    """
    require_mentor(actor, mentor)
    address = _checked(url, allowed)
    lock_calendar(db, mentor.mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    count = select(func.count()).where(calendar_feeds.c.mentor_profile_id == mentor.mentor_profile_id)
    if db.execute(count).scalar_one() >= MAX_FEEDS:
        raise Conflict(
            f"You already have {MAX_FEEDS} outside calendars; remove one of them first.", code="calendar_feed_limit"
        )
    use_quota(db, _ADDED, mentor.mentor_profile_id)
    scheduled = CalendarFeedScheduled(
        actor=actor.name,
        occurred_at=now,
        calendar_feed_id=uuid7(),
        mentor_profile_id=mentor.mentor_profile_id,
        fetch_at=now,
    )
    destination = read_address(address, allowed)
    values = {
        "id": scheduled.calendar_feed_id,
        "mentor_profile_id": mentor.mentor_profile_id,
        "name": name,
        "sealed_url": seal(address),
        "url_digest": hashlib.sha256(mentor.mentor_profile_id.bytes + address.encode()).digest(),
        "origin": f"{destination.scheme}://{destination.authority}",
        "scheduled_by": scheduled.id,
        "next_fetch_at": now,
        # What has never been read cannot be relied on.
        "stale_at": now,
    }
    with constraint_errors():
        db.execute(insert(calendar_feeds).values(values))
    record(db, scheduled)
    # Until it has been read, it may keep the mentor from being booked.
    if refuses_stale_calendars(db, mentor.mentor_profile_id):
        raise_version(db, mentor.mentor_profile_id, changed="calendars", actor=actor, now=now)
    return CalendarFeed.of(db.execute(feed_query(mentor.mentor_profile_id, scheduled.calendar_feed_id)).one())


def remove_feed(db: Connection, *, actor: Actor, feed: CalendarFeed, now: datetime) -> None:
    """Remove an outside calendar, and free its times; removed twice at once, it is removed once.

    Raises:
        Forbidden: another mentor's calendar.
    """
    require_mentor(actor, feed)
    lock_calendar(db, feed.mentor_profile_id)
    of_feed = (outside_busy.c.mentor_profile_id == feed.mentor_profile_id, outside_busy.c.calendar_feed_id == feed.id)
    freed = db.execute(delete(outside_busy).where(*of_feed)).rowcount
    removed = db.execute(delete(calendar_feeds).where(calendar_feeds.c.id == feed.id)).rowcount
    if removed and (freed or refuses_stale_calendars(db, feed.mentor_profile_id)):
        raise_version(db, feed.mentor_profile_id, changed="calendars", actor=actor, now=now)


def refuses_stale_calendars(db: Connection, mentor_profile_id: UUID) -> bool:
    """Whether the mentor's rules refuse bookings while an outside calendar is stale."""
    return db.scalar(_REFUSES_STALE, {"mentor_profile_id": mentor_profile_id}) is not None


def _checked(url: str, allowed: Sequence[Network]) -> str:
    try:
        return checked_address(_WEBCAL.sub("https://", url), allowed)
    except Invalid as error:
        raise Invalid("This is no address that a calendar can be read from.", details=error.details) from error
