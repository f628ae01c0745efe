"""Say the weekly hours in which one can be booked; what is booked or asked for already stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from itertools import pairwise

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam
from uuid_utils.compat import uuid7

from models.people import mentor_profiles
from workflows.availability.hours import Hours, Span, WeeklyHours, owner_of, weekly_hours_query
from workflows.availability.words import overlap
from workflows.errors import Invalid, Stale
from workflows.events.catalogue import AvailabilityChanged
from workflows.events.record import record
from workflows.identity.actor import Actor

# Hours end when the next ones begin, also where whoever came first is the second to have the lock.
_SAY = text(
    """
WITH ended AS (
    UPDATE weekly_hours SET until = greatest(since, :now)
    WHERE mentor_profile_id = :mentor_profile_id AND until IS NULL
    RETURNING until
),
said AS (
    INSERT INTO weekly_hours (id, mentor_profile_id, revision, time_zone, since)
    SELECT :id, :mentor_profile_id, :revision, :time_zone, coalesce((SELECT until FROM ended), :now)
)
INSERT INTO availability_rules (weekly_hours_id, weekday, opens, closes)
SELECT :id, CAST(span -> 0 AS smallint), CAST(span -> 1 AS smallint), CAST(span -> 2 AS smallint)
FROM jsonb_array_elements(:spans) AS span
"""
).bindparams(bindparam("spans", type_=JSONB))


def set_hours(
    db: Connection,
    *,
    actor: Actor,
    seen: WeeklyHours,
    spans: Sequence[Span],
    time_zone: str | None,
    now: datetime,
    any_version: bool = False,
) -> WeeklyHours:
    """Replace a mentor's hours from now on. The same hours once more change nothing.

    Args:
        seen: the hours as the caller saw them.
        spans: in any order; none at all opens every time.
        time_zone: an IANA name; None for the mentor's own.
        any_version: the caller decided on no version in particular.

    Raises:
        Forbidden: another mentor's hours.
        Invalid: two spans overlap.
        Stale: somebody changed them since they were seen.
    """
    owner_of(actor, seen)
    _none_over_another(spans)
    own = mentor_profiles.c
    # First of all: whoever else says these hours waits.
    lock = select(own.time_zone).where(own.id == seen.mentor_profile_id).with_for_update(key_share=True)
    own_zone = db.execute(lock).scalar_one()
    # In a statement of its own: what is read must be younger than the lock.
    before = WeeklyHours.of(db.execute(weekly_hours_query(seen.mentor_profile_id)).one())
    if not any_version and before.version != seen.version:
        raise Stale("The hours have changed since they were read; read them again.")
    hours = Hours(time_zone or own_zone, tuple(sorted(spans)))
    # Where every time is open, it is so on all clocks.
    if hours == before.hours or not (hours.spans or before.spans):
        return before
    after = WeeklyHours(
        mentor_profile_id=seen.mentor_profile_id,
        time_zone=hours.time_zone,
        version=before.version + 1,
        spans=[[*astuple(span)] for span in hours.spans],
    )
    _say(db, after, now)
    of = after.mentor_profile_id
    record(db, AvailabilityChanged.about(after, actor=actor, now=now, mentor_profile_id=of, changed="hours"))
    return after


def _say(db: Connection, after: WeeklyHours, now: datetime) -> None:
    values = {
        "id": uuid7(),
        "mentor_profile_id": after.mentor_profile_id,
        "revision": after.version,
        "time_zone": after.time_zone,
        "spans": after.spans,
        "now": now,
    }
    db.execute(_SAY, values)


def _none_over_another(spans: Iterable[Span]) -> None:
    reasons = [
        overlap(earlier, later)
        for earlier, later in pairwise(sorted(spans))
        if earlier.weekday == later.weekday and later.opens < earlier.closes
    ]
    if reasons:
        raise Invalid(
            "Hours must not overlap; join them, or let one end where the other begins.", details={"hours": reasons}
        )
