"""Erasure of a person: what their account, their bookings and their notifications hold goes, in pages.

The request that deletes the account erases a page of everything, which is all of most people. `maintain` erases the
rest, and looks at everything once more when what ran beside that request has ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, Uuid

from models import metadata
from models.base import sql
from models.personal import DELETED_ACCOUNT, replacements
from workflows.events import repair
from workflows.kernel.cursors import FIRST_ID, move_cursor, take_cursor
from workflows.notifications.deliveries import FORGET_MAILS_ABOUT_USER, FORGET_MESSAGES_TO_USER

PAGE_ROWS = 500
# In which every transaction has ended that read the account before it was erased.
SETTLED_AFTER = timedelta(minutes=1)
# The version and the time of a booking stay: reports are made of when it was decided.
_KEEP_VERSIONS = sql("SELECT set_config('tutelage.keep_versions', :kept, true)")

_MENTOR = ":mentor_profile_id"
_USER = ":user_id"


def _update(table: str, where: str) -> TextClause:
    """Write what the columns say of themselves, where a row still holds something else."""
    written = replacements(metadata.tables[table])
    assignments = ", ".join(f"{column} = {value}" for column, value in written.items())
    unwritten = " OR ".join(f"{table}.{column} IS DISTINCT FROM {value}" for column, value in written.items())
    return sql(f"UPDATE {table} SET {assignments} WHERE ({where}) AND ({unwritten})")


def _of_mentor(table: str) -> TextClause:
    return _update(table, f"mentor_profile_id = {_MENTOR}")


# The account itself, and what there is little of. In an order in which nothing is deleted that others refer to.
ACCOUNT = (
    _update("users", f"id = {_USER}"),
    FORGET_MAILS_ABOUT_USER,
    sql(f"DELETE FROM email_changes WHERE user_id = {_USER}"),
    sql(f"DELETE FROM calendar_secrets WHERE user_id = {_USER}"),
    sql(f"DELETE FROM push_subscriptions WHERE user_id = {_USER}"),
    sql(f"DELETE FROM notification_preferences WHERE user_id = {_USER}"),
    sql(f"DELETE FROM person_busy WHERE held_by_user_id = {_USER}"),
    sql(f"DELETE FROM seat_answers WHERE user_id = {_USER}"),
    sql(
        "DELETE FROM idempotency_keys WHERE caller = 'user:' || CAST(:user_id AS text)"
        " OR caller = 'mentor:' || CAST(:mentor_profile_id AS text)"
    ),
    _update(
        "bundle_entries", f"bundle_purchase_id IN (SELECT id FROM bundle_purchases WHERE mentee_user_id = {_USER})"
    ),
    _update("bundle_purchases", f"mentee_user_id = {_USER}"),
    _update("payment_entries", f"payment_id IN (SELECT id FROM payments WHERE user_id = {_USER})"),
    _update("mentor_profiles", f"user_id = {_USER}"),
    _of_mentor("listings"),
    _of_mentor("group_session_templates"),
    _of_mentor("time_off"),
    sql(f"DELETE FROM mentor_blocks WHERE mentor_profile_id = {_MENTOR} OR user_id = {_USER}"),
    sql(f"DELETE FROM outside_busy WHERE mentor_profile_id = {_MENTOR}"),
    sql(f"DELETE FROM calendar_feeds WHERE mentor_profile_id = {_MENTOR}"),
    # Their pending deliveries are cancelled by `maintain`, or when they are due.
    sql(f"""
WITH deleted AS (DELETE FROM webhook_endpoints WHERE mentor_profile_id = {_MENTOR} RETURNING id, mentor_profile_id)
INSERT INTO deleted_webhook_endpoints (id, mentor_profile_id, deliveries_left)
SELECT id, mentor_profile_id, true FROM deleted
"""),
)
_OWN = f"({{of}}.mentee_user_id = {_USER} OR {{of}}.mentor_profile_id = {_MENTOR})"
BOOKINGS = (
    _update("bookings", f"id = ANY(:ids) AND {_OWN.format(of='bookings')}"),
    _update("sessions", f"booking_id = ANY(:ids) AND {_OWN.format(of='sessions')}"),
    _update(
        "reschedule_proposals",
        f"session_id IN (SELECT s.id FROM sessions s WHERE s.booking_id = ANY(:ids) AND {_OWN.format(of='s')})",
    ),
    _update(
        "reviews",
        f"session_id IN (SELECT s.id FROM sessions s WHERE s.booking_id = ANY(:ids)) AND {_OWN.format(of='reviews')}",
    ),
    _update(
        "seat_cancellations",
        f"booking_id = ANY(:ids) AND (user_id = {_USER} OR booking_id IN (SELECT b.id FROM bookings b"
        f" WHERE b.id = ANY(:ids) AND b.mentor_profile_id = {_MENTOR}))",
    ),
    sql(
        "DELETE FROM seat_answers WHERE booking_id IN"
        f" (SELECT b.id FROM bookings b WHERE b.id = ANY(:ids) AND b.mentor_profile_id = {_MENTOR})"
    ),
    # Notifications to the other side. Of a group, only the mentor's name participants. Notifications of cancellations
    # by the deletion itself, in its own transaction, hold no name and stay.
    _update(
        "notifications",
        f"""
