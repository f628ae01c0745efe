"""What the operator has chosen, read from the settings for those rules that ask for it."""

from __future__ import annotations

from config.settings import Settings
from workflows.house_rules import HouseRules


def house_rules(chosen: Settings) -> HouseRules:
    """The operator's choices, as `workflows/` knows them."""
    return HouseRules(
        reminder_minutes=chosen.reminder_minutes,
        webhook_retry_pauses=chosen.webhook_retry_pauses,
    )
