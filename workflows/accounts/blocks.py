"""Blocks: whom a mentor does not take on; the record, the list, and how they are set and lifted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, delete, func, insert, select
from uuid_utils.compat import uuid7

from models.people import mentor_blocks, mentor_profiles, users
from workflows.identity.access import require_mentor_or_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.kernel.locks import lock_calendar, share_user
from workflows.kernel.paging import PagedList
from workflows.kernel.records import Record

MAX_BLOCKS = 1_000


@dataclass(frozen=True, kw_only=True)
class BlockOwner(Record):
    """The mentor of a list of blocks."""

    table = mentor_profiles

    mentor_profile_id: UUID
    user_id: UUID
    version: int


@dataclass(frozen=True, kw_only=True)
class Block(Record):
    """A person who cannot book, hold or join anything of a mentor."""

    table = mentor_blocks

    id: UUID
    mentor_profile_id: UUID
    user_id: UUID
    reason: str | None
    created_at: datetime
    version: int = 1


def block_owner_query(mentor_profile_id: UUID) -> Select[Any]:
    """The mentor of that profile."""
    mentor = mentor_profiles.c
    return select(mentor.id.label("mentor_profile_id"), mentor.user_id, mentor.version).where(
        mentor.id == mentor_profile_id
    )


def block_query(mentor_profile_id: UUID, user_id: UUID) -> Select[Any]:
    """The mentor's block of that person."""
    block = mentor_blocks.c
    return Block.query().where(block.mentor_profile_id == mentor_profile_id, block.user_id == user_id)


BLOCKS = PagedList(Block, of=("mentor_profile_id",))


def block(db: Connection, *, actor: Actor, mentor: BlockOwner, user_id: UUID, reason: str | None = None) -> Block:
    """Keep a person from booking, holding and joining anything of a mentor; what they have already stays.

    To block them again changes nothing. An id that names nobody is blocked as well: whether a person exists is not
    shown.

    Args:
        reason: for the mentor and operators.

    Raises:
        Forbidden: another mentor's blocks.
        Invalid: the mentor themselves.
        NotFound: the mentor has deleted their account.
        Conflict: `quota_reached`, the mentor has blocked as many people as there may be.
    """
    require_mentor_or_operator(actor, mentor)
    if user_id == mentor.user_id:
        raise Invalid("A mentor cannot block themselves.", details={"userId": ["is the mentor"]})
    # A booking holds the mentor's lock until it is committed, and a person who joins a group their own.
    lock_calendar(db, mentor.mentor_profile_id)
    share_user(db, user_id)
    # In statements of their own: their snapshots must be younger than the locks.
    if db.scalar(select(users.c.erased_at).where(users.c.id == mentor.user_id)) is not None:
        raise NotFound("The mentor has deleted their account.")
    query = block_query(mentor.mentor_profile_id, user_id)
    present = db.execute(query).one_or_none()
    if present is not None:
        return Block.of(present)
    count = select(func.count()).where(mentor_blocks.c.mentor_profile_id == mentor.mentor_profile_id)
    if db.execute(count).scalar_one() >= MAX_BLOCKS:
        raise Conflict(f"A mentor blocks at most {MAX_BLOCKS} people; lift some of the blocks.", code="quota_reached")
    values = {"mentor_profile_id": mentor.mentor_profile_id, "user_id": user_id, "reason": reason}
    db.execute(insert(mentor_blocks).values(id=uuid7(), **values))
    return Block.of(db.execute(query).one())


def lift_block(db: Connection, *, actor: Actor, lifted: Block) -> None:
    """Let a person book again; lifted twice at once, it is lifted once. Raises Forbidden: another mentor's block."""
    require_mentor_or_operator(actor, lifted)
    db.execute(delete(mentor_blocks).where(mentor_blocks.c.id == lifted.id))
