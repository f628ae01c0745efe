"""Committed changes in their order, for live streams: what to read after a position, and the snapshots they build on.

A position is `(xid, sequence)` of an event. Only events below the oldest running transaction are read, so that none is
committed later with a smaller position; `sequence` alone would miss such events. Transaction ids are those of one
cluster: a database that was restored in another one begins a new history, without the events that it brought along.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Connection, Integer, Row, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, sql
from models.calendar import person_busy
from workflows.events.event import Event
from workflows.events.event_types import event_types
from workflows.identity.actor import Actor
from workflows.sessions.records import SHOWN_WITH_SESSION, Session

Position = tuple[int, int]
BUSY_AHEAD = timedelta(days=92)
MAX_OPEN_SESSIONS = 500
LAST_SEQUENCE = 2**63 - 1
# By one page of events, so that it costs no more for types that are rare.
MAX_EVENTS_READ = 10_000

# By type, the effect on the calendars of its people or on a mentor's hours.
CALENDAR = {
    "booking.accepted": "busy",
    "booking.awaiting_payment": "busy",
    "booking.time_freed": "free",
    "session.imported": "busy",
    "session.rescheduled": "busy",
    "session.time_freed": "free",
    "seat.joined": "busy",
    "seat.left": "free",
    "calendar.taken": "busy",
    "session.cancelled": "free",
    "calendar.freed": "free",
    "availability.changed": "hours",
}
SESSIONS = (
    *("session.created", "session.started", "session.completed", "session.cancelled", "seat.joined"),
    *("session.rescheduled", "session.reschedule_proposed", "session.reschedule_ended"),
)
WAITLIST = ("waitlist.offered", "waitlist.dropped")
# Changes of the seats of a group session, or of its waiting list.
SEATS = ("seat.joined", "seat.left", "group_session.changed", *WAITLIST)
TYPES = tuple(dict.fromkeys((*CALENDAR, *SESSIONS, *SEATS)))

_CHANGES = """
SELECT CAST(CAST(e.xid AS text) AS bigint) AS xid, e.sequence, e.type, e.created_at,
       CAST(e.data ->> 'mentor_profile_id' AS uuid) AS mentor_profile_id,
       coalesce(CAST(e.data ->> 'session_id' AS uuid), b.session_id) AS session_id,
       CAST(e.data ->> 'booking_id' AS uuid) AS booking_id,
       CAST(e.data ->> 'start_time' AS timestamptz) AS start_time,
       CAST(e.data ->> 'end_time' AS timestamptz) AS end_time,
       coalesce(b.buffer_before_minutes, 0) AS buffer_before_minutes, coalesce(b.buffer_minutes, 0) AS buffer_minutes,
       mentees.ids AS mentee_user_ids,
       ARRAY(SELECT m.id FROM mentor_profiles m WHERE m.user_id = ANY(mentees.ids)) AS mentees_profile_ids
FROM events e LEFT JOIN bookings b ON b.id = CAST(e.data ->> 'booking_id' AS uuid)
CROSS JOIN LATERAL (
    SELECT CASE WHEN e.data ? 'user_id' THEN ARRAY[CAST(e.data ->> 'user_id' AS uuid)]
        WHEN b.kind = 'group' THEN ARRAY(SELECT p.user_id FROM booking_participants p WHERE p.booking_id = b.id)
        WHEN b.id IS NOT NULL THEN ARRAY[b.mentee_user_id]
        ELSE ARRAY[]::uuid[] END AS ids
) AS mentees
WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot()) AND e.sequence > :older AND e.type = ANY(:types) {where}
ORDER BY e.xid {direction}, e.sequence {direction}
LIMIT :limit
"""
_TYPES: dict[str, Any] = {
    "xid": BigInteger(),
    "sequence": BigInteger(),
    "type": Text(),
    "created_at": Timestamp,
    "mentor_profile_id": Uuid(),
    "session_id": Uuid(),
    "booking_id": Uuid(),
    "start_time": Timestamp,
    "end_time": Timestamp,
    "buffer_before_minutes": Integer(),
    "buffer_minutes": Integer(),
    "mentee_user_ids": ARRAY(Uuid()),
    "mentees_profile_ids": ARRAY(Uuid()),
}
_AFTER = sql(_CHANGES.format(where="AND (e.xid, e.sequence) > (CAST(:xid AS xid8), :sequence)", direction="")).columns(
    **_TYPES
)
_NEXT_EVENTS = """
FROM events WHERE xid < CAST(:horizon AS xid8) AND sequence > :older
  AND (xid, sequence) > (CAST(:xid AS xid8), :sequence)
