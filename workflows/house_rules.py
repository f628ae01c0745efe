"""What the operator has chosen for everybody, for the rules that ask for it: handed down by those who read settings."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.events.delivery import WEBHOOK_RETRY_POLICY


@dataclass(frozen=True, kw_only=True)
class HouseRules:
    """The operator's choices.

    Args:
        reminder_minutes: how many minutes before a session both sides are reminded, where its listing does not say.
        notice_channels: the names of the channels by which operators are told; and of what, `notice_kinds`.
        webhook_retry_pauses: seconds from each failed attempt of a webhook to the next.
    """

    reminder_minutes: tuple[int, ...] = (1440, 60)
    notice_channels: tuple[str, ...] = ()
    notice_kinds: frozenset[str] = frozenset()
    webhook_retry_pauses: tuple[float, ...] = WEBHOOK_RETRY_POLICY.pauses


USUAL = HouseRules()
