"""Clients that play lives in a closed loop, ask again under the same key until answered, and forget nothing."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from threading import Event
from uuid import uuid4

from tests.booking_system import Offer, Tutelage
from tests.load import Answer, Connection

# Longer than any part takes to be started again, and than a lease lasts.
ANSWER_SECONDS = 90
RETRY_PAUSE_SECONDS = 0.1
POLL_SECONDS = 0.05
WAITING = "waiting"


class Unanswered(Exception):
    """A request that should be answered with success in the end was not."""


@dataclass
class Life:
    """A booking's life, as far as its steps were acknowledged."""

    booking_id: str
    session_id: str = ""
    accepted_at: float | None = None  # when its acceptance was acknowledged, on the monotonic clock; None before
    session_seconds: float | None = None  # from sending the accept until the session could be read
    completed: bool = False


@dataclass
class Record:
    """What clients have been told, whatever happens to the system."""

    lives: list[Life] = field(default_factory=list)
    answered_at: list[float] = field(default_factory=list)  # when each step was acknowledged, on the monotonic clock
    sessions_read_at: list[float] = field(default_factory=list)  # when each session could first be read
    # How many requests had to be sent again, by what they came to.
    retries: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # answers that no client should get

    @property
    def accepted(self) -> list[Life]:
        return [life for life in self.lives if life.accepted_at is not None]

    @property
    def completed(self) -> list[Life]:
        return [life for life in self.lives if life.completed]


@dataclass
class Client:
    """One client, with a connection of its own."""

    system: Tutelage
    record: Record
    connection: Connection

    def live(self) -> Life:
        """Play one whole life.

        Raises:
            Unanswered: a step was refused, or never answered with success.
        """
        offer, start = self.next_slot()
        mentee, mentor = offer.as_mentee, offer.as_mentor
        made = self.do("POST", "/bookings", mentee, {"listingId": offer.listing_id, "startTime": start})
        life = Life(made.json()["id"])
        self.record.lives.append(life)
        began = time.monotonic()
        life.session_id = self.do("POST", f"/bookings/{life.booking_id}/accept", mentor).json()["sessionId"]
        life.accepted_at = time.monotonic()
        self.ask("GET", f"/sessions/{life.session_id}", mentee, pending=("session_pending",))
        self.record.sessions_read_at.append(time.monotonic())
        life.session_seconds = time.monotonic() - began
        self.do("POST", f"/sessions/{life.session_id}/start", mentor)
        self.do("POST", f"/sessions/{life.session_id}/complete", mentor)
        life.completed = True
        self.do("POST", f"/sessions/{life.session_id}/review", mentee, {"rating": 5}, pending=("review_not_open",))
        return life

    def next(self, number: int) -> None:  # noqa: ARG002 - every life is alike
        """Do the piece of work of this number."""
        self.live()

    def next_slot(self) -> tuple[Offer, str]:
        """What to book, and when."""
        return self.system.next_slot()

    def do(
        self,
        method: str,
        path: str,
        identity: Mapping[str, str],
        body: object = None,
        *,
        pending: tuple[str, ...] = (),
        refusals: tuple[str, ...] = (),
        refused: bool = False,
    ) -> Answer:
        """Change something, once, however often it has to be asked for; the answer is remembered as given.

        Args:
            pending: the codes of refusals that mean "not yet".
            refusals: the codes of refusals that are an answer, too.
            refused: whether one of these is the only right answer.
        """
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            headers = {**identity, "Idempotency-Key": uuid4().hex}
            answer = self.ask(method, path, headers, body, ("key_in_use",), refusals=(*refusals, *pending))
            # A refusal is remembered under its key, too.
            if _code(answer) not in pending:
                break
            if time.monotonic() > end:
                raise Unanswered(f"{method} {path}: {_code(answer)} after {ANSWER_SECONDS} s")
            time.sleep(POLL_SECONDS)
        if refused and answer.status < 300:
            raise Unanswered(f"{method} {path}: {answer.status}, and not {' or '.join(refusals)}")
        self.record.answered_at.append(time.monotonic())
        return answer

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: object = None,
        pending: tuple[str, ...] = (),
        *,
        refusals: tuple[str, ...] = (),
        until: Callable[[Answer], bool] = lambda _answer: True,
    ) -> Answer:
        """Ask until there is an answer of success.

        Args:
            pending: the codes of refusals that mean "not yet".
            refusals: the codes of refusals that are an answer, too.
            until: whether a success is the answer that is awaited.
        """
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                answer = self.connection.request(method, path, headers, body)
            except OSError as error:
                self.connection.close()
                why = type(error).__name__
            else:
                if (answer.status < 300 and until(answer)) or _code(answer) in refusals:
                    return answer
                why = str(answer.status) if answer.status >= 300 else WAITING
                if answer.status not in (503, *range(200, 300)) and _code(answer) not in pending:
                    raise Unanswered(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
            if why not in ("404", WAITING):
                self.record.retries[why] = self.record.retries.get(why, 0) + 1
            if time.monotonic() > end:
                raise Unanswered(f"{method} {path}: {why} after {ANSWER_SECONDS} s")
            time.sleep(POLL_SECONDS if why in ("404", WAITING) else RETRY_PAUSE_SECONDS)


class Crowd:
    """So many clients, each in a thread; `stop` lets every one finish its life."""

    def __init__(
        self,
        system: Tutelage,
        clients: int,
        lives: int | None = None,
        make: Callable[[Record], Client] | None = None,
    ) -> None:
        """Begin.

        Args:
            make: makes each client; None for clients that play whole lives.
            lives: how many to begin, all together; None for as many as there is time for.
        """
        self.record = Record()
        self._make = make or (lambda record: Client(system, record, Connection(system.url)))
        self._stop = Event()
        self._remaining: Iterator[int] = iter(range(lives)) if lives is not None else count()
        self._threads = ThreadPoolExecutor(clients)
        self._clients: list[Future[None]] = [self._threads.submit(self._play) for _ in range(clients)]

    def stop(self) -> Record:
        """Begin no further life, and wait for those that have begun."""
        self._stop.set()
        return self.wait()

    def wait(self) -> Record:
        for client in self._clients:
            client.result()
        self._threads.shutdown()
        return self.record

    def _play(self) -> None:
        client = self._make(self.record)
        while not self._stop.is_set() and (number := next(self._remaining, None)) is not None:
            try:
                client.next(number)
            except Unanswered as error:
                self.record.wrong.append(str(error))
        client.connection.close()


def _code(answer: Answer) -> str:
    try:
        return str(answer.json()["code"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return ""
