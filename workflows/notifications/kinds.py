"""Every kind of notification: what it is in words, and by which channels people hear of it if they chose nothing."""

from __future__ import annotations

from dataclasses import dataclass

from models.notifications import Channel

EVERYWHERE = frozenset(Channel)
# By the time a mail is read, the moment is over; or another mail says it better.
NOT_BY_MAIL = EVERYWHERE - {Channel.EMAIL}


@dataclass(frozen=True)
class Kind:
    """One kind of notification.

    Args:
        sentence: says to people when they get it, for the list of their preferences.
        channels: by which they hear of it unless they chose otherwise.
        always: by which they hear of it whatever they chose.
        offered: whether it stands among people's preferences; False for what nothing records yet.
    """

    sentence: str
    channels: frozenset[Channel] = EVERYWHERE
    always: frozenset[Channel] = frozenset()
    offered: bool = True


# Stored with every notification and preference: to rename one is to migrate those rows. Each has its template,
# `templates/<kind>.txt.j2`.
KINDS: dict[str, Kind] = {
    "booking_requested": Kind("Somebody asks for a session with you."),
    # The session itself follows within seconds, and its mail has the time and the invitation.
    "booking_accepted": Kind("A mentor has accepted your request.", NOT_BY_MAIL),
    "booking_reminder": Kind("A request has waited for your decision for a day."),
    "booking_declined": Kind("A mentor has declined your request."),
    "booking_cancelled": Kind("A request has been taken back, or has expired."),
    "session_created": Kind("A session of yours is booked."),
    "session_reminder": Kind("A session of yours is about to begin."),
    "session_started": Kind("The other side has started your session.", NOT_BY_MAIL),
    "session_completed": Kind("A session of yours is completed."),
    # Nobody should wait for a meeting that was called off with no trace of that anywhere.
    "session_cancelled": Kind("A session of yours has been cancelled.", always=frozenset({Channel.IN_APP})),
    # The mail about the completed session invites to review it already.
    "review_unlocked": Kind("You may review a session.", NOT_BY_MAIL),
    "seat_joined": Kind("You have taken a seat in a group session, or somebody has in one of yours.", offered=False),
    "seat_left": Kind("You have given a seat in a group session back, or somebody has in one of yours.", offered=False),
    "bundle_exhausted": Kind("You have used up a bundle of sessions.", offered=False),
    "webhook_endpoint_exhausted": Kind("A message to a webhook endpoint of yours could not be delivered."),
    "webhook_endpoint_failing": Kind("A webhook endpoint of yours has failed for days and will be disabled."),
    "webhook_endpoint_disabled": Kind("A webhook endpoint of yours has been disabled."),
}
OFFERED = {name: kind for name, kind in KINDS.items() if kind.offered}
