"""Tools of the demo's steps: output, clients of the API, and waits for results."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from textwrap import wrap
from time import monotonic
from typing import Any
from uuid import uuid4

import urllib3
from rich.console import Console
from rich.text import Text

from cli.demonstration.receivers import Mailbox, Receiver
from cli.token import sign
from config.settings import settings


class DemoFailed(Exception):
    """A step failed.

    Args:
        sentence: the result, and the expected result.
        process: the part whose log is worth reading, as run.json calls it; None where no log would help.
    """

    def __init__(self, sentence: str, *, process: str | None = None) -> None:
        super().__init__(sentence)
        self.process = process


def require(what: str, found: object, right: object, process: str) -> None:
    """Fail unless a result is right; the failure names the responsible part."""
    if found != right:
        raise DemoFailed(f"{what}: found {found}, and {right} would be right.", process=process)


NAME_WIDTH = 21
# Before a step's words: its mark, its duration, and the name.
STEP_INDENT = 4 + 12 + NAME_WIDTH
MIN_WORDS_WIDTH = 24
# Actors of the demo itself, besides the parts of the system.
SMTP_SINK = "smtp sink"
RECEIVER = "receiver"
DATABASE = "postgres"


class Output:
    """Prints; may be called from any thread."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def heading(self, title: str) -> None:
        self._console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)

    def step(self, what: str, *, by: str, milliseconds: float | None = None) -> None:
        """Print a step that succeeded.

        Args:
            by: the process that did it.
            milliseconds: its duration; None where it has no meaning.
        """
        took = "" if milliseconds is None else f"{milliseconds:,.0f} ms"
        first, *rest = self._wrapped(what, indent=STEP_INDENT) or [""]
        line = Text.assemble(
            (" ✓  " if self._console.is_terminal else " ok ", "green"),
            (f"{took:>10}  ", "cyan"),
            (f"{by:<{NAME_WIDTH}}", "magenta"),
            first,
            *(f"\n{' ' * STEP_INDENT}{each}" for each in rest),
        )
        self._console.print(line, soft_wrap=True)

    def line(self, sentence: str, *, wrapped: bool = True) -> None:
        """Print text; a line that is too long for the screen is wrapped at words, unless it must stay whole."""
        for each in sentence.split("\n"):
            self._console.print(Text("\n".join(self._wrapped(each) or [""]) if wrapped else each), soft_wrap=True)

    def _wrapped(self, words: str, *, indent: int = 0) -> list[str]:
        width = max(self._console.width - indent, MIN_WORDS_WIDTH)
        if len(words) <= width:
            return [words]
        return wrap(words, width, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show a wait on a terminal; a log shows nothing."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(what)):
            yield


TOKEN_LIFETIME = timedelta(hours=1)
# Longer than any answer may take, a preference's 10 s included.
ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """An answer of the API, when its request was sent (this process's monotonic clock), and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    sent_at: float
    milliseconds: float


@dataclass(frozen=True)
class Client:
    """One caller of the API, whose token has these claims."""

    run: DemoRun
    claims: dict[str, Any]

    def get(self, path: str, *, expect: Sequence[int] = (200,)) -> Answer:
        return self._ask("GET", path, None, expect, {})

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        expect: int = 201,
        code: str = "",
        prefer: str = "",
        step: str = "",
    ) -> Answer:
        """Post under a new idempotency key.

        Args:
            expect: the status of the answer.
            code: the error code, where a refusal is expected.
            step: printed when the answer is as expected; may name fields of the answer's body.
        """
        headers = {"Prefer": prefer} if prefer else {}
        answer = self._ask("POST", path, body or {}, (expect,), headers)
        require(f"the code of POST {path}", answer.body.get("code", ""), code, "api")
        if step:
            self.run.output.step(step.format_map(answer.body), by="api", milliseconds=answer.milliseconds)
        return answer

    def patch(self, path: str, body: Mapping[str, Any]) -> Answer:
        return self._ask("PATCH", path, body, (200,), {})

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, expect: Sequence[int], headers: Mapping[str, str]
    ) -> Answer:
        """One request. Raises DemoFailed: there is no answer, none that is JSON, or one of another status."""
        token = sign(self.claims, lifetime=TOKEN_LIFETIME, settings=settings())
        keyed = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4()), **headers}
        url, began = self.run.api_url + path, monotonic()
        try:
            response = self.run.http.request(
                method, url, json=body, headers=keyed, timeout=ANSWER_SECONDS, retries=False
            )
            took = (monotonic() - began) * 1000
            answer = Answer(response.status, response.headers, response.json(), began, took)
        except (urllib3.exceptions.HTTPError, json.JSONDecodeError) as error:
            raise DemoFailed(f"{method} {path} got no answer that could be read: {error}.", process="api") from error
        if answer.status not in expect:
            said = " ".join(str(answer.body[name]) for name in ("message", "details") if name in answer.body)
            sentence = f"{method} {path} answered {answer.status} instead of {expect[0]}: {said}"
            raise DemoFailed(sentence, process="api")
        return answer


# Seconds between two looks at the API; mails and webhooks that arrive here are seen at once.
POLL_SECONDS = 0.03


@dataclass(frozen=True)
class Seen:
    """An expected result that was seen: when (this process's monotonic clock), and its words."""

    at: float
    what: str


@dataclass(frozen=True)
class Expected:
    """A result that must follow."""

    what: str  # for the sentence "… did not happen"
    by: str  # the process that does it, or that shows it
    look: Callable[[], Seen | None]  # returns the result, once it is seen
    process: str  # the part whose log shows why it did not happen
    known: Callable[[], str] = lambda: ""  # the present knowledge about it, for that sentence


@dataclass(frozen=True)
class DemoRun:
    """One run of the demo."""

    output: Output
    api_url: str
    http: urllib3.PoolManager
    mailbox: Mailbox
    receiver: Receiver
    arrival: threading.Event  # set whenever a mail or a webhook arrives
    timeout_seconds: float  # the longest wait for a result

    def client(self, **claims: object) -> Client:
        return Client(self, claims)

    def await_all(
        self, expected: Sequence[Expected], *, since: float, refresh: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until all results have been seen, and show each as it comes.

        Args:
            since: the moment from which latencies count, on the monotonic clock.
            refresh: called before each look around.

        Raises:
            DemoFailed: a result has not come in time, or a webhook could not be verified.
        """
        waiting, deadline = list(expected), monotonic() + self.timeout_seconds
        with self.output.waiting("What follows …"):
            while waiting:
                self.arrival.clear()
                refresh()
                if refused := self.receiver.refused:
                    sentence = f"The receiver refused a webhook, since it could not verify it: {refused[0]}."
                    raise DemoFailed(sentence, process="worker-webhooks")
                waiting = self._look_around(waiting, since)
                if waiting and monotonic() > deadline:
                    raise self._failure(waiting[0])
                if waiting:
                    self.arrival.wait(POLL_SECONDS)

    def _look_around(self, waiting: list[Expected], since: float) -> list[Expected]:
        seen = [(found, each) for each in waiting if (found := each.look()) is not None]
        for found, each in sorted(seen, key=lambda pair: pair[0].at):
            self.output.step(found.what, by=each.by, milliseconds=(found.at - since) * 1000)
        met = [each for _found, each in seen]
        return [each for each in waiting if each not in met]

    def _failure(self, missing: Expected) -> DemoFailed:
        known = missing.known()
        return DemoFailed(
            f"{missing.what} did not happen within {self.timeout_seconds:g} seconds{': ' + known if known else ''}.",
            process=missing.process,
        )