ORDER BY events.xid, sequence
"""
EVENTS_AFTER = sql(f"""
SELECT CAST(CAST(xid AS text) AS bigint) AS xid, id, type, actor, sequence, data, occurred_at
FROM (SELECT * {_NEXT_EVENTS} LIMIT :max_read) AS next
WHERE type = ANY(:types) ORDER BY next.xid, sequence LIMIT :limit
""").columns(xid=BigInteger(), id=Uuid(), occurred_at=Timestamp, data=JSONB())
LAST_EVENT_READ = sql(
    f"SELECT CAST(CAST(xid AS text) AS bigint) AS xid, sequence {_NEXT_EVENTS} OFFSET :max_read - 1 LIMIT 1"
)
_LATEST = sql(_CHANGES.format(where="", direction="DESC")).columns(**_TYPES)
_SNAPSHOT = sql("""
SELECT CAST(CAST(pg_snapshot_xmin(s) AS text) AS bigint) AS xmin,
       CAST(CAST(pg_snapshot_xmax(s) AS text) AS bigint) AS xmax,
       ARRAY(SELECT CAST(CAST(x AS text) AS bigint) FROM pg_snapshot_xip(s) AS x) AS running
FROM pg_current_snapshot() AS s
""")
# A server that recovers to an earlier moment, or takes over from another one, begins a new timeline.
_PRESENT = sql("""
SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS horizon,
       system_identifier AS cluster,
       CAST((SELECT oid FROM pg_database WHERE datname = current_database()) AS bigint) AS database,
       CASE WHEN pg_is_in_recovery() THEN (SELECT lpad(to_hex(timeline_id), 8, '0') FROM pg_control_checkpoint())
            ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline,
       number, CASE WHEN is_here THEN events_up_to END AS events_up_to
FROM pg_control_system() AS s LEFT JOIN LATERAL (
    SELECT number, c.system_identifier = s.system_identifier AS is_here, events_up_to
    FROM clusters c ORDER BY number DESC LIMIT 1
) AS latest ON true
""")
_IS_SETTLED = sql(
    "SELECT coalesce((SELECT c.system_identifier = s.system_identifier FROM clusters c ORDER BY c.number DESC LIMIT 1),"
    " false) FROM pg_control_system() AS s"
)
_SETTLE = sql("""
INSERT INTO clusters (number, system_identifier, events_up_to)
SELECT coalesce((SELECT max(number) FROM clusters), 0) + 1, s.system_identifier,
       coalesce(pg_sequence_last_value('events_sequence_seq'), 0)
FROM pg_control_system() AS s
RETURNING number
""")
BUSY_TIMES = sql("""
SELECT busy FROM person_busy
WHERE user_id = (SELECT user_id FROM mentor_profiles WHERE id = :mentor_profile_id)
  AND busy && tstzrange(:now, :until)
  AND (expires_at IS NULL OR expires_at > :now)
