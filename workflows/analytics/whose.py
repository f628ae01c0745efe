"""Whose numbers somebody asks for, and who may see them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, true

from workflows.errors import Forbidden
from workflows.identity.actor import Actor


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose numbers are wanted; None for everybody's, or every course's."""

    mentor_profile_id: UUID | None = None
    course_id: UUID | None = None

    def of(self, table: Table) -> ColumnElement[bool]:
        """Whether a row of the table is theirs."""
        wanted = {"mentor_profile_id": self.mentor_profile_id, "course_id": self.course_id}
        return and_(true(), *(table.c[name] == id for name, id in wanted.items() if id is not None))


def whose(actor: Actor, *, mentor_profile_id: UUID | None = None, course_id: UUID | None = None) -> Whose:
    """Of a mentor their own; of an operator whatever they name.

    Raises:
        Forbidden: a mentor names somebody else, who may or may not exist; or a mentee asks.
    """
    if actor.operator:
        return Whose(mentor_profile_id=mentor_profile_id, course_id=course_id)
    own = actor.mentor_profile_id
    if own is None or mentor_profile_id not in (None, own):
        raise Forbidden("Mentors see their own numbers alone.")
    return Whose(mentor_profile_id=own, course_id=course_id)