id IN (
    SELECT n.id FROM bookings b JOIN mentor_profiles m ON m.id = b.mentor_profile_id
    JOIN events e ON e.subject_id = ANY (ARRAY[b.id, b.session_id])
    JOIN notifications n ON n.event_id = e.id
    JOIN users erased ON erased.id = :user_id AND erased.erased_at <> e.created_at
    WHERE b.id = ANY(:ids) AND (
        {_OWN.format(of="b")} OR e.data ->> 'user_id' = CAST(:user_id AS text)
        OR (n.user_id = m.user_id AND e.data ->> 'user_id' IS NULL)
    )
)
""",
    ),
)
NOTIFICATIONS = (_update("notifications", "id = ANY(:ids)"), FORGET_MESSAGES_TO_USER)


@dataclass(frozen=True)
class Part:
    """Rows of a person that there may be many of."""

    name: str
    ids: TextClause  # selects the next of them by id, after `:after`
    statements: tuple[TextClause, ...]  # what is done to `:ids`
    keeps_versions: bool = False  # whether those who read the rows are not to notice by their version


def _ids(*selects: str) -> TextClause:
    return sql(f"{' UNION '.join(selects)} ORDER BY 1 LIMIT :size")


PARTS = (
    Part(
        "bookings",
        _ids(
            f"SELECT id FROM bookings WHERE mentee_user_id = {_USER} AND id > :after",
            f"SELECT id FROM bookings WHERE mentor_profile_id = {_MENTOR} AND id > :after",
            f"SELECT booking_id FROM booking_participants WHERE user_id = {_USER} AND booking_id > :after",
            f"SELECT booking_id FROM seat_cancellations WHERE user_id = {_USER} AND booking_id > :after",
        ),
        BOOKINGS,
        keeps_versions=True,
    ),
    Part("notifications", _ids(f"SELECT id FROM notifications WHERE user_id = {_USER} AND id > :after"), NOTIFICATIONS),
    # Of the mentor's own endpoints, which may be other people's servers.
    Part("webhooks", repair.EVENTS_TO_DELETED_ENDPOINTS, (repair.FORGET_ENDPOINT_ANSWERS,)),
)
_MARK = sql("UPDATE users SET erased_at = now() WHERE id = :user_id AND erased_at IS NULL")
# In no order, so that an account whose erasure fails holds up no other.
_NEXT = sql("""
SELECT u.id AS user_id, m.id AS mentor_profile_id, u.erased_at
FROM users u LEFT JOIN mentor_profiles m ON m.user_id = u.id
WHERE u.erased_at IS NOT NULL AND u.erasure_ended_at IS NULL AND u.erased_at < now() - CAST(:age AS interval)
ORDER BY random() LIMIT 1 FOR NO KEY UPDATE OF u SKIP LOCKED
""").columns(user_id=Uuid(), mentor_profile_id=Uuid())
_ENDED = sql("UPDATE users SET erasure_ended_at = now() WHERE id = :user_id")
_FORGET_CURSORS = sql("DELETE FROM maintenance_cursors WHERE name = ANY(:names)")


def erase(db: Connection, *, user_id: UUID, mentor_profile_id: UUID | None, page_rows: int = PAGE_ROWS) -> None:
    """Erase an account whose row the caller has locked, and a page of everything that was written with it."""
    person = _person(user_id, mentor_profile_id)
    db.execute(_MARK, person)
    _run(db, ACCOUNT, person)
    for part in PARTS:
        _erase_page(db, part, person, FIRST_ID, page_rows)


def go_on_erasing(db: Connection, *, page_rows: int = PAGE_ROWS, settled_after: timedelta = SETTLED_AFTER) -> bool:
    """Erase the next page of an account that was deleted a while ago; returns whether there may be more to do."""
    found = db.execute(_NEXT, {"age": settled_after}).one_or_none()
    if found is None:
        return False
    person = _person(found.user_id, found.mentor_profile_id)
    for part in PARTS:
        name = _cursor_name(part, found.user_id)
        cursor = take_cursor(db, name, found.erased_at)
        if cursor is None:
            return False
        last = _erase_page(db, part, person, cursor.id, page_rows)
        if last is not None:
            move_cursor(db, name, found.erased_at, last)
            return True
    _run(db, ACCOUNT, person)
    db.execute(_FORGET_CURSORS, {"names": [_cursor_name(part, found.user_id) for part in PARTS]})
    db.execute(_ENDED, person)
    return True


def _erase_page(db: Connection, part: Part, person: Mapping[str, Any], after: UUID, size: int) -> UUID | None:
    asked = {**person, "after": after, "size": size}
    ids = list(db.scalars(part.ids, {name: asked[name] for name in part.ids.compile().params}))
    if not ids:
        return None
    if part.keeps_versions:
        db.execute(_KEEP_VERSIONS, {"kept": "on"})
    _run(db, part.statements, {**person, "ids": ids})
    if part.keeps_versions:
        db.execute(_KEEP_VERSIONS, {"kept": "off"})
    last: UUID = ids[-1]
    return last


def _run(db: Connection, statements: Iterable[TextClause], values: Mapping[str, Any]) -> None:
    for statement in statements:
        db.execute(statement, {name: values[name] for name in statement.compile().params})


def _person(user_id: UUID, mentor_profile_id: UUID | None) -> dict[str, Any]:
    return {"user_id": user_id, "mentor_profile_id": mentor_profile_id, "reason": DELETED_ACCOUNT}


def _cursor_name(part: Part, user_id: UUID) -> str:
    return f"erase {part.name} of {user_id}"
