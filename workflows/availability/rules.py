"""Booking rules of a mentor: the step of the offer, how far ahead, how many sessions a day and a week."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from models.availability import MAX_HORIZON_DAYS, booking_rules
from models.people import mentor_profiles
from workflows.availability.changes import raise_version
from workflows.identity.access import require_mentor
from workflows.identity.actor import Actor
from workflows.kernel.errors import Stale
from workflows.kernel.locks import lock_calendar
from workflows.kernel.records import Record

DEFAULT_STEP_MINUTES = 15
# How far ahead anything can be booked.
MAX_LEAD_TIME = timedelta(days=MAX_HORIZON_DAYS)


@dataclass(frozen=True, kw_only=True)
class BookingRules(Record):
    """The limits within which a mentor can be booked; None is no limit. Days and ISO weeks are of the mentor's zone."""

    table = booking_rules

    step_minutes: int = DEFAULT_STEP_MINUTES  # how far apart the times on offer are; other times can be booked too
    horizon_days: int | None = None  # how far ahead a session may start; None for five years
    max_per_day: int | None = None
    max_per_week: int | None = None
    max_per_mentee_per_day: int | None = None
    max_per_mentee_per_week: int | None = None
    stale_calendars: str = "ignore"  # `ignore`, or `refuse` bookings while an outside calendar cannot be read

    @property
    def horizon(self) -> timedelta:
        """How far ahead a session may start."""
        return MAX_LEAD_TIME if self.horizon_days is None else timedelta(days=self.horizon_days)

    @property
    def has_limits(self) -> bool:
        """Whether anything limits how many sessions there may be."""
        return any((self.max_per_day, self.max_per_week, self.max_per_mentee_per_day, self.max_per_mentee_per_week))


DEFAULT_RULES = BookingRules()


@dataclass(frozen=True, kw_only=True)
class RulesOfMentor(BookingRules):
    """A mentor's present rules; `version` is 0 for a mentor who has never set any."""

    mentor_profile_id: UUID
    version: int

    @classmethod
    def query(cls) -> Select[Any]:
        of_default = {**asdict(DEFAULT_RULES), "version": 0}
        return select(
            mentor_profiles.c.id.label("mentor_profile_id"),
            *(func.coalesce(booking_rules.c[name], usual).label(name) for name, usual in of_default.items()),
        ).join_from(mentor_profiles, booking_rules, isouter=True)


def rules_query(mentor_profile_id: UUID) -> Select[Any]:
    """The rules of the mentor of that id; without any, the defaults."""
    return RulesOfMentor.query().where(mentor_profiles.c.id == mentor_profile_id)


def set_rules(
    db: Connection, *, actor: Actor, seen: RulesOfMentor, rules: BookingRules, now: datetime, any_version: bool = False
) -> RulesOfMentor:
    """Replace a mentor's rules; existing bookings and requests stay. Equal rules change nothing.

    Args:
        seen: the rules as the caller saw them.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: another mentor's rules.
        Stale: they have changed since they were read.
    """
    require_mentor(actor, seen)
    lock_calendar(db, seen.mentor_profile_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    before = RulesOfMentor.of(db.execute(rules_query(seen.mentor_profile_id)).one())
    if not any_version and before.version != seen.version:
        raise Stale("rules")
    wanted = asdict(rules)
    if replace(before, **wanted) == before:
        return before
    new = insert(booking_rules).values(mentor_profile_id=before.mentor_profile_id, **wanted)
    kept = new.on_conflict_do_update(index_elements=["mentor_profile_id"], set_=wanted)
    version = db.execute(kept.returning(booking_rules.c.version)).scalar_one()
    raise_version(db, before.mentor_profile_id, changed="rules", actor=actor, now=now)
    return replace(before, **wanted, version=version)
