"""Actions on accounts: register a user, publish a mentor profile, and change either."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from models.base import sql
from models.people import MentorState, mentor_profiles, users
from workflows.accounts.email_change import READ_CALENDARS_AGAIN, withdraw_email_change
from workflows.accounts.records import Mentor, User, UserState
from workflows.events.event_types import MentorApproved, MentorRejected
from workflows.events.record import record
from workflows.identity.access import require_approved, require_operator, require_own_profile, require_user_id
from workflows.identity.actor import Actor
from workflows.kernel.clock import zone
from workflows.kernel.errors import Invalid, NotFound, Stale
from workflows.kernel.locks import lock_user_with_profile, share_user

# A mentor's own answers to outside calendars are known by their address: no copy that was read before holds.
_UPDATE_BY_CLAIMS = sql("""
WITH changed AS (
    UPDATE users SET
        name = coalesce(CAST(:name AS text), name), locale = coalesce(CAST(:locale AS text), locale),
        email = CASE WHEN EXISTS (
            SELECT FROM users other WHERE lower(other.email) = lower(CAST(:email AS text)) AND other.id <> :user_id
        ) THEN email ELSE coalesce(CAST(:email AS text), email) END,
        claims_digest = :digest, claims_at = :issued_at
    WHERE id = :user_id AND erased_at IS NULL AND (claims_at IS NULL OR claims_at <= :issued_at)
    RETURNING id
)
UPDATE calendar_feeds SET busy_until = NULL
FROM mentor_profiles m JOIN changed ON changed.id = m.user_id
WHERE calendar_feeds.mentor_profile_id = m.id
""")
_ERASED = sql("SELECT erased_at IS NOT NULL FROM users WHERE id = :user_id")


def mentee_for(actor: Actor, student_id: UUID | None) -> UUID:
    """The user for whom a caller books, buys, joins or leaves: themselves, or any user for an operator.

    Raises:
        Forbidden: it names another user than the caller, who is no operator.
        Invalid: an operator, who is no user, names none.
    """
    mentee = student_id or actor.user_id
    if mentee is None:
        raise Invalid("Name the student.", details={"studentId": ["is required from an operator"]})
    require_user_id(actor, mentee, "You can do this for yourself only.")
    return mentee


def register_user(db: Connection, *, actor: Actor, email: str, time_zone: str, **columns: Any) -> User:
    """Write an account, as an operator on behalf of the identity provider.

    Args:
        email: unique whatever its case.
        time_zone: an IANA name; the person's times are shown in it.
        columns: further columns of `users` by name.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: no such time zone.
    """
    require_operator(actor, "Only an operator can register users.")
    zone(time_zone)
    values = {"id": uuid7(), "email": email, "time_zone": time_zone, **columns}
    row = db.execute(insert(users).values(values).returning(*User.columns())).one()
    return User(mentor_profile_id=None, **row._mapping)


def register_newcomer(db: Connection, *, time_zone: str, **columns: Any) -> None:
    """Write the account of a person whom the identity provider has named, unless there is one.

    Of two first requests at a time, the second one waits for the first. Where another account has the mail address,
    none is written.

    Args:
        time_zone: an IANA name.
        columns: further columns of `users` by name.

    Raises:
        Invalid: no such time zone.
    """
    db.execute(upsert(users).values(time_zone=zone(time_zone).key, **columns).on_conflict_do_nothing())


def update_by_claims(
    db: Connection, *, user_id: UUID, digest: bytes, issued_at: datetime, **claimed: str | None
) -> None:
    """Write what a token says of its user, unless a token that was issued later has been written.

    One statement: a request that only reads has no transaction. An address that another account has is left out.

    Args:
        digest: of the claims.
        claimed: `email`, which is verified, `name` and `locale`; None for what stays.
    """
    db.execute(_UPDATE_BY_CLAIMS, {"user_id": user_id, "digest": digest, "issued_at": issued_at, **claimed})


def publish_mentor_profile(
    db: Connection,
    *,
    actor: Actor,
    user_id: UUID,
    time_zone: str | None,
    skills: list[str],
    approved: bool = True,
    **columns: Any,
) -> Mentor:
    """Write the mentor profile of a user; skills are kept in lower case, once each.

    Args:
        user_id: whose profile it is: the caller's own, unless an operator writes it.
        time_zone: an IANA name, or None for the user's.
        approved: whether the mentor can be booked at once, rather than once staff have approved the profile.
        columns: further columns of `mentor_profiles` by name.

    Raises:
        Forbidden: another user's profile.
        NotFound: no such user.
        Invalid: no such time zone.
    """
    require_user_id(actor, user_id, "Only the user or an operator can publish this mentor profile.")
    owner = share_user(db, user_id)
    if owner is None:
        raise NotFound("There is no such user.")
    row = db.execute(
        insert(mentor_profiles)
        .values(
            id=uuid7(),
            user_id=user_id,
            time_zone=zone(time_zone or owner.time_zone).key,
            skills=list(dict.fromkeys(map(stored_skill, skills))),
            active=approved,
            state=MentorState.ACTIVE if approved else MentorState.PENDING,
            **columns,
        )
        .returning(*Mentor.columns())
    ).one()
    return Mentor(name=owner.name, **row._mapping)


def stored_skill(skill: str) -> str:
    """A skill as profiles hold it: in lower case."""
    return skill.strip().lower()


def change_mentor_profile(
    db: Connection, *, actor: Actor, mentor: Mentor, changes: dict[str, Any], now: datetime, any_version: bool = False
) -> Mentor:
    """Change a mentor profile, and return the changed one. An inactive mentor cannot be booked, nor act.

    With its state, staff also decide whether it is active.

    Args:
        changes: columns of `mentor_profiles` by name; skills are kept in lower case, once each.

    Raises:
        Forbidden: another user's profile, or its state, to all but operators; to make one active that staff have not.
        NotFound: its user has deleted their account.
        Stale: it has changed since it was read.
    """
    require_own_profile(actor, mentor)
    if "skills" in changes:
        changes = {**changes, "skills": list(dict.fromkeys(map(stored_skill, changes["skills"])))}
    changes = _with_state(actor, mentor, changes)
    found = True
    if changes:
        profile = mentor_profiles.c
        statement = update(mentor_profiles).where(profile.id == mentor.id).values(**changes).returning(profile.id)
        if not any_version:
            statement = statement.where(profile.version == mentor.version)
        found = db.execute(statement).one_or_none() is not None
    # After the change, which has waited for a deletion of the account.
    if db.scalar(_ERASED, {"user_id": mentor.user_id}):
        raise NotFound("The mentor has deleted their account.")
    if not found:
        raise Stale("mentor profile")
    changed = Mentor.of(db.execute(Mentor.by_id(mentor.id)).one())
    if changed.state is not mentor.state and changed.state in (MentorState.ACTIVE, MentorState.REJECTED):
        decided = MentorApproved if changed.state is MentorState.ACTIVE else MentorRejected
        record(db, decided.about(changed, actor=actor, now=now, mentor_profile_id=changed.id))
    return changed


def _with_state(actor: Actor, mentor: Mentor, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with `active` as it follows from a state that staff give the profile."""
    state = MentorState(changes.get("state", mentor.state))
    if "state" in changes:
        require_operator(actor, "Only an operator can approve, reject or pause a mentor profile.")
        decided = {} if state is mentor.state else {"active": state is MentorState.ACTIVE}
        changes = {**decided, **changes, "state": state}
    if changes.get("active"):
        require_approved(state)
    return changes


