"""The operators' own channels, e.g. Slack or SMS, through Apprise, by addresses that only settings hold."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Lock, Thread

from apprise import Apprise

from models.events import ErrorClass
from workers.transports import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.notifications.mails import Notice

CHANNEL_GONE = "The operators no longer have this channel."
# Together with the latest start of a send less than a lease.
DEADLINE_SECONDS = 15.0
# Threads that one channel may hold beyond their deadline; until one ends, nothing more is sent to it.
MAX_HANGING = 4


class AppriseTransport(Transport[Notice]):
    """Transport of notices. An address is a secret, which neither rows nor logs hold.

    Args:
        urls: of Apprise, by the names of the channels.
        deadline: seconds until the channel must have answered.

    Raises:
        ValueError: Apprise does not know one of the addresses.
    """

    def __init__(self, urls: Mapping[str, str], *, deadline: float = DEADLINE_SECONDS) -> None:
        # All of them write addresses into their lines.
        for name in ("apprise", "urllib3", "requests"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._deadline = deadline
        self._channels = {name: _Channel(url) for name, url in urls.items()}

    def send(self, notice: Notice, _renew: Renew = no_lease) -> SendResult:
        """Hand the notice to its channel; Apprise reports no more than whether it was accepted."""
        channel = self._channels.get(notice.channel)
        if channel is None:
            return SendResult(error=CHANNEL_GONE, error_class=ErrorClass.NOT_LISTENING)
        try:
            accepted = channel.notify(notice, seconds=self._deadline)
        except TimeoutError:
            error = f"{channel.service} did not answer within {self._deadline:g} s."
            return SendResult(error=error, error_class=ErrorClass.TIMEOUT, unavailable=True)
        if accepted:
            return SendResult()
        return SendResult(error=f"{channel.service} did not take the notice.", error_class=ErrorClass.PROTOCOL)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


class _Channel:
    """One channel, with a deadline for all of a send.

    Apprise opens its connections, and bounds only the time between two reads: a server that drips would hold a sender
    for ever. So each send has a thread of its own; its sender waits until the deadline, and then abandons the thread.
    """

    def __init__(self, url: str) -> None:
        self._apprise = Apprise()
        if not self._apprise.add(url):
            # Without the address, which holds secrets.
            raise ValueError("APPRISE_URLS holds an address that Apprise does not know.")
        self._lock = Lock()
        self._sends: dict[Thread, Future[bool]] = {}

    @property
    def service(self) -> str:
        return str(next(iter(self._apprise)).service_name)

    def notify(self, notice: Notice, *, seconds: float) -> bool:
        """Whether the channel accepted the notice.

        Raises:
            TimeoutError: it did not answer in time, or too many earlier sends hang.
        """
        answer: Future[bool] = Future()
        thread = Thread(target=self._send, args=(notice, answer), name="channel", daemon=True)
        with self._lock:
            self._sends = {each: waits for each, waits in self._sends.items() if each.is_alive()}
            if len(self._sends) >= MAX_HANGING:
                raise TimeoutError
            self._sends[thread] = answer
            thread.start()
        return answer.result(seconds)

    def close(self) -> None:
        with self._lock:
            for answer in self._sends.values():
                with suppress(InvalidStateError):
                    answer.set_exception(TimeoutError())

    def _send(self, notice: Notice, answer: Future[bool]) -> None:
        # An answer after `close` is dropped.
        with suppress(InvalidStateError):
            try:
                answer.set_result(bool(self._apprise.notify(title=notice.words.title, body=notice.words.body)))
            except Exception as error:  # noqa: BLE001 - raised again by the sender that waits
                answer.set_exception(error)
