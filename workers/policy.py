"""The operator policy, read from the settings."""

from __future__ import annotations

import hashlib

from config.settings import Settings
from workflows.operator_policy import DEFAULT_POLICY, OperatorPolicy

NAME_CHARACTERS = 16


def operator_policy(chosen: Settings) -> OperatorPolicy:
    """The operator's choices, as `workflows/` knows them."""
    reminders, schedule = chosen.reminder_minutes, chosen.webhook_retry_schedule
    return OperatorPolicy(
        reminder_minutes=DEFAULT_POLICY.reminder_minutes if reminders is None else reminders,
        notice_channels=tuple(name_of(url) for url in chosen.apprise_urls),
        notice_kinds=frozenset(chosen.apprise_kinds),
        webhook_retry_schedule=DEFAULT_POLICY.webhook_retry_schedule if schedule is None else schedule,
    )


def name_of(url: str) -> str:
    """What a channel is called in rows: the same however often the settings are read, and no way back to its URL."""
    return hashlib.sha256(url.encode()).hexdigest()[:NAME_CHARACTERS]
