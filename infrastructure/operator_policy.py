"""The operator policy and brand, read from the settings."""

from __future__ import annotations

from email.utils import parseaddr
from functools import cache, partial
from typing import TYPE_CHECKING

from config.brand import readable_on
from config.settings import Settings
from models.payments import PaymentMode
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.notifications.texts import Brand

if TYPE_CHECKING:
    from config.sealing import Sealer


@cache
def _sealer_of(passphrases: tuple[str, ...]) -> Sealer:
    """Once, since deriving the keys takes long; and only by a process that reads encrypted texts."""
    from config.sealing import Sealer  # noqa: PLC0415

    return Sealer(passphrases)


def _unseal(passphrases: tuple[str, ...], sealed: str) -> str:
    return _sealer_of(passphrases).unseal(sealed)


def operator_policy(chosen: Settings) -> OperatorPolicy:
    reminders, schedule = chosen.reminder_minutes, chosen.webhook_retry_schedule
    return OperatorPolicy(
        reminder_minutes=DEFAULT_POLICY.reminder_minutes if reminders is None else reminders,
        notice_channels=tuple(chosen.apprise_channels),
        notice_kinds=frozenset(chosen.apprise_kinds),
        webhook_retry_schedule=DEFAULT_POLICY.webhook_retry_schedule if schedule is None else schedule,
        waitlist_offer_minutes=chosen.waitlist_offer_minutes,
        mentee_overlap=chosen.mentee_overlap,
        closed_without_hours=chosen.closed_without_hours,
        calendar_feed_minutes=chosen.calendar_feed_minutes,
        calendar_stale_hours=chosen.calendar_stale_hours,
        mail_gather_after=chosen.mail_gather_after,
        default_locale=chosen.default_locale,
        payment_default=PaymentMode(chosen.payment_default),
        unseal=partial(_unseal, tuple(chosen.encryption_keys)),
    )


def brand(chosen: Settings) -> Brand:
    colour = chosen.brand_colour
    return Brand(
        name=chosen.brand_name or parseaddr(chosen.mail_from)[0] or "Tutelage",
        logo_url=chosen.brand_logo_url,
        **({"colour": colour, "text_colour": readable_on(colour)} if colour else {}),
    )
