"""The operator policy, read from the settings."""

from __future__ import annotations

from config.settings import Settings
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy


def operator_policy(chosen: Settings) -> OperatorPolicy:
    reminders, schedule = chosen.reminder_minutes, chosen.webhook_retry_schedule
    return OperatorPolicy(
        reminder_minutes=DEFAULT_POLICY.reminder_minutes if reminders is None else reminders,
        notice_channels=tuple(chosen.apprise_channels),
        notice_kinds=frozenset(chosen.apprise_kinds),
        webhook_retry_schedule=DEFAULT_POLICY.webhook_retry_schedule if schedule is None else schedule,
        waitlist_offer_minutes=chosen.waitlist_offer_minutes,
        mentee_overlap=chosen.mentee_overlap,
        calendar_feed_minutes=chosen.calendar_feed_minutes,
        calendar_stale_hours=chosen.calendar_stale_hours,
        mail_gather_after=chosen.mail_gather_after,
    )
