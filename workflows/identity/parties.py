"""The parties of a booking, a session or anything else that has a mentor and mentees: the mentees themselves, and both
sides as columns of a select."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Label,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.types import UserDefinedType

from models.bookings import booking_participants, bookings
from models.groups import seat_answers
from models.people import mentor_profiles, users
from workflows.kernel.records import Record

# Of those whose name begins with what staff look for.
MAX_PEOPLE = 200
_LAST_CHARACTER = literal_column("chr(1114111)", Text)


def participant_ids(of: FromClause, booking_id: ColumnElement[UUID]) -> Label[Any]:
    """The column `participant_ids` of a select from bookings or sessions; only a group's participants are looked up."""
    seat = booking_participants.c
    joined = select(func.array_agg(seat.user_id, type_=ARRAY(Uuid))).where(seat.booking_id == booking_id)
    return case((of.c.mentee_user_id.is_(None), joined.scalar_subquery())).label("participant_ids")


def bookings_of_person(user_id: ColumnElement[UUID] | UUID) -> Any:
    """The ids of the bookings of a person as a mentee, their groups' among them; an array, which an index finds."""
    seat = booking_participants.c
    return ids_as_array(select(seat.booking_id).where(seat.user_id == user_id))


def of_people(q: ColumnElement[str], booking_id: ColumnElement[UUID], mentor_id: ColumnElement[UUID]) -> Any:
    """The condition that a party has a name or a mail address that begins with a text, in any case."""
    lowered = func.lower(cast(q, Text))
    begins = [
        and_(func.lower(text).op("~>=~")(lowered), func.lower(text).op("~<~")(lowered.op("||")(_LAST_CHARACTER)))
        for text in (users.c.name, users.c.email)
    ]
    people = ids_as_array(select(users.c.id).where(or_(*begins)).limit(MAX_PEOPLE))
    seat, mentor = booking_participants.c, mentor_profiles.c
    return or_(
        booking_id == ids_as_array(select(seat.booking_id).where(seat.user_id == people)),
        mentor_id == ids_as_array(select(mentor.id).where(mentor.user_id == people)),
    )


def ids_as_array(query: Select[Any]) -> Any:
    """The ids that a query finds, to be compared with a column: looked up first, they are a condition of its index."""
    return any_(func.array(query.scalar_subquery(), type_=ARRAY(Uuid)))


# Both parties as they are shown to those who may read a row that has them; no mentee for a group. Arrays, since the
# driver reads those in C, and JSON in Python.
_MENTOR_OF = """(
    SELECT ARRAY[CAST(m.id AS text), u.name, m.headline, m.avatar_url]
    FROM mentor_profiles m JOIN users u ON u.id = m.user_id WHERE m.id = {of}.mentor_profile_id
)"""
_MENTEE_OF = "(SELECT ARRAY[CAST(u.id AS text), u.name] FROM users u WHERE u.id = {of}.mentee_user_id)"


class ShownObject(UserDefinedType[dict[str, Any]]):
    """An array of texts that is read as an object, with these names of its values."""

    cache_ok = True

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def get_col_spec(self, **_kw: object) -> str:
        return "TEXT[]"

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], dict[str, str | None] | None]:
        names = self.names

        def shown(values: list[str | None] | None) -> dict[str, str | None] | None:
            return None if values is None else dict(zip(names, values, strict=True))

        return shown


_MENTOR = ShownObject(("id", "name", "headline", "avatarUrl"))
_MENTEE = ShownObject(("id", "name"))


def shown_parties(of: str) -> list[Label[Any]]:
    """The columns `mentor` and `mentee` of a select, each an object or null.

    Subqueries, so that a page looks them up for its own rows alone, and any select can have them.

    Args:
        of: the name of the table, or of the part of the statement, that has `mentor_profile_id` and `mentee_user_id`.
    """
    columns = (("mentor", _MENTOR_OF, _MENTOR), ("mentee", _MENTEE_OF, _MENTEE))
    return [literal_column(sql.format(of=of), kind).label(name) for name, sql, kind in columns]


@dataclass(frozen=True, kw_only=True)
class Participant(Record):
    """A mentee of a booking; `present` is None until attendance is recorded."""

    table = booking_participants

    user_id: UUID
    name: str
    present: bool | None
    answers: str | None = None  # encrypted


_PARTICIPANTS: Select[Any] = (
    select(
        booking_participants.c.user_id,
        users.c.name,
        booking_participants.c.present,
        func.coalesce(seat_answers.c.answers, bookings.c.answers).label("answers"),
    )
    .join_from(booking_participants, users, users.c.id == booking_participants.c.user_id)
    .join(bookings, bookings.c.id == booking_participants.c.booking_id)
    .outerjoin(
        seat_answers,
        and_(
            seat_answers.c.booking_id == booking_participants.c.booking_id,
            seat_answers.c.user_id == booking_participants.c.user_id,
        ),
    )
    .where(booking_participants.c.booking_id == bindparam("booking_id", type_=Uuid))
    .order_by(booking_participants.c.created_at, booking_participants.c.user_id)
)


def participants_of(db: Connection, booking_id: UUID) -> list[Participant]:
    """The mentees of a booking, in the order in which they joined."""
    return [Participant.of(row) for row in db.execute(_PARTICIPANTS, {"booking_id": booking_id})]
