"""People and offers of an import: users, mentors, courses, products, listings and hours, made or changed by lines.

A line changes the fields that it names, and leaves the others alone.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, any_, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid
from uuid_utils.compat import uuid7

from models.base import sql
from models.catalog import ProductKind, courses, listings, products
from models.people import mentor_profiles, users
from workflows.availability.changes import raise_version
from workflows.availability.hours import Hours, WeeklyHours, replace_hours
from workflows.imports.lines import Line
from workflows.imports.work import CREATED, UNCHANGED, UPDATED, Found, Results, Work, named
from workflows.kernel.errors import Conflict, DomainError, Invalid, NotFound
from workflows.kernel.locks import lock_mentors

Columns = dict[str, Any]
_CAPITAL = re.compile("[A-Z]")
_PROFILES = sql("""
SELECT m.id FROM mentor_profiles m JOIN users u ON u.id = m.user_id
WHERE u.external_id = ANY(CAST(:names AS text[])) OR lower(u.email) = ANY(CAST(:addresses AS text[]))
""")


@dataclass(frozen=True)
class Kind:
    """How lines of one type become rows of a table."""

    table: Table
    # Further values of a line's row: of fields that have no column of the same name.
    others: Callable[[Line, Mapping[str, Found]], Columns] = lambda _line, _found: {}
    fixed: tuple[str, ...] = ()  # columns that no line changes
    # Of a row, what tells that it is meant though it has no external id yet; the column of it, and the refusal where
    # another row has it.
    key: Callable[[Mapping[str, Any]], Any] | None = None
    key_column: ColumnElement[Any] | None = None
    key_taken: Callable[[], Conflict] = Conflict
    # Of a new row, besides the table's own.
    defaults: Callable[[Work, Line, Mapping[str, Found]], Columns] = lambda _work, _line, _found: {}
    # Values of a row that a dry run would make and later lines read, besides its columns.
    shown: Callable[[Line, Mapping[str, Found]], Columns] = lambda _line, _found: {}
    # Takes the locks before.
    prepare: Callable[[Work, Sequence[Line], Mapping[str, Found]], None] = lambda _work, _lines, _found: None


def carry_rows(work: Work, kind: Kind, lines: Sequence[Line]) -> Results:
    """Make or change a row for each line of one type."""
    found = work.references(lines)
    if not work.dry_run:
        kind.prepare(work, lines, found)
    results: Results = {}
    wanted: list[tuple[Line, Columns]] = []
    for line in lines:
        try:
            columns = {**_given(line, kind.table), **kind.others(line, found)}
            wanted.append((line, {"external_id": line.external_id, **columns}))
        except DomainError as refusal:
            results[line.number] = refusal
    by_name, by_key = _existing(work, kind, [columns for _line, columns in wanted])
    new, changed = list[Columns](), list[tuple[Any, Columns]]()
    for line, columns in wanted:
        try:
            row = _row_of(work, kind, columns, by_name, by_key)
            if row is None:
                made = {"id": uuid7(), **kind.defaults(work, line, found), **columns}
                new.append(made)
                work.remember(line, made | kind.shown(line, found))
                results[line.number] = CREATED
                continue
            changes = _changes(kind, row, columns)
            if changes.keys() & set(kind.fixed):
                raise Invalid(f"{', '.join(sorted(changes.keys() & set(kind.fixed)))}: Cannot be changed by an import.")
            if changes:
                changed.append((row, changes))
            results[line.number] = UPDATED if changes else UNCHANGED
        except DomainError as refusal:
            results[line.number] = refusal
    if not work.dry_run:
        _write(work.db, kind, new, changed)
    return results


def _existing(work: Work, kind: Kind, wanted: Sequence[Columns]) -> tuple[Found, dict[Any, Any]]:
    """The rows that are meant, by external id and by key; locked, unless it is a dry run."""
    if not wanted:
        return {}, {}
    names = literal([each["external_id"] for each in wanted], ARRAY(Text))
    condition = kind.table.c.external_id == any_(names)
    if kind.key is not None and kind.key_column is not None:
        keys = [kind.key(each) for each in wanted]
        condition = or_(condition, kind.key_column == any_(literal(keys, ARRAY(kind.key_column.type))))
    query = select(kind.table).where(condition).order_by(kind.table.c.id)
    rows = work.db.execute(query if work.dry_run else query.with_for_update(key_share=True)).all()
    by_key = {kind.key(dict(row._mapping)): row for row in rows} if kind.key is not None else {}
    return {row.external_id: row for row in rows if row.external_id is not None}, by_key


def _row_of(work: Work, kind: Kind, columns: Columns, by_name: Found, by_key: Mapping[Any, Any]) -> Any:
    """The row that a line means; None where it makes one.

    Raises:
        NotFound: the user has deleted their account.
        Conflict: `kind.key_taken`.
    """
    row = by_name.get(columns["external_id"])
    if kind.key is not None:
        key = kind.key(columns)
        owner, here = by_key.get(key), (kind.table.name, key)
        row = row or (owner if owner is not None and owner.external_id is None else None)
        other = owner is not None and (row is None or owner.id != row.id)
        if other or work.unique.setdefault(here, columns["external_id"]) != columns["external_id"]:
            raise kind.key_taken()
    if row is not None and kind.table is users and row.erased_at is not None:
        raise NotFound("The user has deleted their account.")
    return row


def _changes(kind: Kind, row: Any, columns: Columns) -> Columns:
    """What a line changes of a row. Another spelling of its key, such as of a mail address, is no change."""
    changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if kind.key is not None and kind.key(columns) == kind.key(row._mapping):
        return {name: value for name, value in changes.items() if name not in kind.fixed}
    return changes


def _write(db: Connection, kind: Kind, new: Sequence[Columns], changed: Sequence[tuple[Any, Columns]]) -> None:
    """One statement for all rows with the same columns."""
    groups: dict[tuple[str, ...], list[Columns]] = defaultdict(list)
    for row in new:
        groups[tuple(sorted(row))].append(row)
    for rows in groups.values():
        db.execute(insert(kind.table), rows)
    changes: dict[tuple[str, ...], list[Columns]] = defaultdict(list)
    for old, columns in changed:
        values = {f"new_{name}": value for name, value in columns.items()}
        changes[tuple(sorted(columns))].append({"row_id": old.id, **values})
    for names, rows in changes.items():
        statement = update(kind.table).where(kind.table.c.id == bindparam("row_id"))
        db.execute(statement.values({name: bindparam(f"new_{name}") for name in names}), rows)


def _given(line: Line, table: Table) -> Columns:
    """The line's values for the columns of a table, each by the field of its name."""
    given = {_CAPITAL.sub(r"_\g<0>", name).lower(): value for name, value in line.values.items()}
    if "payment" in given:
        given["payment_mode"] = given.pop("payment")
    return {name: value for name, value in given.items() if name in table.c}


