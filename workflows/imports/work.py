"""The state of one transaction of an import: its lines, the rows that they name, and the result of each line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Executable

from models.base import sql
from models.bookings import bookings
from models.catalog import listings
from workflows.identity.actor import Actor
from workflows.imports.lines import TYPES, Line
from workflows.kernel.errors import DomainError, NotFound
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.terms.terms import TERM_NAMES

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
# The result of a line, by its number: one of these words, or its refusal.
Results = dict[int, "str | DomainError"]
Found = dict[str, Any]

_NAMED = "external_id = ANY(CAST(:names AS text[]))"
_TERMS = ", ".join(f"l.{name}" for name in TERM_NAMES)
# Rows that lines refer to, by external id; of people, only existing accounts.
_FIND: dict[str, Executable] = {
    "user": sql(f"SELECT id, external_id, time_zone FROM users WHERE {_NAMED} AND erased_at IS NULL"),
    "course": sql(f"SELECT id, external_id FROM courses WHERE {_NAMED}"),
    "mentor": sql(
        f"SELECT m.id, m.external_id, m.user_id, m.time_zone FROM mentor_profiles m"
        f" JOIN users u ON u.id = m.user_id AND u.erased_at IS NULL WHERE m.{_NAMED}"
    ),
    "product": sql(
        f"SELECT id, external_id, course_id, kind, session_count, duration_minutes, price_amount, price_currency"
        f" FROM products WHERE {_NAMED}"
    ),
    "listing": sql(
        f"SELECT l.id, l.external_id, l.mentor_profile_id, m.user_id AS mentor_user_id, l.course_id,"
        f" l.duration_minutes, {_TERMS} FROM listings l JOIN mentor_profiles m ON m.id = l.mentor_profile_id"
        f" JOIN users u ON u.id = m.user_id AND u.erased_at IS NULL WHERE l.{_NAMED}"
    ).columns(**{name: listings.c[name].type for name in TERM_NAMES}),
    "booking": sql(
        f"SELECT b.id, b.external_id, b.listing_id, b.mentor_profile_id, b.mentee_user_id, b.start_time, b.end_time,"
        f" b.price_amount, b.price_currency, b.payment_mode, b.bundle_purchase_id, b.status, b.reschedule_count,"
        f" s.id AS session_id, s.status AS session_status, s.completed_at, u.erased_at AS mentee_erased_at"
        f" FROM bookings b LEFT JOIN sessions s ON s.booking_id = b.id LEFT JOIN users u ON u.id = b.mentee_user_id"
        f" WHERE b.{_NAMED}"
    ).columns(payment_mode=bookings.c.payment_mode.type),
}
# Defaults of rows that a dry run would make, where a line leaves them out.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "user": {"time_zone": "UTC"},
    "product": {"session_count": 1, "duration_minutes": None},
    "listing": {**dict.fromkeys(TERM_NAMES), "buffer_before_minutes": 0, "buffer_minutes": 0, "course_id": None},
    "booking": {"reschedule_count": 0},
}


@dataclass(frozen=True)
class Part:
    """A time at which a person takes part in a booking, in UTC."""

    booking_id: UUID
    user_id: UUID
    mentor_profile_id: UUID | None  # the person's own, where they are the booking's mentor
    begins: datetime
    ends: datetime
    may_overlap: bool

    def is_beside(self, other: Part) -> bool:
        """Whether the person can have both."""
        apart = self.ends <= other.begins or other.ends <= self.begins
        return apart or (self.may_overlap and other.may_overlap)


@dataclass
class Work:
    """One transaction of an import, or a whole dry run, which writes nothing."""

    db: Connection
    import_id: UUID
    actor: Actor
    notify: bool
    dry_run: bool
    policy: OperatorPolicy
    now: datetime  # UTC
    # Rows that a dry run would have made by now, by type and external id; and whose time would be taken.
    made: dict[str, Found] = field(default_factory=lambda: defaultdict(dict))
    taken: dict[UUID, list[Part]] = field(default_factory=lambda: defaultdict(list))
    # Unique values, such as a mail address, by kind and value: the external id of the line that has it.
    unique: dict[tuple[str, Any], Any] = field(default_factory=dict)

    def find(self, kind: str, names: Iterable[str]) -> Found:
        """What is there of a type by its external ids, or would be there after a dry run."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        rows = {row.external_id: row for row in self.db.execute(_FIND[kind], {"names": wanted})}
        made = self.made[kind]
        return rows | {name: made[name] for name in wanted if name in made}

    def references(self, lines: Sequence[Line]) -> dict[str, Found]:
        """All that these lines of one type refer to, by type."""
        names: dict[str, list[str]] = defaultdict(list)
        for name, described in TYPES[lines[0].type].items():
            if described.refers_to is not None:
                named = (line.values.get(name) for line in lines)
                names[described.refers_to] += [each for each in named if each is not None]
        return {kind: self.find(kind, of_kind) for kind, of_kind in names.items()}

    def remember(self, line: Line, columns: Mapping[str, Any]) -> None:
        """Keep what a dry run would have made, for the lines that refer to it."""
        if self.dry_run and line.external_id is not None:
            self.made[line.type][line.external_id] = SimpleNamespace(**{**_DEFAULTS.get(line.type, {}), **columns})


def named(found: Mapping[str, Found], kind: str, name: str) -> Any:
    """The row that a line refers to. Raises NotFound: there is none."""
    record = found[kind].get(name)
    if record is None:
        raise NotFound(f"There is no {kind} with the external id {name}.")
    return record
