"""Terms: everything about a session that a mentee agrees to with its time."""

from dataclasses import dataclass, fields
from typing import Any

from models.payments import PaymentMode
from models.terms import RescheduleMode


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms that a listing or a group's template offers, and that a booking keeps as they were at the request.

    The records of all of these have them as columns of the same names, and the insert of a booking copies every one.
    """

    price_amount: int  # of a session, or of a seat, in minor units of `price_currency`
    price_currency: str
    buffer_before_minutes: int  # kept free in the mentor's calendar before the session, as `buffer_minutes` after it
    buffer_minutes: int
    early_start_minutes: int | None  # how long before its start the session can begin; None for any time
    # How long before the start a cancellation begins to cost the mentee a fee; None where mentees cannot cancel.
    cancellation_window_hours: int | None
    late_fee_percent: int  # the fee inside that window, of the price
    # The fee of a mentee who does not come, of the price; None as agreed before there was this term.
    no_show_fee_percent: int | None
    # How long before the start both parties are reminded; None for the operator's default.
    reminder_minutes: list[int] | None
    location: dict[str, Any] | None  # `kind`, a LocationKind, with a `value`, if there is one; None for online
    payment_mode: PaymentMode  # whether the price is to be paid before it is given
    reschedule_mode: RescheduleMode  # how a party moves the session to another time
    reschedule_window_hours: int  # how long before the start a party no longer moves it at once
    reschedule_max_times: int  # how often the session moves, before an operator alone moves it

    @property
    def no_show_percent(self) -> int:
        """The fee of a mentee who does not come, of the price; by default the fee of a late cancellation."""
        if self.no_show_fee_percent is not None:
            return self.no_show_fee_percent
        return 100 if self.cancellation_window_hours is None else self.late_fee_percent

    @property
    def is_prepaid(self) -> bool:
        """Whether the price is to be paid before what it is for is given; nothing is, where a credit pays."""
        return self.payment_mode is PaymentMode.BEFORE and self.price_amount > 0


TERM_NAMES = tuple(field.name for field in fields(Terms))