UNION ALL
SELECT tstzrange(start_time, end_time) FROM time_off
WHERE mentor_profile_id = :mentor_profile_id AND end_time > :now AND start_time < :until
UNION ALL
SELECT busy FROM outside_busy WHERE mentor_profile_id = :mentor_profile_id AND busy && tstzrange(:now, :until)
ORDER BY 1
""").columns(person_busy.c.busy)
_SEATS = sql(
    "SELECT booking_id, capacity, seats_taken, seats_offered, seats_taken + seats_offered >= capacity AS is_full"
    " FROM group_sessions WHERE booking_id = ANY(:booking_ids)"
).columns(booking_id=Uuid())
_BESIDE = ", ".join(f"{column.element} AS {column.name}" for column in SHOWN_WITH_SESSION)
OPEN_SESSIONS = sql(f"""
SELECT *, {_BESIDE} FROM (
    SELECT {Session.names(of="s")} FROM sessions s
    WHERE s.mentee_user_id = :user_id AND s.status IN ('scheduled', 'in_progress')
    UNION ALL
    SELECT {Session.names(of="s")} FROM booking_participants p JOIN sessions s ON s.booking_id = p.booking_id
    WHERE p.user_id = :user_id AND p.seat_id IS NOT NULL AND s.status IN ('scheduled', 'in_progress')
    UNION ALL
    SELECT {Session.names(of="s")} FROM sessions s
    WHERE s.mentor_profile_id = :mentor_profile_id AND s.status IN ('scheduled', 'in_progress')
) AS sessions
ORDER BY start_time, id LIMIT :limit
""").columns(*Session.columns(), *SHOWN_WITH_SESSION)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One committed change. Times are in UTC; None without a time, a session or a booking."""

    xid: int
    sequence: int
    type: str
    created_at: datetime
    mentor_profile_id: UUID
    session_id: UUID | None
    booking_id: UUID | None
    start_time: datetime | None
    end_time: datetime | None
    buffer_before_minutes: int  # of the booking, which take the time of its mentor too, as those after it
    buffer_minutes: int
    mentee_user_ids: tuple[UUID, ...]  # the mentees whom it concerns, all of a group
    mentees_profile_ids: tuple[UUID, ...]  # the mentor profiles of those mentees who have one

    @property
    def position(self) -> Position:
        return self.xid, self.sequence

    @property
    def concerned(self) -> set[UUID]:
        """The mentor, the mentees, and the mentor profiles of mentees."""
        return {self.mentor_profile_id, *self.mentee_user_ids, *self.mentees_profile_ids}

    def time_of(self, mentor_profile_id: UUID) -> tuple[datetime, datetime] | None:
        """From when to when it takes or frees a mentor's time, as mentor or mentee; None where it is about no time."""
        if self.start_time is None or self.end_time is None:
            return None
        if mentor_profile_id in self.mentees_profile_ids:
            return self.start_time, self.end_time
        before, after = timedelta(minutes=self.buffer_before_minutes), timedelta(minutes=self.buffer_minutes)
        return self.start_time - before, self.end_time + after


class OtherCluster(Exception):
    """The database came from another cluster, and `tutelage migrate` has not run since."""

    def __init__(self) -> None:
        super().__init__("The database was restored from another cluster of PostgreSQL: run tutelage migrate.")


@dataclass(frozen=True)
class History:
    """The order of changes that positions belong to: of one database in a cluster, on one timeline."""

    name: str  # 8 hexadecimal digits
    older: int  # the last `sequence` of the events that came from another cluster


@dataclass(frozen=True)
class Present:
    """The present history, and the oldest transaction that still runs: nothing below it will be committed."""

    history: History
    horizon: int


@dataclass(frozen=True)
class EventsPage:
    """Events in the order of their commits."""

    events: list[Event]
    position: Position  # to go on from
    has_more: bool  # whether there may be more by now


@dataclass(frozen=True)
class Snapshot:
    """Which transactions a reader has seen: those below `xmin`, and those below `xmax` that were not running."""

    xmin: int
    xmax: int
    running: frozenset[int]

    def has(self, change: Change) -> bool:
        """Whether a change is part of what was read."""
        return change.xid < self.xmax and change.xid not in self.running


def changes_after(db: Connection, history: History, position: Position, limit: int) -> list[Change]:
    """The committed changes of a history after a position, in their order."""
    values = {"older": history.older, "types": list(TYPES), "limit": limit}
    rows = db.execute(_AFTER, {"xid": str(position[0]), "sequence": position[1], **values})
    return [_change(row) for row in rows]


