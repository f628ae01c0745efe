"""Transports, which send the messages that outbound effects have prepared."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from models.events import ErrorClass
from workflows.events.delivery import SendResult

M_contra = TypeVar("M_contra", contravariant=True)
# Renews the message's lease if that is due; called from time to time while a receiver takes long.
Renew = Callable[[], None]


def no_lease() -> None:
    """Do nothing: there is no lease to be renewed."""


class Transport(Protocol[M_contra]):
    """Sends messages of one type, from any number of threads."""

    def send(self, message: M_contra, renew: Renew = no_lease) -> SendResult:
        """Send the message and report; raises Postpone for a message that must wait, other exceptions for defects."""
        ...

    def close(self) -> None:
        """Shut down every connection, those in use included: their senders get an error."""
        return


class NotConfigured(Transport[object]):
    """Replaces a transport that the settings no longer name: its deliveries are cancelled.

    Args:
        reason: kept with the delivery.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, _message: object, _renew: Renew = no_lease) -> SendResult:
        return SendResult(error=self._reason, error_class=ErrorClass.NOT_LISTENING)
