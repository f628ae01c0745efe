"""Deletion of an account by its person: what is still open is named or cancelled, and then everything is erased.

Under the locks of every mentor whom it concerns and of the person, so that nothing is requested, accepted or joined
meanwhile. Those that waited for the locks find an account that is erased, or requests that are cancelled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid

from models.base import sql
from models.personal import DELETED_ACCOUNT
from models.sessions import CancellationType, CancelledBy, SessionStatus
from workflows.accounts.records import profile_of_user_query
from workflows.availability.changes import raise_version
from workflows.bookings.actions import cancel as cancel_draft
from workflows.bookings.actions import decline
from workflows.bookings.records import BOOKING_BY_ID, Booking
from workflows.bundles.expiry import forfeit
from workflows.events.record import savepoint
from workflows.groups.place import read_group
from workflows.groups.seats import leave
from workflows.groups.waitlist import leave_waitlist
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict
from workflows.kernel.locks import lock_bookings_and_sessions, lock_mentors, lock_user
from workflows.kernel.operator_policy import OperatorPolicy
from workflows.privacy.erasure import erase
from workflows.sessions.cancel import conclude, quote_for, quote_of
from workflows.sessions.records import SESSION_WITH_TERMS, SessionWithTerms

# Each time with the mentors who were found the time before.
MAX_LOCKING_ROUNDS = 5
_USER, _MENTOR = ":user_id", ":mentor_profile_id"
# Sessions of bookings that were accepted a moment ago have a status of null. In the order in which credits go back.
OPEN = sql(f"""
SELECT 'draft' AS kind, b.id, b.mentor_profile_id, b.mentee_user_id, b.bundle_purchase_id, CAST(NULL AS text) AS status
FROM bookings b WHERE b.mentee_user_id = {_USER} AND b.status IN ('draft', 'awaiting_payment')
UNION ALL
SELECT 'draft', b.id, b.mentor_profile_id, b.mentee_user_id, b.bundle_purchase_id, NULL
FROM bookings b WHERE b.mentor_profile_id = {_MENTOR} AND b.status IN ('draft', 'awaiting_payment')
UNION ALL
SELECT 'session', b.session_id, b.mentor_profile_id, b.mentee_user_id, b.bundle_purchase_id, CAST(s.status AS text)
FROM bookings b LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.mentee_user_id = {_USER} AND b.status = 'accepted'
  AND (s.status IN ('scheduled', 'in_progress') OR (s.id IS NULL AND b.start_time > :now))
UNION ALL
SELECT 'session', b.session_id, b.mentor_profile_id, b.mentee_user_id, b.bundle_purchase_id, CAST(s.status AS text)
FROM bookings b LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.mentor_profile_id = {_MENTOR} AND b.status = 'accepted'
  AND (s.status IN ('scheduled', 'in_progress') OR (s.id IS NULL AND b.start_time > :now))
UNION ALL
SELECT 'seat', b.id, b.mentor_profile_id, NULL, p.bundle_purchase_id, CAST(b.session_id AS text)
FROM booking_participants p JOIN bookings b ON b.id = p.booking_id JOIN group_sessions g ON g.booking_id = b.id
LEFT JOIN sessions s ON s.booking_id = b.id
WHERE p.user_id = {_USER} AND p.seat_id IS NOT NULL AND p.start_time > :now AND g.cancelled_at IS NULL
  AND coalesce(s.status, 'scheduled') = 'scheduled'
UNION ALL
SELECT 'kept seat', p.booking_id, b.mentor_profile_id, NULL, NULL, NULL
FROM payments p JOIN bookings b ON b.id = p.booking_id JOIN group_sessions g ON g.booking_id = b.id
LEFT JOIN sessions s ON s.booking_id = b.id
WHERE p.user_id = {_USER} AND p.seat_id IS NOT NULL AND p.status = 'awaiting' AND b.start_time > :now
  AND g.cancelled_at IS NULL AND coalesce(s.status, 'scheduled') = 'scheduled'
