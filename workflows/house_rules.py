"""What the operator has chosen for everybody, for the rules that ask for it: handed down by those who read settings."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.events.policy import WEBHOOKS


@dataclass(frozen=True, kw_only=True)
class HouseRules:
    """The operator's choices.

    Args:
        reminder_minutes: how many minutes before a session both sides are reminded, where its listing does not say.
        webhook_retry_pauses: seconds from each failed attempt of a webhook to the next.
    """

    reminder_minutes: tuple[int, ...] = (1440, 60)
    webhook_retry_pauses: tuple[float, ...] = WEBHOOKS.pauses


USUAL = HouseRules()
