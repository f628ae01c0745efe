"""Looking for violations all the time, at a cost that does not grow with history.

What changed is looked at twice, when it has settled and once more when the last of its effects should be done; what was
found is remembered and looked at again until it is mended; and the whole is looked through once a day, in pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Row, text

from workflows.cursors import FIRST_ID, LAST_ID, Cursor, move_cursor, take_cursor
from workflows.invariants import (
    SAMPLE,
    About,
    Finding,
    Violation,
    check_part,
    check_state,
    finding_of,
    names,
    queries,
)

# How old a change is when it is looked at. The first leaves time for transactions that began before it and commit late.
LOOKS_AFTER = (timedelta(minutes=2), timedelta(hours=1))
CHANGES_PAGE = 500
KNOWN_PAGE = 500
WHOLE_PAGES = {About.BOOKINGS: 500, About.MENTORS: 20}
WHOLE_EVERY = timedelta(days=1)
QUARTER_SETTLES_AFTER = timedelta(minutes=5)
# What differs over days is expensive to look at again, and is known already.
DAYS_AGAIN_AFTER = timedelta(hours=1)
# A mentor's rating is added up from all reviews: of those with more it is checked by the daily look alone.
MAX_REVIEWS_ADDED_UP = 1_000

_COUNTS = "daily_count_differs"
_DAYS = "days"
_QUARTER = timedelta(minutes=15)
_DAYS_TIMEOUT = "5min"

_CHANGED = """
SELECT id, updated_at, {about} AS about FROM {table}
WHERE (updated_at, id) > (:moment, :id) AND updated_at <= now() - CAST(:age AS interval)
ORDER BY updated_at, id LIMIT :page
"""
_CHANGED_IN = {
    "bookings": (About.BOOKINGS, text(_CHANGED.format(table="bookings", about="id"))),
    "sessions": (About.BOOKINGS, text(_CHANGED.format(table="sessions", about="booking_id"))),
    "reviews": (About.MENTORS, text(_CHANGED.format(table="reviews", about="mentor_profile_id"))),
}
_WITH_FEW_REVIEWS = text("SELECT id FROM mentor_profiles WHERE id = ANY(:ids) AND review_count <= :most")
_WHOLE = {
    About.BOOKINGS: text("SELECT id FROM bookings WHERE id > :id ORDER BY id LIMIT :page"),
    About.MENTORS: text("SELECT id FROM mentor_profiles WHERE id > :id ORDER BY id LIMIT :page"),
}
_KNOWN = text(
    """
SELECT invariant, about FROM violations
WHERE about <> :days OR looked_at < now() - CAST(:days_after AS interval)
ORDER BY looked_at LIMIT :page
"""
)
_FORGET = text(
    """
DELETE FROM violations WHERE invariant = :name AND about = ANY(:asked) AND NOT subject = ANY(:subjects)
"""
)
_REMEMBER = text(
    """
INSERT INTO violations (invariant, subject, about)
SELECT :name, found.subject, found.about
FROM unnest(CAST(:subjects AS text[]), CAST(:abouts AS text[])) AS found(subject, about)
ON CONFLICT (invariant, subject) DO UPDATE SET about = excluded.about, looked_at = now()
"""
)
_REMEMBERED = text(
    f"""
SELECT invariant, count(*) AS violations, (array_agg(subject ORDER BY created_at, subject))[1:{SAMPLE}] AS sample
FROM violations GROUP BY invariant
"""
)
_BETWEEN = text(
    "SELECT set_config('tutelage.recount_since', CAST(:since AS text), true),"
    " set_config('tutelage.recount_until', CAST(:until AS text), true)"
)
_DAYS_AT_LEISURE = text(
    "SELECT set_config('tutelage.recount_since', '', true), set_config('tutelage.recount_until', '', true),"
    f" set_config('statement_timeout', '{_DAYS_TIMEOUT}', true)"
)


def findings(db: Connection) -> list[Finding]:
    """What is violated as far as is known, of every invariant; and what is dead or overdue, as it is now."""
    remembered = {row.invariant: row for row in db.execute(_REMEMBERED)}
    states = {name: check_state(db, name) for name in names(About.STATE)}
    return [
        finding_of(name, states[name]) if name in states else _remembered(name, remembered.get(name))
        for name in queries()
    ]


def look_at_changes(db: Connection) -> bool:
    """Look at a page of the bookings, sessions and reviews that changed, by each of the ages at which that is done.

    Returns:
        Whether one of the pages was full, so that there may be more.
    """
    more, now = False, _now(db)
    for age in LOOKS_AFTER:
        asked: defaultdict[About, set[UUID]] = defaultdict(set)
        for table, (about, query) in _CHANGED_IN.items():
            name = f"changed {table}, {age} ago"
            if (cursor := take_cursor(db, name, begin=now - age)) is None:
                continue
            position = {"moment": cursor.moment, "id": cursor.id, "age": age, "page": CHANGES_PAGE}
            rows = db.execute(query, position).all()
            if rows:
                move_cursor(db, name, rows[-1].updated_at, rows[-1].id)
            asked[about] |= {row.about for row in rows}
            more = more or len(rows) == CHANGES_PAGE
        _look_at_bookings(db, asked[About.BOOKINGS])
        _look_at_ratings(db, asked[About.MENTORS])
    return more


def look_at_quarter(db: Connection, *, now: datetime) -> bool:
    """Recount the next quarter of an hour that has settled, if there is one; returns whether there may be another."""
    name = "counted quarters of an hour"
    if (cursor := take_cursor(db, name, begin=now - QUARTER_SETTLES_AFTER)) is None:
        return False
    since = _quarter_of(cursor.moment)
    until = since + _QUARTER
    if until > now - QUARTER_SETTLES_AFTER:
        return False
    _recount(db, since)
    move_cursor(db, name, until, cursor.id)
    return until + _QUARTER <= now - QUARTER_SETTLES_AFTER


def look_again(db: Connection) -> bool:
    """Look again at what was found before, that which was looked at longest ago first; never asks for another batch."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for row in db.execute(_KNOWN, {"days": _DAYS, "days_after": DAYS_AGAIN_AFTER, "page": KNOWN_PAGE}):
        known[row.invariant].add(row.about)
    for name, abouts in known.items():
        if name not in queries():
            _remember(db, name, abouts, [])
        elif name == _COUNTS:
            _recount_again(db, abouts)
        else:
            # A row that belonged to no booking cannot be asked about: the next look at the whole finds it again.
            ids = [UUID(about) for about in abouts if about != "None"]
            _remember(db, name, abouts, check_part(db, name, ids))
    return False


