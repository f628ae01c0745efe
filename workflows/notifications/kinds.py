"""Every kind of notification, with its sentence in the preferences and its default channels."""

from dataclasses import dataclass

from models.notifications import Channel
from workflows.events.event import Event
from workflows.events.event_types import SessionCancelled, SessionCreated, WebhookEndpointDisabled

ALL_CHANNELS = frozenset(Channel)
# By the time a mail is read the moment is over, or a fuller mail follows.
NO_MAIL = ALL_CHANNELS - {Channel.EMAIL}


@dataclass(frozen=True)
class Kind:
    """One kind of notification."""

    sentence: str  # when it is sent, as people's preferences and unsubscribe links show it
    channels: frozenset[Channel] = ALL_CHANNELS  # the default ones
    always: frozenset[Channel] = frozenset()  # channels that cannot be switched off
    # Whether preferences list it; False for a former kind, which old notifications and links still name.
    offered: bool = True
    urgent: bool = False  # whether its mails are never held to be sent as one, since they would come too late


# Stored with every notification and preference: to rename one is to migrate those rows. Each has its template,
# `templates/<kind>.txt.j2`.
KINDS: dict[str, Kind] = {
    "booking_requested": Kind("A mentee requests a session with you."),
    # The session itself follows within seconds, and its mail has the time and the invitation.
    "booking_accepted": Kind("A mentor accepts your request.", NO_MAIL),
    "booking_reminder": Kind("A request has been waiting for your answer for a day."),
    "booking_declined": Kind("A mentor declines your request."),
    "booking_cancelled": Kind("A request is cancelled or expires."),
    "session_created": Kind("A session is booked."),
    "session_reminder": Kind("A session starts soon.", urgent=True),
    # A meeting at another time always leaves a trace in the application.
    "session_rescheduled": Kind("A session moves to another time.", always=frozenset({Channel.IN_APP})),
    "reschedule_proposed": Kind("Another time is proposed for a session of yours."),
    "reschedule_ended": Kind("A proposal of another time is declined, withdrawn or not answered."),
    "session_started": Kind("The other party starts your session.", NO_MAIL, urgent=True),
    "session_completed": Kind("A session is completed."),
    # A cancelled meeting always leaves a trace in the application.
    "session_cancelled": Kind("A session is cancelled.", always=frozenset({Channel.IN_APP})),
    "session_fee_waived": Kind("The fee for a cancelled session is waived."),
    "session_overdue": Kind("A session of yours is still to be completed a day after its end."),
    # The mail about the completed session invites to review it already.
    "review_unlocked": Kind("You can review a session.", NO_MAIL),
    "seat_joined": Kind("You join a group session, or a mentee joins one of yours."),
    "seat_left": Kind("You leave a group session, or a mentee leaves one of yours."),
    "seat_refunded": Kind("The fee for leaving a group session late is waived."),
    # The seat goes to the next in line soon.
    "waitlist_offered": Kind("A seat is kept for you from a waiting list.", urgent=True),
    "waitlist_dropped": Kind("You are no longer on a waiting list."),
    "bundle_purchased": Kind("You have bought a bundle of sessions."),
    "bundle_exhausted": Kind("A bundle of sessions is used up."),
    "bundle_expiring": Kind("A bundle with sessions left expires in a week."),
    "bundle_expired": Kind("A bundle has expired with sessions left."),
    # What waits for the payment does not wait for long.
    "payment_due": Kind("You have something to pay.", urgent=True),
    "payment_received": Kind("A payment of yours has arrived."),
    "payment_lapsed": Kind("A payment of yours did not arrive in time."),
    "refund_sent": Kind("A refund is on its way to you."),
    "webhook_endpoint_exhausted": Kind("A message to your webhook endpoint could not be delivered."),
    "webhook_endpoint_failing": Kind("Your webhook endpoint has been failing for days and will be disabled."),
    "webhook_endpoint_disabled": Kind("Your webhook endpoint is disabled."),
}
# The kinds of mails that are no notifications, and cannot be switched off.
MAILED_ALWAYS = ("confirm_mail",)
OFFERED = {name: kind for name, kind in KINDS.items() if kind.offered}

# Notices to the operators' own channels, e.g. a chat, by the names in APPRISE_KINDS.
OPERATOR_NOTICES: dict[str, type[Event]] = {
    "session_created": SessionCreated,
    "session_cancelled": SessionCancelled,
    "webhook_endpoint_disabled": WebhookEndpointDisabled,
}
