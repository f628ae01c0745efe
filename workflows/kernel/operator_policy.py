"""Operator policy: what an operator chose in the settings for all mentors, handed to actions and effects."""

from collections.abc import Callable
from dataclasses import dataclass, field

from models.payments import PaymentMode

MINUTE = 60
HOUR = 60 * MINUTE
# Ten attempts over about 75 hours, as dedicated webhook senders make.
WEBHOOK_RETRY_SECONDS: tuple[float, ...] = (
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)


def _without_keys(_sealed: str) -> str:
    raise ValueError("This process has no keys of encrypted texts.")


@dataclass(frozen=True, kw_only=True)
class OperatorPolicy:
    """The operator's choices; without arguments, the defaults."""

    # Minutes before a session at which both sides are reminded, unless its listing has its own.
    reminder_minutes: tuple[int, ...] = (1440, 60)
    # The names of the channels on which operators are notified; of what, `notice_kinds`.
    notice_channels: tuple[str, ...] = ()
    notice_kinds: frozenset[str] = frozenset()
    webhook_retry_schedule: tuple[float, ...] = WEBHOOK_RETRY_SECONDS  # seconds between the attempts of a webhook
    waitlist_offer_minutes: int = 60  # how long a freed seat is kept for the first in line; 0 for until the start
    # Whether sessions of a person as a mentee may overlap; what they hold as a mentor never does.
    mentee_overlap: bool = False
    closed_without_hours: bool = False  # whether a mentor without hours cannot be booked at any time
    calendar_feed_minutes: int = 15  # how often an outside calendar is read
    calendar_stale_hours: int = 24  # for how long the last copy of an outside calendar is relied on
    # How many mails of a kind a person gets within an hour before further ones are sent as one; 0 for any number.
    mail_gather_after: int = 10
    default_locale: str = "en"  # of people who have chosen none
    payment_default: PaymentMode = PaymentMode.NONE  # of new offers that do not say when they are paid
    # Reads a text that is stored encrypted.
    unseal: Callable[[str], str] = field(default=_without_keys, repr=False, compare=False)


DEFAULT_POLICY = OperatorPolicy()