def look_through(db: Connection) -> bool:
    """Look at the next page of everything, unless everything has been looked at today; whether there is more to do."""
    for about, page in WHOLE_PAGES.items():
        name = f"whole of {about.value}"
        if (cursor := _cursor_of_today(db, name)) is None:
            continue
        ids = list(db.scalars(_WHOLE[about], {"id": cursor.id, "page": page}))
        for invariant in names(about) if ids else ():
            _remember(db, invariant, map(str, ids), check_part(db, invariant, ids))
        move_cursor(db, name, cursor.moment, ids[-1] if len(ids) == page else LAST_ID)
        return True
    if (cursor := _cursor_of_today(db, f"whole of {_DAYS}")) is None:
        return False
    _recount_days(db)
    move_cursor(db, f"whole of {_DAYS}", cursor.moment, LAST_ID)
    return False


def _look_at_bookings(db: Connection, ids: Collection[UUID]) -> None:
    for name in names(About.BOOKINGS) if ids else ():
        _remember(db, name, map(str, ids), check_part(db, name, ids))


def _look_at_ratings(db: Connection, ids: Collection[UUID]) -> None:
    if ids:
        few = list(db.scalars(_WITH_FEW_REVIEWS, {"ids": list(ids), "most": MAX_REVIEWS_ADDED_UP}))
        name = "rating_differs_from_reviews"
        _remember(db, name, map(str, few), check_part(db, name, few))


def _recount(db: Connection, since: datetime) -> None:
    db.execute(_BETWEEN, {"since": since.isoformat(), "until": (since + _QUARTER).isoformat()})
    about = since.isoformat()
    found = [Violation(str(row.id), about) for row in db.execute(text(queries()[_COUNTS]))]
    _remember(db, _COUNTS, [about], found)


def _recount_days(db: Connection) -> None:
    db.execute(_DAYS_AT_LEISURE)
    found = [Violation(str(row.id), _DAYS) for row in db.execute(text(queries()[_COUNTS]))]
    _remember(db, _COUNTS, [_DAYS], found)


def _recount_again(db: Connection, abouts: Iterable[str]) -> None:
    for about in abouts:
        if about == _DAYS:
            _recount_days(db)
        else:
            _recount(db, datetime.fromisoformat(about))


def _remember(db: Connection, name: str, asked: Iterable[str], found: Collection[Violation]) -> None:
    subjects = [violation.subject for violation in found]
    db.execute(_FORGET, {"name": name, "asked": list(asked), "subjects": subjects})
    if found:
        abouts = [violation.about for violation in found]
        db.execute(_REMEMBER, {"name": name, "subjects": subjects, "abouts": abouts})


def _remembered(name: str, row: Row[tuple[str, int, list[str]]] | None) -> Finding:
    return finding_of(name, row.sample, row.violations) if row else finding_of(name, [])


def _cursor_of_today(db: Connection, name: str) -> Cursor | None:
    """Where to go on with a look at the whole, which begins anew a day after it began; None while there is no need."""
    now = _now(db)
    cursor = take_cursor(db, name, begin=now)
    if cursor is None:
        return None
    if cursor.moment <= now - WHOLE_EVERY:
        return Cursor(now, FIRST_ID)
    return cursor if cursor.id != LAST_ID else None


def _now(db: Connection) -> datetime:
    """By the database's clock, which is the one of every `updated_at`."""
    now: datetime = db.execute(text("SELECT now()")).scalar_one()
    return now


def _quarter_of(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
