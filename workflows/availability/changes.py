"""How a mentor changes when they can be booked: under the mentor's lock, with a new version of the calendar.

Every change is an event. Webhooks hear of a mentor's first one at once, and of those that follow within half a minute
by one message, of the last of them: fifty endpoints of a mentor who changes hours as fast as requests are answered
would otherwise be sent thousands of messages.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Uuid

from models.base import Timestamp, sql
from workflows.events.event_types import AvailabilityAnnouncementSet, AvailabilityChanged
from workflows.events.record import fan_out, record
from workflows.events.repair import read_event
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.locks import lock_calendar
from workflows.kernel.quotas import DAY, Quota, use_quota

# Between two announcements of one mentor.
ANNOUNCEMENT_PAUSE = timedelta(seconds=30)
# Hours are kept for reports, and events for good: by hand at once, and a share of it every minute and a half.
CHANGES_PER_DAY = 1_000
_CHANGES = Quota(
    "availability.changed",
    CHANGES_PER_DAY,
    DAY,
    "You have changed your availability very many times today; wait before you change it again.",
)
_RAISE = sql(
    "UPDATE mentor_profiles SET calendar_version = calendar_version + 1 WHERE id = :id RETURNING calendar_version"
)
# Whether the last announcement is long enough ago; if not, the change is the latest of those that are held back.
_HOLD_BACK = sql("""
INSERT INTO availability_announcements AS own (mentor_profile_id, announced_at) VALUES (:id, now())
ON CONFLICT (mentor_profile_id) DO UPDATE SET (announced_at, held_back, event_id) = (
    SELECT CASE WHEN free THEN now() ELSE own.announced_at END, CASE WHEN free THEN 0 ELSE own.held_back + 1 END,
           CASE WHEN free THEN NULL ELSE :event_id END
    FROM (SELECT own.announced_at + CAST(:pause AS interval) <= now() AS free) AS pause
)
RETURNING held_back, announced_at + CAST(:pause AS interval) AS announce_at
""").columns(announce_at=Timestamp)
_HELD_BACK = sql(
    "SELECT event_id FROM availability_announcements WHERE mentor_profile_id = :id AND held_back > 0"
).columns(event_id=Uuid())
_ANNOUNCED = sql(
    "UPDATE availability_announcements SET announced_at = now(), held_back = 0, event_id = NULL"
    " WHERE mentor_profile_id = :id"
)


def raise_version(
    db: Connection,
    mentor_profile_id: UUID,
    *,
    changed: str,
    actor: Actor,
    now: datetime,
    counted: bool = True,
    announced: bool = True,
) -> int:
    """Have bookings that read the calendar before read it again, and record `availability.changed`.

    Args:
        changed: `hours`, `dates`, `time_off`, `rules` or `calendars`.
        counted: whether it counts among the changes that a mentor may make within a day.
        announced: whether webhooks hear of it.

    Returns:
        the calendar's new version.

    Raises:
        RateLimited: the mentor has changed the calendar too often within a day.
    """
    version: int = db.execute(_RAISE, {"id": mentor_profile_id}).scalar_one()
    if counted and actor.mentor_profile_id is not None:
        use_quota(db, _CHANGES, mentor_profile_id)
    event = AvailabilityChanged(
        actor=actor.name, occurred_at=now, mentor_profile_id=mentor_profile_id, changed=changed, version=version
    )
    if not announced:
        record(db, event, held_back=True)
        return version
    values = {"id": mentor_profile_id, "event_id": event.id, "pause": ANNOUNCEMENT_PAUSE}
    pause = db.execute(_HOLD_BACK, values).one()
    record(db, event, held_back=pause.held_back > 0)
    if pause.held_back == 1:
        timer = AvailabilityAnnouncementSet(
            actor=SYSTEM.name, occurred_at=now, mentor_profile_id=mentor_profile_id, announce_at=pause.announce_at
        )
        record(db, timer)
    return version


def announce_held_back(db: Connection, mentor_profile_id: UUID) -> None:
    """Have webhooks hear of the last change that was held back, if there is one."""
    # A change that is being made is waited for, and is then among those that are announced.
    lock_calendar(db, mentor_profile_id)
    event_id = db.execute(_HELD_BACK, {"id": mentor_profile_id}).scalar()
    if event_id is None:
        return
    db.execute(_ANNOUNCED, {"id": mentor_profile_id})
    fan_out(db, read_event(db, event_id))