def events_after(
    db: Connection,
    present: Present,
    position: Position,
    types: Sequence[str],
    limit: int,
    *,
    max_read: int = MAX_EVENTS_READ,
) -> EventsPage:
    """The committed events of these types after a position, in their order.

    Args:
        present: read before, so that all below its horizon is among the events.
    """
    values = {
        "older": present.history.older,
        "horizon": str(present.horizon),
        "xid": str(position[0]),
        "sequence": position[1],
        "max_read": max_read,
    }
    rows = db.execute(EVENTS_AFTER, {**values, "types": list(types), "limit": limit}).all()
    last = rows[-1] if len(rows) == limit else db.execute(LAST_EVENT_READ, values).one_or_none()
    events = [
        event_types()[row.type].read(
            id=row.id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
        )
        for row in rows
    ]
    if last is not None:
        return EventsPage(events, (last.xid, last.sequence), has_more=True)
    # Below the horizon nothing is left, of whatever type.
    return EventsPage(events, max(position, (present.horizon - 1, LAST_SEQUENCE)), has_more=False)


def latest_changes(db: Connection, history: History, limit: int) -> list[Change]:
    """The last committed changes of a history, in their order."""
    rows = db.execute(_LATEST, {"older": history.older, "types": list(TYPES), "limit": limit})
    return [_change(row) for row in rows][::-1]


def present_of(db: Connection) -> Present:
    """The present place in the order of changes; raises OtherCluster where it is unknown which events are older."""
    row = db.execute(_PRESENT).one()
    if row.events_up_to is None:
        raise OtherCluster
    place = f"{row.cluster}/{row.database}/{row.timeline}/{row.number}"
    name = sha256(place.encode()).hexdigest()[:8]
    return Present(History(name, row.events_up_to), row.horizon)


def snapshot_of(db: Connection) -> Snapshot:
    """The snapshot of this transaction, if its isolation is REPEATABLE READ."""
    row = db.execute(_SNAPSHOT).one()
    return Snapshot(row.xmin, row.xmax, frozenset(row.running))


def is_settled(db: Connection) -> bool:
    """Whether it is known which events were written in this cluster."""
    return bool(db.scalar(_IS_SETTLED))


def settle(db: Connection) -> int | None:
    """Note which events were written in another cluster; returns how many clusters there were, or None."""
    if is_settled(db):
        return None
    # Whatever has a number by then is committed.
    db.execute(sql("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE"))
    return int(db.scalar(_SETTLE) or 0)


def busy_times(db: Connection, mentor_profile_id: UUID, *, now: datetime) -> list[tuple[datetime, datetime]]:
    """When a mentor is busy within the next 92 days, in UTC and by start; never with whom or why."""
    values = {"mentor_profile_id": mentor_profile_id, "now": now, "until": now + BUSY_AHEAD}
    return [(row.busy.lower, row.busy.upper) for row in db.execute(BUSY_TIMES, values)]


def open_sessions(db: Connection, actor: Actor) -> Sequence[Session]:
    """The caller's sessions that are scheduled or in progress, as mentee, participant and mentor, the soonest first."""
    values = {"user_id": actor.user_id, "mentor_profile_id": actor.mentor_profile_id, "limit": MAX_OPEN_SESSIONS}
    return [Session.of(row) for row in db.execute(OPEN_SESSIONS, values)]


def seats_of(db: Connection, booking_ids: Iterable[UUID | None]) -> dict[UUID, Row[Any]]:
    """The seats of group sessions as they stand now, by the ids of their bookings."""
    rows = db.execute(_SEATS, {"booking_ids": [each for each in booking_ids if each]})
    return {row.booking_id: row for row in rows}


def _change(row: Row[Any]) -> Change:
    ids = {name: tuple(row._mapping[name]) for name in ("mentee_user_ids", "mentees_profile_ids")}
    return Change(**{**row._mapping, **ids})
