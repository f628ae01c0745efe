"""What an unsubscribe link names: one person, one kind, one channel."""

from __future__ import annotations

from uuid import UUID

from models.notifications import Channel
from workflows.errors import NotFound
from workflows.notifications.choices import Choice
from workflows.notifications.kinds import KINDS

NOTHING = "There is nothing to unsubscribe from at this address."
# What the signature of a link is for.
UNSUBSCRIBE_PURPOSE = "unsubscribe"


def can_be_stopped(kind: str, channel: Channel) -> bool:
    """Whether there is anything to unsubscribe from."""
    return kind in KINDS and channel not in KINDS[kind].always


def is_stopped(kind: str, channel: Channel, *, wanted: bool | None) -> bool:
    """Whether a notification that was written is not to leave any more: its reader has unsubscribed since.

    Args:
        wanted: what they chose; None where they chose nothing.
    """
    return wanted is False and can_be_stopped(kind, channel)


def written(choice: Choice) -> str:
    """The choice as a link holds it."""
    return f"{choice.user_id.hex} {choice.channel} {choice.kind}"


def read(payload: object) -> Choice:
    """The choice that a link holds.

    Raises:
        NotFound: it names a channel or a kind that is no more, or nothing at all.
    """
    user, channel, kind = str(payload).split(" ")
    if channel not in list(Channel) or not can_be_stopped(kind, Channel(channel)):
        raise NotFound(NOTHING)
    return Choice(user_id=UUID(hex=user), kind=kind, channel=Channel(channel))
