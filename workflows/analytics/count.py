"""Count what happened: the increments of all events of a transaction, merged, and each table written once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from models.analytics import COUNTERS, Transition
from models.base import Timestamp
from workflows.analytics.transitions import bucket_of, milliseconds
from workflows.clock import in_utc
from workflows.events.catalogue import Event, ReviewSubmitted, SessionCompleted

_QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Count:
    """What is to be counted at one moment.

    Args:
        at: when it happened, not when it is counted.
        amounts: how much more, by the counter's name (`models.analytics.COUNTERS`).
    """

    at: datetime
    amounts: dict[str, int]


@dataclass(frozen=True)
class Took:
    """How long a step took that ended at `at`: one more in a bucket of the day in UTC on which it ended."""

    transition: Transition
    at: datetime
    since: datetime


@dataclass(frozen=True)
class History:
    """When each step of a booking and its session was made, in UTC; None for one that was not."""

    requested_at: datetime | None = None
    accepted_at: datetime | None = None
    started_at: datetime | None = None

    @property
    def asked_at(self) -> datetime | None:
        """When the mentee asked; of an instant listing, which is accepted as it is asked for, that very moment."""
        return self.requested_at or self.accepted_at


@dataclass(frozen=True)
class Counted:
    """An event that is to be counted.

    Args:
        facts: what of it is counted, by the event and by what had happened before. Of a review, the event is the
            completion of its session.
        needs_history: whether `facts` asks for what had happened before.
    """

    event: Any
    facts: Callable[[Any, History], Iterable[Count | Took]]
    needs_history: bool


# Events never change, and each of these happens once: whenever it is asked, the answer is the same.
_HISTORIES = text(
    """
SELECT asked.booking_id, asked.session_id, history.*
FROM unnest(CAST(:booking_ids AS uuid[]), CAST(:session_ids AS uuid[])) AS asked(booking_id, session_id)
CROSS JOIN LATERAL (
    SELECT min(e.occurred_at) FILTER (WHERE e.type = 'booking.requested') AS requested_at,
           min(e.occurred_at) FILTER (WHERE e.type = 'booking.accepted') AS accepted_at,
           min(e.occurred_at) FILTER (WHERE e.type = 'session.started') AS started_at
    FROM events e WHERE e.subject_id IN (asked.booking_id, asked.session_id)
) AS history
"""
).columns(booking_id=Uuid(), session_id=Uuid(), requested_at=Timestamp, accepted_at=Timestamp, started_at=Timestamp)
_COMPLETIONS = text(
    """
SELECT DISTINCT ON (e.subject_id) e.subject_id, e.id, e.actor, e.occurred_at, e.sequence, e.data
FROM events e WHERE e.subject_id = ANY(CAST(:session_ids AS uuid[])) AND e.type = 'session.completed'
ORDER BY e.subject_id, e.id
"""
).columns(subject_id=Uuid(), id=Uuid(), occurred_at=Timestamp, data=JSONB())


def _statement(table: str, key: Sequence[str], counters: Sequence[str], types: dict[str, str]) -> TextClause:
    names = [*key, *counters]
    one_more = ", ".join(f"{name} = stats.{name} + excluded.{name}" for name in counters)
    return text(
        f"""
