"""The operators' own channels, e.g. Slack or SMS, through Apprise, by addresses that only settings hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from apprise import Apprise

from models.events import ErrorClass
from workers.rules import name_of
from workers.transports import Renew, Transport, no_lease
from workflows.effects.messages import Notice
from workflows.events.delivery import SendResult

CHANNEL_GONE = "The operators no longer have this channel."


class AppriseTransport(Transport[Notice]):
    """Transport of notices. An address is a secret, and stands neither in a row nor in a log.

    Args:
        urls: of Apprise, one per channel.

    Raises:
        ValueError: Apprise does not know one of the addresses.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        # All of them write addresses into their lines.
        for name in ("apprise", "urllib3", "requests"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._channels = {name_of(url): _channel(url) for url in urls}

    def send(self, notice: Notice, _renew: Renew = no_lease) -> SendResult:
        """Hand the notice to its channel; Apprise reports no more than whether it was accepted."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return SendResult(error=CHANNEL_GONE, error_class=ErrorClass.NOT_LISTENING)
        if channel.notify(title=notice.words.title, body=notice.words.body):
            return SendResult()
        service = next(iter(channel)).service_name
        return SendResult(error=f"{service} did not take the notice.", error_class=ErrorClass.STATUS)


def _channel(url: str) -> Apprise:
    channel = Apprise()
    if not channel.add(url):
        # Without the address, which holds secrets.
        raise ValueError("APPRISE_URLS holds an address that Apprise does not know.")
    return channel