UNION ALL
SELECT 'waiting', w.booking_id, b.mentor_profile_id, NULL, NULL, NULL
FROM waitlist_entries w JOIN bookings b ON b.id = w.booking_id WHERE w.user_id = {_USER}
UNION ALL
SELECT 'bundle', p.id, NULL, NULL, p.id, NULL
FROM bundle_purchases p
WHERE p.mentee_user_id = {_USER} AND p.remaining_sessions > 0 AND (p.valid_to IS NULL OR p.valid_to > :now)
ORDER BY bundle_purchase_id NULLS FIRST, id
""").columns(id=Uuid(), mentor_profile_id=Uuid(), mentee_user_id=Uuid(), bundle_purchase_id=Uuid())

_AWAITED_PAYMENTS = sql("SELECT id FROM payments WHERE user_id = :user_id AND status = 'awaiting' ORDER BY id")


@dataclass(frozen=True)
class OpenThings:
    """Everything that an account still has open, as rows of `OPEN`."""

    rows: Sequence[Row[Any]] = field(default_factory=tuple)

    def of(self, *kinds: str) -> list[Row[Any]]:
        return [row for row in self.rows if row.kind in kinds]

    @property
    def mentors(self) -> set[UUID]:
        return {row.mentor_profile_id for row in self.rows if row.mentor_profile_id is not None}

    @property
    def details(self) -> dict[str, list[str]]:
        """The ids of those that a person would miss; of a seat, its session's."""
        return {
            "sessions": [str(row.status if row.kind == "seat" else row.id) for row in self.of("session", "seat")],
            "drafts": [str(row.id) for row in self.of("draft", "kept seat")],
            "bundles": [str(row.id) for row in self.of("bundle")],
        }


class _OtherMentors(Exception):
    """Something that is open concerns mentors who are not locked: it was requested after the mentors were read."""


@dataclass(frozen=True)
class _Account:
    db: Connection
    user_id: UUID
    mentor_profile_id: UUID | None
    now: datetime
    policy: OperatorPolicy

    def open_things(self) -> OpenThings:
        values = {"user_id": self.user_id, "mentor_profile_id": self.mentor_profile_id, "now": self.now}
        return OpenThings(self.db.execute(OPEN, values).all())

    def acting_on(self, row: Row[Any]) -> Actor:
        """The person as the mentor of what is theirs, else as a mentee."""
        is_own = self.mentor_profile_id is not None and row.mentor_profile_id == self.mentor_profile_id
        return Actor.person(self.user_id, self.mentor_profile_id if is_own else None)


def open_things_of(db: Connection, *, user_id: UUID, now: datetime) -> dict[str, list[str]]:
    """The ids of what an account still has open: sessions, drafts, payments and bundles."""
    values = {"user_id": user_id, "mentor_profile_id": db.scalar(profile_of_user_query(user_id)), "now": now}
    awaited = db.scalars(_AWAITED_PAYMENTS, {"user_id": user_id})
    return {**OpenThings(db.execute(OPEN, values).all()).details, "payments": [str(each) for each in awaited]}


def delete_account(
    db: Connection,
    *,
    user_id: UUID,
    cancel: bool,
    now: datetime,
    policy: OperatorPolicy,
    require_version: Callable[[Any], None] = lambda _user: None,
) -> None:
    """Delete a person's account; once it is deleted, this does nothing.

    Args:
        cancel: whether what is open is cancelled, by the usual rules and with the fees of its policies.
        policy: how long a freed seat of a group is kept for a person to whom it is offered.
        require_version: called with the account; raises Stale for a `version` that the caller did not decide on.

    Raises:
        Conflict: `still_open`, with the ids in the details: something is open and is not to be cancelled, a session is
            in progress, or a session is still being created.
    """
    profile: UUID | None = db.scalar(profile_of_user_query(user_id))
    account = _Account(db, user_id, profile, now, policy)
    user, still_open = _locked(account)
    if user.erased_at is not None:
        return
    require_version(user)
    _require_closable(still_open, cancel=cancel)
    # To withdraw or decline a request, to let it expire and to start a session takes none of the locks above.
    lock_bookings_and_sessions(db, still_open.details["drafts"], still_open.details["sessions"])
    # After changes until then: a request that was decided is left out, a session that was started is refused.
    still_open = account.open_things()
    _require_closable(still_open, cancel=cancel)
    for row in still_open.of("draft"):
        _end_draft(account, row)
    for row in still_open.of("session"):
        _cancel_session(account, row)
    for row in still_open.of("seat", "kept seat", "waiting"):
        _leave_group(account, row)
    person = Actor.person(user_id, None)
    for row in account.open_things().of("bundle"):
        forfeit(db, actor=person, bundle_id=row.id, reason=DELETED_ACCOUNT, now=now)
    if profile is not None:
        # Bookings that read the calendar before read it again, and find no listing.
        mentor = Actor.person(user_id, profile)
        raise_version(db, profile, changed="hours", actor=mentor, now=now, counted=False)
    erase(db, user_id=user_id, mentor_profile_id=profile)


