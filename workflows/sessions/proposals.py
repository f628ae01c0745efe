"""Proposals to move a session to another time: the record, and how a proposal is made, answered, and ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Dialect, Select, insert, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from uuid_utils.compat import uuid7

from models.base import sql
from models.sessions import ProposalStatus, reschedule_proposals
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import InvalidTransition
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record


@dataclass(frozen=True, kw_only=True)
class Proposal(Record):
    """Another time of a session, in UTC, by its mentee, mentor or an operator; `reason` is shown to both parties."""

    table = reschedule_proposals

    id: UUID
    session_id: UUID
    from_time: datetime
    start_time: datetime
    proposed_by: str
    proposed_by_user_id: UUID | None
    reason: str | None
    status: ProposalStatus
    expires_at: datetime
    created_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered it, nor withdrawn it."""
        return self.status is ProposalStatus.OPEN


_TIMES = ("from_time", "start_time", "expires_at", "created_at")
_IDS = ("id", "session_id", "proposed_by_user_id")


class ProposalAsJson(TypeDecorator[Proposal | None]):
    impl = JSONB
    cache_ok = True

    def process_result_value(self, value: Any, _dialect: Dialect) -> Proposal | None:
        if value is None:
            return None
        typed: dict[str, Any] = {name: datetime.fromisoformat(value[name]) for name in _TIMES}
        typed |= {name: value[name] and UUID(value[name]) for name in _IDS}
        return Proposal.of_values({**value, **typed, "status": ProposalStatus(value["status"])})


_OPEN = "(SELECT to_jsonb(p) FROM reschedule_proposals p WHERE p.session_id = sessions.id AND p.status = 'open')"
# A column of a select from sessions.
OPEN_PROPOSAL = literal_column(_OPEN, ProposalAsJson).label("proposal")
_ANSWER = sql(f"""
UPDATE reschedule_proposals SET status = CAST(:status AS proposal_status)
WHERE id = :id AND status = 'open'
RETURNING {Proposal.names()}
""").columns(*Proposal.columns())
_REPLACE = sql("""
UPDATE reschedule_proposals SET status = 'withdrawn'
WHERE session_id = :session_id AND status = 'open' AND proposed_by = :proposed_by
""")


def _made_by(*, user_id: UUID) -> Select[Any]:
    return Proposal.query().where(reschedule_proposals.c.proposed_by_user_id == user_id)


# Those that a person has made, moves at once among them.
PROPOSALS_OF_PERSON = PagedList(Proposal, rows=_made_by)


def write_proposal(db: Connection, *, status: ProposalStatus, **values: Any) -> Proposal:
    """Write a proposal, which replaces an open one of the same party.

    Args:
        status: open, or accepted for a move that needs no agreement.
        values: the other columns of a proposal.
    """
    if status is ProposalStatus.OPEN:
        db.execute(_REPLACE, {name: values[name] for name in ("session_id", "proposed_by")})
    written = insert(reschedule_proposals).values(id=uuid7(), status=status, **values).returning(*Proposal.columns())
    with constraint_errors():
        return Proposal.of(db.execute(written).one())


def answer_proposal(db: Connection, proposal_id: UUID, status: ProposalStatus) -> Proposal:
    """End an open proposal, by compare-and-set. Raises InvalidTransition: it has ended before."""
    row = db.execute(_ANSWER, {"id": proposal_id, "status": status.value}).one_or_none()
    if row is None:
        raise InvalidTransition("This proposal is no longer open; read the session again.")
    return Proposal.of(row)
