"""How often something is tried again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

MINUTE = 60
HOUR = 60 * MINUTE


@dataclass(frozen=True)
class RetryPolicy:
    """The pauses between attempts, in seconds; after the last one comes one more attempt, and then `dead`.

    Args:
        pauses: from each failed attempt to the next.
        jitter: the share by which a pause may be longer or shorter, so that failures do not come back together.
    """

    pauses: tuple[float, ...]
    jitter: float = 0.2

    @property
    def attempts(self) -> int:
        """How many attempts there are in all."""
        return len(self.pauses) + 1

    def pause_after(self, attempt: int) -> timedelta | None:
        """How long to wait after that failed attempt, counted from 1; None when it was the last."""
        if attempt > len(self.pauses):
            return None
        # Spread over time, not kept secret.
        return timedelta(seconds=self.pauses[attempt - 1] * random.uniform(1 - self.jitter, 1 + self.jitter))


# Eight attempts over about a day.
DEFAULT = RetryPolicy((2, 15, 2 * MINUTE, 15 * MINUTE, HOUR, 5 * HOUR, 18 * HOUR))
# Seven attempts over some six hours: later than that, nobody wants to be called.
PUSH = RetryPolicy((5, 30, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR))
# Ten attempts over about 75 hours, as dedicated webhook senders do, unless the operator has chosen other pauses.
WEBHOOKS = RetryPolicy(
    (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR),
)