def _locked(account: _Account) -> tuple[Row[Any], OpenThings]:
    """Lock the mentors of open things by their ids, then the person, and read the open things again."""
    mentors = account.open_things().mentors
    if account.mentor_profile_id is not None:
        mentors.add(account.mentor_profile_id)
    for _round in range(MAX_LOCKING_ROUNDS):
        try:
            with savepoint(account.db):
                lock_mentors(account.db, mentors)
                user = lock_user(account.db, account.user_id)
                still_open = account.open_things()
                if not still_open.mentors <= mentors:
                    mentors |= still_open.mentors
                    raise _OtherMentors
                return user, still_open
        except _OtherMentors:
            continue
    raise Conflict(
        "Sessions are being requested at this moment; try again in a moment.", code="still_open", retry_after=1
    )


def _require_closable(still_open: OpenThings, *, cancel: bool) -> None:
    details = {name: ids for name, ids in still_open.details.items() if ids}
    if details and not cancel:
        raise Conflict(
            "Sessions, requests or credits are still open; end them, or delete the account with ?cancel=true.",
            code="still_open",
            details=still_open.details,
        )
    going_on = [row for row in still_open.of("session") if row.status == SessionStatus.IN_PROGRESS]
    if going_on:
        raise Conflict(
            "A session is in progress: its mentor has to complete it, or an operator to void it, before the account"
            " can be deleted.",
            code="still_open",
            details={"sessions": [str(row.id) for row in going_on], "drafts": [], "bundles": []},
        )
    pending = [row for row in still_open.of("session") if row.status is None]
    if pending:
        raise Conflict(
            "A session is being created; try again in a moment.",
            code="still_open",
            details={"sessions": [str(row.id) for row in pending], "drafts": [], "bundles": []},
            retry_after=1,
        )


def _end_draft(account: _Account, row: Row[Any]) -> None:
    booking = Booking.of(account.db.execute(BOOKING_BY_ID, {"id": row.id}).one())
    end = cancel_draft if booking.awaits_payment or booking.mentee_user_id == account.user_id else decline
    end(account.db, actor=account.acting_on(row), booking=booking, reason=DELETED_ACCOUNT, now=account.now)


def _cancel_session(account: _Account, row: Row[Any]) -> None:
    actor = account.acting_on(row)
    session = SessionWithTerms.of(account.db.execute(SESSION_WITH_TERMS, {"id": row.id}).one())
    quote = quote_for(actor, session, now=account.now)
    if not quote.allowed:
        # By a policy that does not let mentees cancel, as for one who does not come: for the whole price.
        quote = quote_of(session, cancelled_by=CancelledBy.MENTEE, late=True, fee_percent=100, now=account.now)
    by_mentee = quote.cancelled_by is CancelledBy.MENTEE
    conclude(
        account.db,
        actor=actor,
        session=session,
        quote=quote,
        kind=CancellationType.CLIENT_REQUEST if by_mentee else CancellationType.COACH_REQUEST,
        reason=DELETED_ACCOUNT,
        refund_requested=by_mentee,
        now=account.now,
    )


def _leave_group(account: _Account, row: Row[Any]) -> None:
    group, actor = read_group(account.db, row.id), account.acting_on(row)
    if row.kind == "waiting":
        leave_waitlist(account.db, actor=actor, group=group, now=account.now, policy=account.policy)
        return
    leave(
        account.db,
        actor=actor,
        group=group,
        mentee_user_id=account.user_id,
        reason=DELETED_ACCOUNT,
        now=account.now,
        policy=account.policy,
        at_any_cost=True,
    )
