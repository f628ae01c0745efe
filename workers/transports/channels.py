"""The operators' own channels, Slack or SMS for instance, through Apprise: by addresses that settings alone hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from apprise import Apprise

from models.events import ErrorClass
from workers.rules import name_of
from workers.transports.transport import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.outside.send_notice import Notice


class ChannelsTransport(Transport[Notice]):
    """Sends notices. An address is a secret, and stands neither in a row nor in a log.

    Args:
        urls: of Apprise, one per channel.

    Raises:
        ValueError: one of them is no address that Apprise knows.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        # Both write addresses into their lines.
        for talkative in ("apprise", "urllib3", "requests"):
            logging.getLogger(talkative).setLevel(logging.CRITICAL)
        self._channels = {name_of(url): _channel(url) for url in urls}

    def send(self, notice: Notice, _renew: Renew = no_lease) -> SendResult:
        """Hand the notice to its channel, which says no more than whether it took it."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return SendResult(error="The operators have this channel no more.", error_class=ErrorClass.NOT_LISTENING)
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
