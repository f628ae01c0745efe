"""The buttons of mails: which mail leads where, and what its reader can do there.

A button leads into the operator's own application where a setting has the address of that page; else to the pages that
the API serves, one for each action that is possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from workflows.action_links.link import Action, ActionLink
from workflows.bookings.decisions import expiry_of
from workflows.events.event_types import (
    BookingCancelled,
    BookingDeclined,
    BookingEvent,
    BookingRequested,
    BookingUndecided,
    BundleEvent,
    Event,
    GroupEvent,
    ReviewUnlocked,
    SeatJoined,
    SessionCompleted,
    SessionCreated,
    SessionEvent,
    SessionReminderSet,
    SessionStarted,
)
from workflows.reviews.permits import OPEN_FOR

# On the buttons, and in front of the addresses in plain text.
LABELS = {
    Action.ACCEPT: "Accept request",
    Action.DECLINE: "Decline request",
    Action.CANCEL: "Cancel session",
    Action.JOIN: "Join session",
    Action.REVIEW: "Write a review",
    Action.CONFIRM_MAIL: "Confirm address",
}


class AppPage(StrEnum):
    """A page of the operator's application; its setting is APP_URL_ and the name."""

    BOOKING = "booking"
    SESSION = "session"
    REVIEW = "review"
    BUNDLE = "bundle"


@dataclass(frozen=True)
class Button:
    """A button; `personal` where anyone who has its address acts as the reader."""

    label: str
    url: str
    personal: bool


@dataclass(frozen=True, kw_only=True)
class MailActions:
    """Where a mail leads.

    Args:
        links: what its reader can do on the pages of the API, the most likely first.
        page: of the operator's application; None where it has none.
        page_id: of what that page is about: of a booking, a session (a review's page too) or a bundle.
        label: of the button to it.
    """

    links: Sequence[ActionLink] = ()
    page: AppPage | None = None
    page_id: UUID | None = None
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The reader of a mail.

    Args:
        is_mentor: whether the booking is one of theirs as a mentor.
        present: as a mentee, whether they were; None until attendance is recorded.
    """

    user_id: UUID
    is_mentor: bool
    present: bool | None = None


def actions_of(event: Event, reader: Reader, *, now: datetime) -> MailActions:
    """Where the mail about an event leads; links whose time has passed by now are left out."""
    actions = _actions(event, reader)
    return replace(actions, links=[link for link in actions.links if link.expires_at > now])


def _actions(event: Event, reader: Reader) -> MailActions:
    match event:
        case BookingRequested() | BookingUndecided():
            expiry = expiry_of(event) if isinstance(event, BookingRequested) else event.expires_at
            return _of_booking(event, reader, "Answer the request", {Action.ACCEPT: expiry, Action.DECLINE: expiry})
        case BookingDeclined() | BookingCancelled():
            return _of_booking(event, reader, "View the request", {})
        case BookingEvent() | GroupEvent():
            can_leave = isinstance(event, SeatJoined) and not reader.is_mentor
            return _of_booking(
                event, reader, "View the booking", {Action.CANCEL: event.start_time} if can_leave else {}
            )
        case SessionCompleted() if not reader.is_mentor and reader.present is not False:
            return _of_review(event.session_id, reader, event.occurred_at + OPEN_FOR)
        case ReviewUnlocked():
            return _of_review(event.session_id, reader, event.expires_at)
        case SessionEvent():
            return _of_session(event, reader)
        case BundleEvent():
            return MailActions(page=AppPage.BUNDLE, page_id=event.bundle_purchase_id, label="View the bundle")
        case _:
            return MailActions()


def _of_booking(
    event: BookingEvent | GroupEvent, reader: Reader, label: str, links: dict[Action, datetime]
) -> MailActions:
    return MailActions(
        links=_links(event.booking_id, reader, links), page=AppPage.BOOKING, page_id=event.booking_id, label=label
    )


def _of_session(event: SessionEvent, reader: Reader) -> MailActions:
    links = {}
    if isinstance(event, SessionCreated | SessionReminderSet | SessionStarted):
        links[Action.JOIN] = event.end_time
    if isinstance(event, SessionCreated | SessionReminderSet):
        links[Action.CANCEL] = event.start_time
    return MailActions(
        links=_links(event.booking_id, reader, links),
        page=AppPage.SESSION,
        page_id=event.session_id,
        label="View the session",
    )


def _of_review(session_id: UUID, reader: Reader, expires_at: datetime) -> MailActions:
    links = _links(session_id, reader, {Action.REVIEW: expires_at})
    return MailActions(links=links, page=AppPage.REVIEW, page_id=session_id, label=LABELS[Action.REVIEW])


def _links(subject_id: UUID, reader: Reader, actions: dict[Action, datetime]) -> list[ActionLink]:
    return [
        ActionLink(action=action, subject_id=subject_id, user_id=reader.user_id, expires_at=expires_at)
        for action, expires_at in actions.items()
    ]
