"""Change of a user's mail address: the new one is used once a link that was sent to it has been confirmed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, update
from uuid_utils.compat import uuid7

from models.base import Timestamp, sql
from models.people import email_changes, users
from workflows.events.event_types import EmailChanged, EmailChangeRequested
from workflows.events.record import record
from workflows.identity.actor import Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import NotFound, RateLimited
from workflows.kernel.expired import ExpiredRows
from workflows.kernel.language import gettext_noop
from workflows.kernel.locks import lock_against_links, lock_user
from workflows.kernel.records import Record

CONFIRMABLE_FOR = timedelta(hours=24)
NOT_CONFIRMABLE = gettext_noop("This address can no longer be confirmed; enter it again in your account.")
# Each writes to an address that may be another person's.
MAX_CHANGES_PER_DAY = 5


@dataclass(frozen=True, kw_only=True)
class EmailChange(Record):
    """An address that can be confirmed while it is `open` and until `expires_at`, UTC."""

    table = email_changes

    id: UUID
    user_id: UUID
    email: str
    former_email: str
    expires_at: datetime
    open: bool


RECENT_CHANGES = sql("""
SELECT count(*) AS changes, min(expires_at) AS first_expiry
FROM email_changes WHERE user_id = :user_id AND expires_at > :now
""").columns(first_expiry=Timestamp)
_CLOSE = sql("UPDATE email_changes SET open = false WHERE user_id = :user_id AND open")
_REQUEST = sql(f"""
INSERT INTO email_changes (id, user_id, email, former_email, expires_at)
VALUES (:id, :user_id, :email, :former_email, :expires_at)
RETURNING {EmailChange.names(of="email_changes")}
""").columns(*EmailChange.columns())
CLOSE_EMAIL_CHANGE = sql(
    "UPDATE email_changes SET open = false WHERE id = :id AND open AND expires_at > :now RETURNING id"
)
# A copy of an outside calendar leaves out the entries that the mentor, known by their address, has declined.
READ_CALENDARS_AGAIN = sql("""
UPDATE calendar_feeds SET busy_until = NULL
WHERE mentor_profile_id = (SELECT id FROM mentor_profiles WHERE user_id = :user_id)
""")
forget_email_changes = ExpiredRows("email_changes", "expires_at < now()", order="expires_at")


def request_email_change(db: Connection, *, actor: Actor, user_id: UUID, email: str, now: datetime) -> None:
    """Let a user confirm another mail address; an earlier one that they did not confirm can no longer be confirmed.

    A link to confirm it goes to the new address, and a notice to the present one, which, entered again, withdraws it.
    Only the reader of its mails learns, by the link, that the new one is another account's, not the user who enters it.
    Nobody is written to about an account that has been erased meanwhile.

    Raises:
        RateLimited: the user has entered five others within a day.
    """
    # First: two changes of one user follow one another, and each counts those before.
    owner = lock_user(db, user_id)
    present = owner.email
    if email == present or owner.erased_at is not None:
        withdraw_email_change(db, user_id)
        return
    recent = db.execute(RECENT_CHANGES, {"user_id": user_id, "now": now}).one()
    if recent.changes >= MAX_CHANGES_PER_DAY:
        seconds = max(1, round((recent.first_expiry - now).total_seconds()))
        raise RateLimited(
            f"You have changed your mail address {MAX_CHANGES_PER_DAY} times within a day; try again later.",
            retry_after=seconds,
        )
    withdraw_email_change(db, user_id)
    values = {"id": uuid7(), "user_id": user_id, "email": email, "former_email": present}
    row = db.execute(_REQUEST, {**values, "expires_at": now + CONFIRMABLE_FOR}).one()
    record(db, EmailChangeRequested(actor=actor.name, occurred_at=now, user_id=user_id, email_change_id=row.id))


def withdraw_email_change(db: Connection, user_id: UUID) -> None:
    """Have no address of a user, whose row the caller has locked, wait to be confirmed; idempotent."""
    db.execute(_CLOSE, {"user_id": user_id})


def confirmable(db: Connection, change_id: UUID, *, user_id: UUID, now: datetime) -> EmailChange:
    """The change of that id; raises NotFound unless it is this user's and can still be confirmed."""
    row = db.execute(EmailChange.by_id(change_id)).one_or_none()
    if row is None or row.user_id != user_id or not row.open or row.expires_at <= now:
        raise NotFound(NOT_CONFIRMABLE)
    return EmailChange.of(row)


def confirm_email_change(db: Connection, *, actor: Actor, change: EmailChange, now: datetime) -> None:
    """Give the account its new address.

    Raises:
        NotFound: it was withdrawn, replaced or confirmed meanwhile.
        Conflict: `email_taken`: another account has been given it meanwhile.
    """
    lock_against_links(db, change.user_id)
    if db.execute(CLOSE_EMAIL_CHANGE, {"id": change.id, "now": now}).one_or_none() is None:
        raise NotFound(NOT_CONFIRMABLE)
    with constraint_errors():
        db.execute(update(users).where(users.c.id == change.user_id).values(email=change.email))
    db.execute(READ_CALENDARS_AGAIN, {"user_id": change.user_id})
    record(db, EmailChanged(actor=actor.name, occurred_at=now, user_id=change.user_id, email_change_id=change.id))
