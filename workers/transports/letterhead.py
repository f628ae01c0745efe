"""What every mail of this house shares: its sender, where the operators read theirs, and the links at its foot."""

from __future__ import annotations

from dataclasses import dataclass

from config.signed_links import Signer
from workflows.notifications.choices import Choice
from workflows.notifications.unsubscribe import written

PURPOSE = "unsubscribe"


@dataclass(frozen=True)
class Links:
    """Addresses of our own that mails hold.

    Args:
        base: PUBLIC_URL, without a slash at its end.
    """

    base: str
    signer: Signer

    def unsubscribe(self, choice: Choice) -> str:
        """Where one click stops mails of that kind."""
        return f"{self.base}/unsubscribe/{self.signer.sign(written(choice))}"


@dataclass(frozen=True)
class Letterhead:
    """Whom mails come from, and where the operators read theirs: addresses, with names if there are any.

    Args:
        links: None where nobody knows under which address we are reached: nothing can be switched off by a click then.
    """

    sender: str
    operators: str
    links: Links | None = None
