"""Continuous checks of the invariants, at a cost that does not grow with history.

A change is checked twice: when it has settled, and when the last of its effects should be done. Violations are
remembered and checked again until they are gone. Everything is checked once a day, in pages.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Row

from models.base import sql
from workflows.invariants import SAMPLE, About, Finding, Violation, check_part, check_state, finding_of, names, queries
from workflows.kernel.cursors import FIRST_ID, LAST_ID, Cursor, move_cursor, take_cursor

# How old a change is when it is looked at. The first leaves time for transactions that began before it and commit late.
LOOKS_AFTER = (timedelta(minutes=2), timedelta(hours=1))
CHANGES_PAGE = 500
KNOWN_PAGE = 500
WHOLE_PAGES = {About.BOOKINGS: 500, About.MENTORS: 20, About.BUNDLES: 100, About.PAYMENTS: 500}
WHOLE_EVERY = timedelta(days=1)
# Checked while a request waits, of each table.
NEWEST_CHANGES = {About.BOOKINGS: 250, About.MENTORS: 10, About.BUNDLES: 50, About.PAYMENTS: 50}
# A mentor's rating is added up from all reviews: of those with more it is checked once a day alone.
MAX_REVIEWS_ADDED_UP = 1_000
# Counted while a request waits: sessions and accepted bookings of a mentor, of whom there are more once a day alone.
MAX_COUNTED = 2_000
_LOOKED_THROUGH = "looked through everything"

_CHANGED = """
SELECT {key} AS id, updated_at, {about} AS about FROM {table}
WHERE (updated_at, {key}) > (:moment, :id) AND updated_at <= now() - CAST(:age AS interval)
ORDER BY updated_at, {key} LIMIT :page
"""
_CHANGING = {
    "bookings": (About.BOOKINGS, "id"),
    "sessions": (About.BOOKINGS, "booking_id"),
    "group_sessions": (About.BOOKINGS, "booking_id"),
    "reviews": (About.MENTORS, "mentor_profile_id"),
    "bundle_purchases": (About.BUNDLES, "id"),
    "payments": (About.PAYMENTS, "id"),
}
# Of all other tables it is `id`.
_KEYS = {"group_sessions": "booking_id"}
NEWEST = {
    about: sql(
        " UNION ".join(
            f"(SELECT {column} AS about FROM {table}"
            f" ORDER BY updated_at DESC, {_KEYS.get(table, 'id')} DESC LIMIT :limit)"
            for table, column in columns.items()
        )
    )
    for about, columns in {
        About.BOOKINGS: {"bookings": "id", "sessions": "booking_id", "group_sessions": "booking_id"},
        About.MENTORS: dict.fromkeys(("bookings", "sessions", "reviews"), "mentor_profile_id"),
        About.BUNDLES: {"bundle_purchases": "id"},
        About.PAYMENTS: {"payments": "id"},
    }.items()
}
_WITH_FEW_REVIEWS = sql("SELECT id FROM mentor_profiles WHERE id = ANY(:ids) AND review_count <= :limit")
_WITH_FEW_SESSIONS = sql("""
SELECT id FROM unnest(CAST(:ids AS uuid[])) AS asked(id)
WHERE (SELECT coalesce(sum(amount), 0) FROM session_counts WHERE mentor_profile_id = asked.id) <= :limit
""")
_WHOLE = {
    About.BOOKINGS: sql("SELECT id FROM bookings WHERE id > :id ORDER BY id LIMIT :page"),
    About.MENTORS: sql("SELECT id FROM mentor_profiles WHERE id > :id ORDER BY id LIMIT :page"),
    About.BUNDLES: sql("SELECT id FROM bundle_purchases WHERE id > :id ORDER BY id LIMIT :page"),
    About.PAYMENTS: sql("SELECT id FROM payments WHERE id > :id ORDER BY id LIMIT :page"),
}
_KNOWN = sql("SELECT invariant, about FROM violations ORDER BY looked_at LIMIT :page")
_FORGET = sql("""
DELETE FROM violations WHERE invariant = :name AND about = ANY(:ids) AND NOT subject = ANY(:subjects)
""")
_REMEMBER = sql("""
INSERT INTO violations (invariant, subject, about)
SELECT :name, found.subject, found.about
FROM unnest(CAST(:subjects AS text[]), CAST(:abouts AS text[])) AS found(subject, about)
ON CONFLICT (invariant, subject) DO UPDATE SET about = excluded.about, looked_at = now()
""")
_REMEMBERED = sql(f"""
SELECT invariant, count(*) AS violations, (array_agg(subject ORDER BY created_at, subject))[1:{SAMPLE}] AS sample
FROM violations WHERE about <> ALL(CAST(:besides AS text[])) GROUP BY invariant
""")
_LOOKED_THROUGH_AT = sql("SELECT max(moment) FROM maintenance_cursors WHERE name = :name")


def findings(db: Connection, *, newest: Mapping[About, int] = {}) -> list[Finding]:
    """The known violations of every invariant, and the deliveries that are dead or overdue now.

    Args:
        newest: how many of the latest changes are checked now, since nothing may have checked them yet.
    """
    asked = {about: list(db.scalars(NEWEST[about], {"limit": limit})) for about, limit in newest.items()}
    if mentors := asked.get(About.MENTORS):
        asked[About.MENTORS] = list(db.scalars(_WITH_FEW_SESSIONS, {"ids": mentors, "limit": MAX_COUNTED}))
    besides = [str(id) for ids in asked.values() for id in ids]
    remembered = {row.invariant: row for row in db.execute(_REMEMBERED, {"besides": besides})}
    fresh = {name: check_state(db, name) for name in names(About.STATE)}
    for about, ids in asked.items():
        for name in names(about) if ids else ():
            fresh[name] = [violation.subject for violation in check_part(db, name, ids)]
    return [_finding(name, remembered.get(name), fresh.get(name, [])) for name in queries()]


def looked_through_at(db: Connection) -> datetime | None:
    """When the latest check of everything began that has come to its end; None before the first."""
    found: datetime | None = db.scalar(_LOOKED_THROUGH_AT, {"name": _LOOKED_THROUGH})
    return found


def _finding(name: str, remembered: Row[tuple[str, int, list[str]]] | None, fresh: list[str]) -> Finding:
    if remembered is None:
        return finding_of(name, fresh)
    return finding_of(name, [*remembered.sample, *fresh], remembered.violations + len(fresh))


def look_at_changes(db: Connection, *, page: int = CHANGES_PAGE) -> bool:
    """Check a page of the changes of each table and age; returns whether one was full, so that there may be more."""
    more, now = False, _now(db)
    for age in LOOKS_AFTER:
        asked: defaultdict[About, set[UUID]] = defaultdict(set)
        for table, (about, column) in _CHANGING.items():
            name = f"changed {table}, {age} ago"
            if (cursor := take_cursor(db, name, begin=now - age)) is None:
                continue
            position = {"moment": cursor.moment, "id": cursor.id, "age": age, "page": page}
            rows = db.execute(
                sql(_CHANGED.format(table=table, about=column, key=_KEYS.get(table, "id"))), position
            ).all()
            if rows:
                move_cursor(db, name, rows[-1].updated_at, rows[-1].id)
            asked[about] |= {row.about for row in rows}
            more = more or len(rows) == page
        _look_at(db, About.BOOKINGS, asked[About.BOOKINGS])
        _look_at(db, About.BUNDLES, asked[About.BUNDLES])
        _look_at(db, About.PAYMENTS, asked[About.PAYMENTS])
        _look_at_ratings(db, asked[About.MENTORS])
    return more


def look_again(db: Connection) -> bool:
    """Check known violations again, the ones checked longest ago first; never asks for another batch."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for row in db.execute(_KNOWN, {"page": KNOWN_PAGE}):
        known[row.invariant].add(row.about)
    for name, abouts in known.items():
        if name not in queries():
            _remember(db, name, abouts, [])
        else:
            _remember(db, name, abouts, check_part(db, name, [UUID(about) for about in abouts]))
    return False


