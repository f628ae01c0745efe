"""The buttons of mails: which mail leads where, and what its reader can do there.

A button leads into the operator's own application where a setting has the address of that page; else to the pages that
the API serves, one for each action that is possible.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from workflows.action_links.link import Action, ActionLink
from workflows.bookings.actions import expiry_of
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingCancelled,
    BookingDeclined,
    BookingEvent,
    BookingRequested,
    BookingUndecided,
    BundleEvent,
    GroupEvent,
    PaymentAwaiting,
    PaymentEvent,
    ReviewUnlocked,
    SeatJoined,
    SessionCompleted,
    SessionCreated,
    SessionEvent,
    SessionReminderSet,
    SessionRescheduled,
    SessionRescheduleProposed,
    SessionStarted,
    WaitlistOffered,
)
from workflows.kernel.language import gettext_noop
from workflows.reviews.permits import OPEN_FOR

# Words on several buttons.
LEAVE, VIEW_BOOKING = gettext_noop("Leave group session"), gettext_noop("View the booking")
# The actions that a reader can take, by the words on the button, and until when.
Offered = dict[str, tuple[Action, datetime]]


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
    """Where a mail leads."""

    # What its reader can do on the pages of the API, by the words on the buttons, the most likely first.
    links: Mapping[str, ActionLink] = field(default_factory=dict)
    page: AppPage | None = None  # of the operator's application; None where it has none
    page_id: UUID | None = None  # of what that page is about: of a booking, a session (a review's page too) or a bundle
    label: str = ""  # of the button to it


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The reader of a mail."""

    user_id: UUID
    links_version: int  # the version of their links, which were mailed to no other address
    is_mentor: bool  # whether the booking is one of theirs as a mentor
    can_cancel: bool = True  # whether the policy of the booking lets them cancel it, or leave it
    present: bool | None = None  # as a mentee, whether they were; None until attendance is recorded


def actions_of(event: Event, reader: Reader, *, now: datetime) -> MailActions:
    """Where the mail about an event leads; links whose time has passed by now are left out."""
    actions = _actions(event, reader)
    return replace(actions, links={words: link for words, link in actions.links.items() if link.expires_at > now})


def _actions(event: Event, reader: Reader) -> MailActions:
    match event:
        case BookingRequested() | BookingUndecided():
            expiry = expiry_of(event) if isinstance(event, BookingRequested) else event.expires_at
            accept, decline = gettext_noop("Accept request"), gettext_noop("Decline request")
            links = {accept: (Action.ACCEPT, expiry), decline: (Action.DECLINE, expiry)}
            return _of_booking(event, reader, gettext_noop("Answer the request"), links)
        case BookingDeclined() | BookingCancelled():
            return _of_booking(event, reader, gettext_noop("View the request"), {})
        case WaitlistOffered():
            take = gettext_noop("Take the seat")
            return _of_booking(event, reader, take, {take: (Action.ACCEPT, event.expires_at)})
        case SeatJoined() if not reader.is_mentor and reader.can_cancel:
            leaving = {LEAVE: (Action.CANCEL, event.start_time)}
            return _of_booking(event, reader, VIEW_BOOKING, leaving)
        case BookingEvent() | GroupEvent():
            return _of_booking(event, reader, VIEW_BOOKING, {})
        case SessionCompleted() if not reader.is_mentor and reader.present is not False:
            return _of_review(event.session_id, reader, event.occurred_at + OPEN_FOR)
        case ReviewUnlocked():
            return _of_review(event.session_id, reader, event.expires_at)
        case SessionEvent():
            return _of_session(event, reader)
        case BundleEvent() | PaymentEvent():
            return _of_purchase(event)
        case _:
            return MailActions()


def _of_booking(event: BookingEvent | GroupEvent, reader: Reader, label: str, links: Offered) -> MailActions:
    return MailActions(
        links=_links(event.booking_id, reader, links), page=AppPage.BOOKING, page_id=event.booking_id, label=label
    )


def _of_purchase(event: BundleEvent | PaymentEvent) -> MailActions:
    label = gettext_noop("View the bundle") if isinstance(event, BundleEvent) else gettext_noop("View the payment")
    if isinstance(event, PaymentAwaiting):
        label = gettext_noop("Pay now")
    if event.bundle_purchase_id is not None:
        return MailActions(page=AppPage.BUNDLE, page_id=event.bundle_purchase_id, label=label)
    if isinstance(event, PaymentEvent) and event.booking_id is not None:
        return MailActions(page=AppPage.BOOKING, page_id=event.booking_id, label=label)
    return MailActions()


def _of_session(event: SessionEvent, reader: Reader) -> MailActions:
    links: Offered = {}
    if isinstance(event, SessionRescheduleProposed):
        links[gettext_noop("Accept new time")] = (Action.ACCEPT_TIME, event.expires_at)
        links[gettext_noop("Decline new time")] = (Action.DECLINE_TIME, event.expires_at)
    if isinstance(event, SessionCreated | SessionRescheduled | SessionReminderSet | SessionStarted):
        links[gettext_noop("Join session")] = (Action.JOIN, event.end_time)
    leaves = event.mentee_user_id is None and not reader.is_mentor
    # A group that has moved can be left whatever its policy.
    can_cancel = reader.can_cancel or (leaves and isinstance(event, SessionRescheduled))
    if isinstance(event, SessionCreated | SessionRescheduled | SessionReminderSet) and can_cancel:
        links[gettext_noop("Leave group session") if leaves else gettext_noop("Cancel session")] = (
            Action.CANCEL,
            event.start_time,
        )
    subject_id = event.proposal_id if isinstance(event, SessionRescheduleProposed) else event.booking_id
    return MailActions(
        links=_links(subject_id, reader, links),
        page=AppPage.SESSION,
        page_id=event.session_id,
        label=gettext_noop("View the session"),
    )


def _of_review(session_id: UUID, reader: Reader, expires_at: datetime) -> MailActions:
    label = gettext_noop("Write a review")
    links = _links(session_id, reader, {label: (Action.REVIEW, expires_at)})
    return MailActions(links=links, page=AppPage.REVIEW, page_id=session_id, label=label)


def _links(subject_id: UUID, reader: Reader, offered: Offered) -> dict[str, ActionLink]:
    return {
        words: ActionLink(
            action=action,
            subject_id=subject_id,
            user_id=reader.user_id,
            expires_at=expires_at,
            links_version=reader.links_version,
        )
        for words, (action, expires_at) in offered.items()
    }
