"""A link in a mail: one action of one user on one subject, until a time, and once.

A link lets its holder take the action that it names, and nothing else. It is signed under a purpose of its own, and
its content is readable. A link ends with the address that it was mailed to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, Uuid

from models.base import sql
from workflows.accounts.mailed_links import are_links_valid
from workflows.identity.actor import Actor
from workflows.kernel.errors import Blocked, Gone, NotFound
from workflows.kernel.expired import ExpiredRows
from workflows.kernel.language import gettext_noop

LINK_PURPOSE = "action link"
NO_SUCH_LINK = gettext_noop("This link is not valid, or its time has passed.")
ALREADY_USED = gettext_noop("This link has already been used; each link works once.")


class Action(StrEnum):
    """The action of a link; its subject is the booking, unless a comment names another one."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    # Changes nothing, and is never used up.
    JOIN = "join"
    # The session.
    REVIEW = "review"
    # The proposal of another time.
    ACCEPT_TIME = "accept_time"
    DECLINE_TIME = "decline_time"
    # The requested change of the address.
    CONFIRM_MAIL = "confirm_mail"


@dataclass(frozen=True, kw_only=True)
class ActionLink:
    """The content of a link."""

    action: Action
    subject_id: UUID
    user_id: UUID
    expires_at: datetime  # in UTC, of which whole seconds are kept
    # Of the user when it was mailed; None for the confirmation of an address, which goes to another one than the
    # account's and ends with the requested change.
    links_version: int | None

    def to_text(self) -> str:
        version = "-" if self.links_version is None else self.links_version
        expiry = int(self.expires_at.timestamp())
        return f"{self.action} {self.subject_id.hex} {self.user_id.hex} {expiry} {version}"

    @classmethod
    def from_text(cls, payload: object, *, now: datetime) -> ActionLink:
        """The link that a signed text holds.

        Raises:
            NotFound: its time has passed, or a newer release has signed what this one does not know.
        """
        try:
            action, subject, user, expiry, version = str(payload).split(" ")
            link = cls(
                action=Action(action),
                subject_id=UUID(hex=subject),
                user_id=UUID(hex=user),
                expires_at=datetime.fromtimestamp(int(expiry), UTC),
                links_version=None if version == "-" else int(version),
            )
        except (ValueError, OverflowError) as error:
            raise NotFound(NO_SUCH_LINK) from error
        if link.expires_at <= now:
            raise NotFound(NO_SUCH_LINK)
        return link


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The user of a link, who acts as the mentor where the subject is one of theirs; `time_zone` is an IANA name."""

    actor: Actor
    name: str
    time_zone: str


SPEND_LINK = sql("""
INSERT INTO spent_links (action, subject_id, user_id, expires_at)
VALUES (:action, :subject_id, :user_id, :expires_at)
ON CONFLICT DO NOTHING
RETURNING action
""")
SPENT_LINK = sql("""
SELECT action FROM spent_links
WHERE action = :action AND subject_id = :subject_id AND user_id = :user_id
  AND expires_at = :expires_at
""")
# A day after their time, which the clocks of two machines tell differently by far less.
forget_spent_links = ExpiredRows("spent_links", "expires_at < now() - interval '1 day'", order="expires_at")
HOLDER_OF_LINK = sql("""
SELECT u.name, u.time_zone, u.blocked_at, m.id AS mentor_profile_id, m.active
FROM users u LEFT JOIN mentor_profiles m ON m.user_id = u.id AND m.id = :mentor_profile_id
WHERE u.id = :user_id AND u.erased_at IS NULL
""").columns(mentor_profile_id=Uuid())


def spend(db: Connection, link: ActionLink) -> None:
    """Use a link up, in the transaction that acts; another one that uses it at the same time waits for its end.

    First of all that the transaction locks, so that two of them never wait for one another.

    Raises:
        Gone: it has been used.
    """
    if db.execute(SPEND_LINK, vars(link)).one_or_none() is None:
        raise Gone(ALREADY_USED)


def require_unspent(db: Connection, link: ActionLink) -> None:
    """Raise Gone for a link that has been used."""
    if db.execute(SPENT_LINK, vars(link)).one_or_none() is not None:
        raise Gone(ALREADY_USED)


def require_valid(db: Connection, link: ActionLink, *, lock: bool) -> None:
    """Refuse a link that was mailed to a former address, or ended by its user.

    Args:
        lock: whether to keep it valid until the end of the transaction, which acts.

    Raises:
        NotFound: it has ended.
    """
    if link.action is Action.CONFIRM_MAIL:
        return
    if not are_links_valid(db, link.user_id, link.links_version, lock=lock):
        raise NotFound(NO_SUCH_LINK)


def holder_of(db: Connection, link: ActionLink, mentor_profile_id: UUID | None = None) -> Holder:
    """The user of a link.

    Args:
        mentor_profile_id: of the subject: they act as that mentor where it is theirs.

    Raises:
        Blocked: the user is blocked.
        NotFound: the user's account has been erased.
    """
    values = {"user_id": link.user_id, "mentor_profile_id": mentor_profile_id}
    row = db.execute(HOLDER_OF_LINK, values).one_or_none()
    if row is None:
        raise NotFound(NO_SUCH_LINK)
    if row.blocked_at is not None:
        raise Blocked(code="blocked")
    actor = Actor.person(link.user_id, row.mentor_profile_id, active=row.active is not False)
    return Holder(actor=actor, name=row.name, time_zone=row.time_zone)