def _price(line: Line) -> Columns:
    return dict(zip(("price_amount", "price_currency"), line.values["price"], strict=True))


def _mentor(line: Line, found: Mapping[str, Found]) -> Columns:
    return {"user_id": named(found, "user", line.values["user"]).id}


def _product(line: Line, found: Mapping[str, Found]) -> Columns:
    kind = line.values["kind"]
    if kind is ProductKind.BUNDLE and "sessionCount" not in line.values:
        raise Invalid("sessionCount: Required for a bundle.")
    if kind is not ProductKind.BUNDLE and line.values.get("sessionCount", 1) != 1:
        raise Invalid("sessionCount: Only a bundle has several sessions.")
    if kind is not ProductKind.BUNDLE and line.values.get("validDays") is not None:
        raise Invalid("validDays: Only a bundle has a validity.")
    return {"course_id": named(found, "course", line.values["course"]).id, **_price(line)}


def _listing(line: Line, found: Mapping[str, Found]) -> Columns:
    own = _price(line) | line.values.get("reschedule", {})
    if "cancellation" in line.values:
        policy = line.values["cancellation"]
        own["cancellation_window_hours"] = policy and policy[0]
        own |= {"late_fee_percent": policy[1]} if policy else {}
    if "course" in line.values:
        course = line.values["course"]
        own["course_id"] = course and named(found, "course", course).id
    return {"mentor_profile_id": named(found, "mentor", line.values["mentor"]).id, **own}


