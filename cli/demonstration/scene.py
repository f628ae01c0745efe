"""What all acts share: where everybody stands, and how long anything is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import urllib3

from cli.demonstration.client import Client
from cli.demonstration.failure import DemoFailed
from cli.demonstration.mailbox import Mailbox
from cli.demonstration.receiver import Receiver
from cli.demonstration.show import Show

# How often the API is asked whether something has followed; what arrives here rings the bell at once.
POLL_SECONDS = 0.03


@dataclass(frozen=True)
class Seen:
    """Something that was waited for: when it was seen (this process's monotonic clock), and in which words."""

    at: float
    what: str


@dataclass(frozen=True)
class Expected:
    """Something that must follow.

    Args:
        what: for the sentence "… did not happen".
        by: the process that does it, or that shows it.
        look: what has been seen of it, if anything.
        blame: the part whose log tells why it did not happen.
        known: what is known about it meanwhile, for that sentence.
    """

    what: str
    by: str
    look: Callable[[], Seen | None]
    blame: str
    known: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Scene:
    """The stage: patience is the most seconds that anything is waited for."""

    show: Show
    api_url: str
    http: urllib3.PoolManager
    mailbox: Mailbox
    receiver: Receiver
    bell: threading.Event
    patience: float

    def client(self, **claims: object) -> Client:
        """A caller with a token of these claims."""
        return Client(self.http, self.api_url, claims)

    def await_all(
        self, expected: Sequence[Expected], *, since: float, refresh: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until all of this has been seen, and show each as it comes.

        Args:
            since: the moment from which latencies count, on the monotonic clock.
            refresh: called before each look around.

        Raises:
            DemoFailed: something has not come within the patience, or a webhook could not be verified.
        """
        waiting, deadline = list(expected), monotonic() + self.patience
        with self.show.waiting("What follows …"):
            while waiting:
                self.bell.clear()
                refresh()
                self.receiver.check()
                waiting = self._look_around(waiting, since)
                if waiting and monotonic() > deadline:
                    raise self._failure(waiting[0])
                if waiting:
                    self.bell.wait(POLL_SECONDS)

    def _look_around(self, waiting: list[Expected], since: float) -> list[Expected]:
        seen = [(found, each) for each in waiting if (found := each.look()) is not None]
        for found, each in sorted(seen, key=lambda pair: pair[0].at):
            self.show.step(found.what, by=each.by, milliseconds=(found.at - since) * 1000)
        met = [each for _found, each in seen]
        return [each for each in waiting if each not in met]

    def _failure(self, missing: Expected) -> DemoFailed:
        known = missing.known()
        return DemoFailed(
            f"{missing.what} did not happen within {self.patience:g} seconds{': ' + known if known else ''}.",
            process=missing.blame,
        )