def locked_user(db: Connection, user_id: UUID) -> User:
    """The user of that id, whom nothing else changes before the end of the transaction."""
    lock_user_with_profile(db, user_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    return User.of(db.execute(User.by_id(user_id)).one())


def change_user_as_staff(
    db: Connection, *, actor: Actor, user: User, changes: dict[str, Any], state: UserState | None, now: datetime
) -> User:
    """Change an account that `locked_user` has locked, by an operator: the address at once, and whether it is blocked.

    Raises:
        Forbidden: the caller is no operator.
        NotFound: the user has deleted their account.
        Conflict: `email_taken`, `external_id_taken`.
    """
    require_operator(actor)
    if db.scalar(_ERASED, {"user_id": user.id}):
        raise NotFound("The user has deleted their account.")
    if state is not None and state is not user.state:
        changes = {**changes, "blocked_at": now if state is UserState.BLOCKED else None}
    if changes.get("email", user.email) != user.email:
        withdraw_email_change(db, user.id)
        db.execute(READ_CALENDARS_AGAIN, {"user_id": user.id})
    return change_user(db, user_id=user.id, changes=changes)


def change_user(db: Connection, *, user_id: UUID, changes: dict[str, Any]) -> User:
    """Change a user's name, time zone or locale, and return the changed account.

    Args:
        user_id: of a user whom `locked_user` has locked.
    """
    if changes:
        # Nothing is written to an account that has been erased meanwhile.
        db.execute(update(users).where(users.c.id == user_id, users.c.erased_at.is_(None)).values(**changes))
    return User.of(db.execute(User.by_id(user_id)).one())