def _lock_profiles_of_users(work: Work, lines: Sequence[Line], _found: Mapping[str, Found]) -> None:
    """A change of a name changes the words of the profile, which is locked before its user."""
    names = [line.external_id for line in lines]
    addresses = [line.values["email"].lower() for line in lines]
    profiles = work.db.scalars(_PROFILES, {"names": names, "addresses": addresses}).all()
    lock_mentors(work.db, profiles)


def _lock_mentors_of_listings(work: Work, _lines: Sequence[Line], found: Mapping[str, Found]) -> None:
    lock_mentors(work.db, [each.id for each in found["mentor"].values()])


def _payment_mode(work: Work, _line: Line, _found: Mapping[str, Found]) -> Columns:
    return {"payment_mode": work.policy.payment_default}


USER = Kind(
    users,
    key=lambda columns: columns["email"].lower(),
    key_column=func.lower(users.c.email, type_=Text),
    key_taken=lambda: Conflict(code="email_taken"),
    defaults=lambda work, _line, _found: {"locale": work.policy.default_locale},
    prepare=_lock_profiles_of_users,
    # Whoever reads the mails of an account can act by their links: a stolen key must not turn them elsewhere.
    fixed=("email",),
)
COURSE = Kind(courses)
MENTOR = Kind(
    mentor_profiles,
    _mentor,
    fixed=("user_id",),
    key=lambda columns: columns["user_id"],
    key_column=mentor_profiles.c.user_id,
    key_taken=lambda: Conflict(code="profile_exists"),
    defaults=lambda _work, line, found: {"time_zone": named(found, "user", line.values["user"]).time_zone},
)
PRODUCT = Kind(products, _product, fixed=("course_id", "kind", "session_count"), defaults=_payment_mode)
LISTING = Kind(
    listings,
    _listing,
    fixed=("mentor_profile_id",),
    defaults=_payment_mode,
    prepare=_lock_mentors_of_listings,
    shown=lambda line, found: {"mentor_user_id": named(found, "mentor", line.values["mentor"]).user_id},
)


def carry_hours(work: Work, lines: Sequence[Line]) -> Results:
    """Replace the weekly hours of mentors; equal hours change nothing."""
    found = work.references(lines)
    results: Results = {}
    if not work.dry_run:
        lock_mentors(work.db, [each.id for each in found["mentor"].values()])
    ids = literal([each.id for each in found["mentor"].values()], ARRAY(Uuid))
    query = WeeklyHours.query().where(mentor_profiles.c.id == any_(ids))
    present = {hours.mentor_profile_id: hours for hours in map(WeeklyHours.of, work.db.execute(query))}
    for line in lines:
        try:
            mentor = named(found, "mentor", line.values["mentor"])
        except DomainError as refusal:
            results[line.number] = refusal
            continue
        before = present.get(mentor.id)
        hours = Hours(line.values["timeZone"], line.values["hours"])
        if before is not None and before.version and hours == before.hours:
            results[line.number] = UNCHANGED
            continue
        version = before.version if before is not None else 0
        results[line.number] = UPDATED if version else CREATED
        present[mentor.id] = WeeklyHours.of_hours(hours, mentor.id, version + 1)
        if not work.dry_run:
            replace_hours(work.db, present[mentor.id], work.now)
            raise_version(work.db, mentor.id, changed="hours", actor=work.actor, now=work.now, announced=work.notify)
    return results
