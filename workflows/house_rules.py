"""What the operator has chosen for everybody, for the rules that ask for it: handed down by those who read settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HouseRules:
    """The operator's choices.

    Args:
        reminder_minutes: how many minutes before a session both sides are reminded, where its listing does not say.
    """

    reminder_minutes: tuple[int, ...] = (1440, 60)


USUAL = HouseRules()
