"""How settings that hold lists are read: what makes no sense is a ValueError whose sentence names the setting."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network

from environs import ValidationError

Network = IPv4Network | IPv6Network

# As a listing's own reminders are bounded, which stands where nothing here may look: a test holds them equal.
MOST_REMINDERS = 5
LONGEST_BEFORE = 43_200  # minutes
MOST_PAUSES = 30
LONGEST_PAUSE = 604_800  # seconds


def only(known: tuple[str, ...]) -> Callable[[list[str]], None]:
    """A check that refuses names that are none of those."""

    def check(names: list[str]) -> None:
        if unknown := sorted(set(names) - set(known)):
            raise ValidationError(f"{', '.join(unknown)} is none of {', '.join(known)}")

    return check


def networks(names: list[str]) -> tuple[Network, ...]:
    """WEBHOOK_ALLOWED_NETWORKS.

    Raises:
        ValueError: one of them is none.
    """
    try:
        return tuple(ip_network(name.strip()) for name in names if name.strip())
    except ValueError as error:
        raise ValueError(f"WEBHOOK_ALLOWED_NETWORKS holds networks such as 10.0.0.0/8: {error}") from error


def pauses(seconds: list[float] | None) -> tuple[float, ...] | None:
    """WEBHOOK_RETRY_PAUSES; None where nobody has chosen any.

    Raises:
        ValueError: they are too many or none, or one is too long or no pause.
    """
    if seconds is None:
        return None
    if not 1 <= len(seconds) <= MOST_PAUSES or not all(0 < each <= LONGEST_PAUSE for each in seconds):
        raise ValueError(
            f"WEBHOOK_RETRY_PAUSES holds 1 to {MOST_PAUSES} numbers of seconds, each above 0 and at most"
            f" {LONGEST_PAUSE} (7 days)."
        )
    return tuple(seconds)


def reminders(minutes: list[int] | None) -> tuple[int, ...] | None:
    """REMINDER_MINUTES; None where nobody has chosen any, and empty for none at all.

    Raises:
        ValueError: they are too many, one stands there twice, or is too long before the start or not before it.
    """
    if minutes is None:
        return None
    if len(minutes) > MOST_REMINDERS or len(set(minutes)) < len(minutes):
        raise ValueError(f"REMINDER_MINUTES holds up to {MOST_REMINDERS} numbers, none of them twice.")
    if not all(1 <= each <= LONGEST_BEFORE for each in minutes):
        raise ValueError(f"REMINDER_MINUTES holds minutes before the start, from 1 to {LONGEST_BEFORE} (30 days).")
    return tuple(minutes)
