"""What sends outbound messages of one kind, as those who use it know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from workflows.events.outcomes import Sent

M_contra = TypeVar("M_contra", contravariant=True)
# Renews the lease of the message in hand, if that is due: called from time to time while a receiver makes up its mind.
Renew = Callable[[], None]


def no_lease() -> None:
    """There is no lease to be renewed."""


class Transport(Protocol[M_contra]):
    """Sends messages, from as many threads as there are."""

    def send(self, message: M_contra, renew: Renew = no_lease) -> Sent:
        """Give the message to its receiver and report; raises Postpone for what has to wait, else only for a defect."""
        ...

    def close(self) -> None:
        """Shut down every connection, those in use included: whoever talks over one gets an error."""
        return
