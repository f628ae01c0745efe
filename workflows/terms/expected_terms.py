"""Expected terms: the price and the cancellation policy that a person was shown, compared with the decision's.

Each decision compares the very values that it writes, so that a change of the offer between reading and writing is
either seen by both or by neither.
"""

from dataclasses import dataclass

from workflows.kernel.errors import TermsChanged
from workflows.terms.terms import Terms


@dataclass(frozen=True, kw_only=True)
class ExpectedTerms:
    """The terms that a person was shown; None for what they did not name, which is then not compared."""

    price_amount: int | None = None  # in minor units of `price_currency`
    price_currency: str | None = None
    # Of the cancellation policy; None also for an offer that cannot be cancelled, the worst policy.
    window_hours: int | None = None
    late_fee_percent: int = 0  # of the same policy

    def require_price(self, amount: int, currency: str) -> None:
        """Refuse another price; free is the same in every currency.

        Raises:
            TermsChanged: `price_changed`, with the present price in `details.price`.
        """
        is_free = self.price_amount == amount == 0
        if self.price_amount is None or is_free or (self.price_amount, self.price_currency) == (amount, currency):
            return
        raise TermsChanged(
            "The price has changed. Look at the present one, and confirm it.",
            code="price_changed",
            details={"price": {"amount": amount, "currency": currency}},
        )

    def require_cancellation(self, terms: Terms) -> None:
        """Refuse a cancellation policy that is worse for the mentee.

        Raises:
            TermsChanged: `terms_changed`, with the present policy in `details.cancellation`; null if mentees cannot
                cancel.
        """
        if not self.is_worse(terms):
            return
        hours, percent = terms.cancellation_window_hours, terms.late_fee_percent
        policy = None if hours is None else {"windowHours": hours, "lateFeePercent": percent}
        raise TermsChanged(
            "The cancellation policy has changed for the worse. Look at the present one, and confirm it.",
            code="terms_changed",
            details={"cancellation": policy},
        )

    def is_worse(self, terms: Terms) -> bool:
        """Whether a policy is worse for the mentee: no cancellation, a higher fee, or a fee for a longer time."""
        if self.window_hours is None:
            return False
        hours, percent = terms.cancellation_window_hours, terms.late_fee_percent
        if hours is None or percent > self.late_fee_percent:
            return True
        return percent > 0 and hours > self.window_hours


NOTHING_EXPECTED = ExpectedTerms()
