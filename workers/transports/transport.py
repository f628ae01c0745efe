"""What sends outbound messages of one kind, as those who use it know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from models.events import ErrorClass
from workflows.events.delivery import SendResult

M_contra = TypeVar("M_contra", contravariant=True)
# Renews the lease of the message in hand, if that is due: called from time to time while a receiver makes up its mind.
Renew = Callable[[], None]


def no_lease() -> None:
    """There is no lease to be renewed."""


class Transport(Protocol[M_contra]):
    """Sends messages, from as many threads as there are."""

    def send(self, message: M_contra, renew: Renew = no_lease) -> SendResult:
        """Give the message to its receiver and report; raises Postpone for what has to wait, else only for a defect."""
        ...

    def close(self) -> None:
        """Shut down every connection, those in use included: whoever talks over one gets an error."""
        return


class NotConfigured(Transport[object]):
    """Stands for a transport that the settings name no more: its deliveries end as cancelled.

    Args:
        why: for whoever reads why it was not sent.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, _message: object, _renew: Renew = no_lease) -> SendResult:
        """Report that there is nobody to send it to."""
        return SendResult(error=self._why, error_class=ErrorClass.NOT_LISTENING)
