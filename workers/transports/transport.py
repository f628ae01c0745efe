"""A way out of the house, as whoever sends by it knows it."""

from __future__ import annotations

from typing import Any, Protocol

from workflows.events.outcomes import Sent


class Transport(Protocol):
    """Gives the message to the receiver, and reports; raises Postpone for what has to wait, else only for a defect."""

    def send(self, message: Any) -> Sent: ...