INSERT INTO {table} AS stats ({", ".join(names)})
SELECT {", ".join(names)}
FROM jsonb_to_recordset(:rows) AS counts({", ".join(f"{name} {types.get(name, 'bigint')}" for name in names)})
ORDER BY {", ".join(key)}
ON CONFLICT ({", ".join(key)}) DO UPDATE SET {one_more}
"""
    ).bindparams(bindparam("rows", type_=JSONB))


_TYPES = {
    "day": "date",
    "quarter_hour": "timestamptz",
    "mentor_profile_id": "uuid",
    "course_id": "uuid",
    "transition": "transition",
}
_DAY_KEY = ("day", "mentor_profile_id", "course_id")
_QUARTER_KEY = ("quarter_hour", "mentor_profile_id", "course_id")
_TIME_KEY = (*_DAY_KEY, "transition", "bucket")
_COUNT_DAYS = _statement("daily_session_stats", _DAY_KEY, COUNTERS, _TYPES)
_COUNT_QUARTERS = _statement("quarter_hour_session_stats", _QUARTER_KEY, COUNTERS, _TYPES)
_COUNT_TIMES = _statement("daily_transition_times", _TIME_KEY, ("count", "milliseconds"), _TYPES)


def count_all(db: Connection, items: list[Counted]) -> None:
    """Add what the events amount to to the counters, each table in one statement and in the order of its keys.

    The days come first, then the quarters of an hour, then the times, in every transaction: two of them that meet wait
    for one another, and never in a circle.
    """
    found = list(_with_histories(db, _with_completions(db, items)))
    days: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    quarters: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    times: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: {"count": 0, "milliseconds": 0})
    for item, history in found:
        whose = (item.event.mentor_profile_id, item.event.course_id)
        for fact in item.facts(item.event, history):
            if isinstance(fact, Took):
                took = milliseconds(fact.transition, fact.at - fact.since)
                row = times[(_day(fact.at), *whose, fact.transition, bucket_of(fact.transition, took))]
                row["count"] += 1
                row["milliseconds"] += took
                continue
            for slots, slot in ((days, _day(fact.at)), (quarters, _quarter(fact.at))):
                row = slots[slot, *whose]
                for name, amount in fact.amounts.items():
                    row[name] += amount
    for statement, key, rows in (
        (_COUNT_DAYS, _DAY_KEY, days),
        (_COUNT_QUARTERS, _QUARTER_KEY, quarters),
        (_COUNT_TIMES, _TIME_KEY, times),
    ):
        if rows:
            db.execute(statement, {"rows": [_as_json(key, of, counts) for of, counts in rows.items()]})


def _with_completions(db: Connection, items: list[Counted]) -> Iterator[Counted]:
    """Reviews count with the session that they are of, which is not of their own event."""
    session_ids = [item.event.session_id for item in items if isinstance(item.event, ReviewSubmitted)]
    completed: dict[UUID, Event] = {}
    if session_ids:
        for row in db.execute(_COMPLETIONS, {"session_ids": session_ids}):
            completed[row.subject_id] = SessionCompleted.read(
                id=row.id, actor=row.actor, occurred_at=row.occurred_at, sequence=row.sequence, data=row.data
            )
    for item in items:
        if not isinstance(item.event, ReviewSubmitted):
            yield item
        elif item.event.session_id in completed:
            yield Counted(completed[item.event.session_id], item.facts, item.needs_history)


def _with_histories(db: Connection, items: Iterable[Counted]) -> Iterator[tuple[Counted, History]]:
    items = list(items)
    asked = list({_subjects(item.event) for item in items if item.needs_history})
    histories: dict[tuple[UUID, UUID | None], History] = {}
    if asked:
        ids = {"booking_ids": [each for each, _ in asked], "session_ids": [each for _, each in asked]}
        for row in db.execute(_HISTORIES, ids):
            found = History(row.requested_at, row.accepted_at, row.started_at)
            histories[row.booking_id, row.session_id] = found
    for item in items:
        yield item, histories[_subjects(item.event)] if item.needs_history else History()


def _subjects(event: Any) -> tuple[UUID, UUID | None]:
    return event.booking_id, getattr(event, "session_id", None)


def _day(moment: datetime) -> date:
    return in_utc(moment).date()


def _quarter(moment: datetime) -> datetime:
    return moment - (moment - _EPOCH) % _QUARTER


def _as_json(key: Sequence[str], values: Sequence[Any], counts: dict[str, int]) -> dict[str, Any]:
    return {name: value if value is None else str(value) for name, value in zip(key, values, strict=True)} | counts
