"""The number of seats of a group session, which its mentor raises, or lowers to no less than what is taken."""

from datetime import datetime

from sqlalchemy import Connection

from models.base import sql
from workflows.events.event_types import GroupSessionChanged, GroupSessionFull
from workflows.events.record import record
from workflows.groups.place import read_group
from workflows.groups.records import Group
from workflows.groups.waitlist import offer_seats
from workflows.identity.access import require_mentor_or_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, InvalidTransition, Stale
from workflows.kernel.operator_policy import OperatorPolicy

_CHANGE = sql("""
UPDATE group_sessions SET capacity = :capacity
WHERE booking_id = :booking_id AND cancelled_at IS NULL
  AND seats_taken + seats_offered <= CAST(:capacity AS integer)
  AND (CAST(:any_version AS boolean) OR version = :version)
RETURNING booking_id
""")
# However early it was started.
_HAS_STARTED = sql("SELECT EXISTS (SELECT FROM sessions WHERE booking_id = :booking_id AND status <> 'scheduled')")


def change_capacity(
    db: Connection,
    *,
    actor: Actor,
    group: Group,
    capacity: int,
    now: datetime,
    policy: OperatorPolicy,
    any_version: bool = False,
) -> Group:
    """Change the number of seats of a group session that has not begun, and return it as it stands then.

    New seats are offered to the waiting list first.

    Args:
        group: as the caller saw it.
        policy: how long a seat is kept for a person to whom it is offered, and whether mentees may overlap.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: another mentor's group.
        InvalidTransition: it has begun or is cancelled.
        Conflict: `group_full`, when more seats are taken or offered than there would be.
        Stale: it has changed since `group` was read.
    """
    require_mentor_or_operator(actor, group)
    _require_open(db, group, now)
    values = {"booking_id": group.id, "capacity": capacity, "version": group.version, "any_version": any_version}
    changed = db.execute(_CHANGE, values).one_or_none() is not None
    present = Group.of(db.execute(Group.by_id(group.id)).one())
    if changed:
        offer_seats(db, group=present, now=now, policy=policy)
        full = [GroupSessionFull.about(present, actor=actor, now=now)] if present.full and not group.full else []
        record(db, GroupSessionChanged.about(present, actor=actor, now=now), *full)
        return read_group(db, group.id)
    _require_open(db, present, now)
    if not any_version and present.version != group.version:
        raise Stale("group session")
    held = present.seats_taken + present.seats_offered
    raise Conflict(
        f"{held} seats of this group session are taken or offered; choose at least as many.", code="group_full"
    )


def _require_open(db: Connection, group: Group, now: datetime) -> None:
    if group.cancelled_at is not None:
        raise InvalidTransition("This group session is cancelled; its seats can no longer be changed.")
    if group.start_time <= now or db.scalar(_HAS_STARTED, {"booking_id": group.id}):
        raise InvalidTransition("This group session has begun; its seats can no longer be changed.")