def look_through(db: Connection, *, pages: Mapping[About, int] = WHOLE_PAGES) -> bool:
    """Look at the next page of everything, unless everything has been looked at today; whether there is more to do."""
    for about, page in pages.items():
        name = f"whole of {about.value}"
        if (cursor := _cursor_of_today(db, name)) is None:
            continue
        ids = list(db.scalars(_WHOLE[about], {"id": cursor.id, "page": page}))
        for invariant in names(about) if ids else ():
            _remember(db, invariant, map(str, ids), check_part(db, invariant, ids))
        move_cursor(db, name, cursor.moment, ids[-1] if len(ids) == page else LAST_ID)
        if len(ids) < page and about is list(pages)[-1] and take_cursor(db, _LOOKED_THROUGH, begin=cursor.moment):
            move_cursor(db, _LOOKED_THROUGH, cursor.moment)
        return True
    return False


def _look_at(db: Connection, about: About, ids: Collection[UUID]) -> None:
    for name in names(about) if ids else ():
        _remember(db, name, map(str, ids), check_part(db, name, ids))


def _look_at_ratings(db: Connection, ids: Collection[UUID]) -> None:
    if ids:
        few = list(db.scalars(_WITH_FEW_REVIEWS, {"ids": list(ids), "limit": MAX_REVIEWS_ADDED_UP}))
        name = "rating_differs_from_reviews"
        _remember(db, name, map(str, few), check_part(db, name, few))


def _remember(db: Connection, name: str, ids: Iterable[str], found: Collection[Violation]) -> None:
    subjects = [violation.subject for violation in found]
    db.execute(_FORGET, {"name": name, "ids": list(ids), "subjects": subjects})
    if found:
        abouts = [violation.about for violation in found]
        db.execute(_REMEMBER, {"name": name, "subjects": subjects, "abouts": abouts})


def _cursor_of_today(db: Connection, name: str) -> Cursor | None:
    """The position of the daily check of everything; None while today's is done."""
    now = _now(db)
    cursor = take_cursor(db, name, begin=now)
    if cursor is None:
        return None
    if cursor.moment <= now - WHOLE_EVERY:
        return Cursor(now, FIRST_ID)
    return cursor if cursor.id != LAST_ID else None


def _now(db: Connection) -> datetime:
    """The time by the database's clock, which writes every `updated_at`."""
    now: datetime = db.execute(sql("SELECT now()")).scalar_one()
    return now
