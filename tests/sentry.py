"""A server that speaks as much of Sentry's protocol as its clients need, and what it was sent."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.receivers import HttpReceiver, Request, http_receiver


@dataclass
class Sentry:
    """Keeps the envelopes that arrive."""

    receiver: HttpReceiver

    @property
    def dsn(self) -> str:
        return self.receiver.url.replace("http://", "http://public-key@") + "/7"

    def reports(self) -> list[dict[str, Any]]:
        assert all(request.path == "/api/7/envelope/" for request in self.receiver.requests)
        return [event for request in self.receiver.requests for event in _events_of(_text(request))]

    def text(self) -> str:
        """Everything that was sent, with the headers of the requests."""
        return "\n".join(f"{request.headers} {_text(request)}" for request in self.receiver.requests)


@contextmanager
def sentry_server() -> Iterator[Sentry]:
    with http_receiver() as receiver:
        receiver.status, receiver.body = 200, b"{}"
        yield Sentry(receiver)


def _text(request: Request) -> str:
    zipped = request.headers.get("content-encoding") == "gzip"
    return (gzip.decompress(request.body) if zipped else request.body).decode()


def _events_of(envelope: str) -> Iterator[dict[str, Any]]:
    lines = envelope.splitlines()[1:]
    for head, item in zip(lines[::2], lines[1::2], strict=False):
        assert json.loads(head)["type"] == "event", head
        yield json.loads(item)
