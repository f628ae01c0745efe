"""Tests of the bulkhead: slow destinations never block prompt ones, and none is starved."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from queue import SimpleQueue
from threading import Event, Lock, Semaphore

import pytest

from tests.eventually import eventually
from tests.unit.push_messages import to_host
from workers.routes import protected_push
from workers.transports import Renew, Transport, no_lease
from workers.transports.protection import HANGING_SECONDS, MAX_PAUSE_SECONDS, Protected, Shares
from workflows.events.delivery import Postpone, SendResult
from workflows.notifications.pushes import PushMessage

YES, NO = SendResult(status_code=200), SendResult(error="no", status_code=500)
SHARES = Shares.of(32)


class GatedTransport(Transport[str]):
    """Transport whose sends wait at a gate per destination; a message is the name of its destination."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.answers = YES
        self.gates: defaultdict[str, Semaphore] = defaultdict(lambda: Semaphore(0))
        self.begun_or_refused: SimpleQueue[bool] = SimpleQueue()

    def send(self, message: str, _renew: Renew = no_lease) -> SendResult:
        self.begun.append(message)
        self.begun_or_refused.put(True)
        assert self.gates[message].acquire(timeout=30)
        return self.answers


class BulkheadHarness:
    """A bulkhead before that transport, and threads that send."""

    def __init__(self, shares: Shares, room_seconds: float, destination: Callable[[str], str]) -> None:
        self.transport = GatedTransport()
        self.now = 1000.0
        self.bulkhead = Protected(
            self.transport, shares, destination=destination, clock=lambda: self.now, room_seconds=room_seconds
        )
        self.threads = ThreadPoolExecutor(64)
        self.sent: list[tuple[str, Future[SendResult]]] = []

    def begin(self, name: str, most: int = 100) -> int:
        """How many of so many messages to that destination the bulkhead admits."""
        for number in range(most):
            sending = self.threads.submit(self._send, name)
            if not self.transport.begun_or_refused.get(timeout=30):
                assert isinstance(sending.exception(30), Postpone)
                return number
            self.sent.append((name, sending))
        return most

    def end(self, answer: SendResult = YES, *, only: str = "") -> None:
        """End all sends, or those to one destination."""
        self.transport.answers = answer
        ending = [each for each in self.sent if only in ("", each[0])]
        for name, _sending in ending:
            self.transport.gates[name].release()
        for _name, sending in ending:
            sending.result(30)
        self.sent = [each for each in self.sent if each not in ending]

    def known(self, name: str, answer: SendResult = YES, *, slow: bool = False) -> str:
        assert self.begin(name, 1) == 1
        self.now += 2.0 * slow
        self.end(answer)
        return name

    def _send(self, name: str) -> SendResult:
        try:
            return self.bulkhead.send(name)
        except Postpone:
            self.transport.begun_or_refused.put(False)
            raise


@contextmanager
def bulkhead_harness(
    shares: Shares = SHARES, room_seconds: float = 0.0, destination: Callable[[str], str] = lambda name: name
) -> Iterator[BulkheadHarness]:
    """One for the time of the block."""
    made = BulkheadHarness(shares, room_seconds, destination)
    try:
        yield made
    finally:
        for gate in made.transport.gates.values():
            gate.release(1000)
        made.threads.shutdown()


@pytest.mark.parametrize(("answer", "slow", "most"), [(NO, False, 4), (YES, True, 4), (YES, False, 24)])
def test_a_destination_has_its_share_by_its_last_answer(answer: SendResult, slow: bool, most: int) -> None:
    with bulkhead_harness() as harness:
        assert harness.begin(harness.known("one", answer, slow=slow)) == most


def test_prompt_destinations_that_hang_together_leave_room_for_others() -> None:
    with bulkhead_harness() as harness:
        hanging = [harness.known(f"hanging {number}") for number in range(5)]
        others = [harness.known(f"other {number}") for number in range(6)]
        # All within the one second before a hang can be detected.
        assert sum(harness.begin(name) for name in hanging) == 24 + 4, "one each out of the reserve"
        for later in (0.5, 5, 14):
            harness.now += later
            assert [harness.begin(name) for name in hanging] == [0] * 5
            for name in others:
                assert harness.begin(name) == 1, "the reserve is for one each"
                harness.end(only=name)


def test_a_new_destination_gets_one_until_it_answers() -> None:
    with bulkhead_harness() as harness:
        assert harness.begin(harness.known("prompt")) == 24
        assert [harness.begin(f"new {number}") for number in range(8)] == [1] * 8


def test_all_slow_destinations_together_take_a_quarter() -> None:
    with bulkhead_harness() as harness:
        slow = [harness.known(f"slow {number}", slow=True) for number in range(10)]
        prompt = harness.known("prompt")
        assert sum(harness.begin(name) for name in slow) == 8
        assert harness.begin(prompt) == 16
        assert harness.begin("new") == 1, "out of the reserve"


def test_a_destination_is_slow_after_a_second_without_response() -> None:
    with bulkhead_harness() as harness:
        name = harness.known("prompt")
        assert harness.begin(name, 3) == 3
        harness.now += 1.1
        assert harness.begin(name) == 1, "four are on their way"


def test_a_failure_that_comes_at_once_is_not_slow() -> None:
    with bulkhead_harness() as harness:
        slow = [harness.known(f"slow {number}", slow=True) for number in range(8)]
        failing = harness.known("failing", NO)
        assert [harness.begin(name, 1) for name in slow] == [1] * 8
        assert harness.begin(failing, 1) == 1, "others fill the share of the slow"


def test_a_prompt_response_makes_a_slow_destination_prompt() -> None:
    with bulkhead_harness() as harness:
        harness.known("one", slow=True)
        assert harness.begin(harness.known("one")) == 24


def test_when_all_have_arrived_all_senders_are_free() -> None:
    with bulkhead_harness() as harness:
        for name in [harness.known("slow", slow=True), harness.known("prompt"), "new"]:
            harness.begin(name)
        harness.end()
        assert harness.begin("prompt") == 24


# WEBHOOK_THREADS is 4 at least.
@pytest.mark.parametrize("senders", [4, 5, 7, 8, 32, 40])
@pytest.mark.parametrize(("answer", "slow"), [(NO, False), (YES, True), (YES, False)])
def test_any_number_of_senders_leaves_each_destination_one(senders: int, answer: SendResult, slow: bool) -> None:
    with bulkhead_harness(Shares.of(senders)) as harness:
        assert harness.begin(harness.known("one", answer, slow=slow), 1) == 1


@pytest.mark.parametrize("senders", [4, 5, 8, 32])
@pytest.mark.parametrize(("answer", "slow"), [(NO, False), (YES, True), (YES, False)])
def test_one_of_few_destinations_is_not_read_one_after_another(senders: int, answer: SendResult, slow: bool) -> None:
    with bulkhead_harness(Shares.of_few(senders)) as harness:
        most = harness.begin(harness.known("one", answer, slow=slow))
        assert 2 <= most < senders
        assert harness.begin("another", 1) == 1, "what one host holds leaves room for another"


def test_a_single_destination_gets_three_quarters_once_it_is_prompt() -> None:
    with bulkhead_harness(Shares.of_one(4)) as harness:
        assert harness.begin("server") == 1
        harness.end()
        assert harness.begin("server") == 3
        harness.end(NO)
        assert harness.begin("server") == 1, "a failure takes the trust back"


def test_one_message_tries_a_prompt_server_that_hangs() -> None:
    with bulkhead_harness(Shares.of_one(16), destination=lambda _name: "server") as harness:
        harness.known("answered")
        assert harness.begin("hangs") == 12
        assert harness.begin("hangs") == 0
        harness.now += 1.1
        assert harness.begin("answered") == 1
        harness.end(only="answered")
        # The server is prompt again: the messages that hang block no others.
        assert harness.begin("answered") == 4
        harness.end(only="answered")
        assert harness.begin("answered") == 4


def test_hanging_sends_leave_room_for_few_others() -> None:
    with bulkhead_harness(Shares.of_one(4)) as harness:
        for _ in range(4):
            assert harness.begin("server") == 1
            harness.now += HANGING_SECONDS
        assert harness.begin("server") == 0
        harness.end()
        assert harness.begin("server", 1) == 1


@pytest.mark.parametrize(
    ("waited", "most"), [(0, 2), (29, 2), (31, 7.75), (60, 15), (120, MAX_PAUSE_SECONDS), (600, MAX_PAUSE_SECONDS)]
)
def test_postponements_grow_with_the_time_waited(waited: float, most: float) -> None:
    with bulkhead_harness(Shares.of_one(1)) as harness:
        assert harness.begin("server") == 1
        harness.now += waited
        with pytest.raises(Postpone) as postponed:
            harness.bulkhead.send("server")
        assert isinstance(postponed.value.until, timedelta)
        assert most / 4 - 0.1 < postponed.value.until.total_seconds() <= most


def test_a_transport_that_raises_gives_its_place_back() -> None:
    class Broken(Transport[str]):
        def send(self, _message: str, _renew: Renew = no_lease) -> SendResult:
            raise RuntimeError("a defect")

    bulkhead = Protected(Broken(), Shares.of_one(1), destination=lambda name: name)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            bulkhead.send("server")


def waiting(harness: BulkheadHarness, name: str) -> Future[SendResult]:
    """One more message, which has come to wait for room."""
    before = harness.bulkhead._waiting
    sent = harness.threads.submit(harness.bulkhead.send, name)
    eventually(lambda: harness.bulkhead._waiting == before + 1, "one more that waits")
    return sent


FULL = Shares(senders=4, many=3, few=1, slow=1, reserve=1)


def test_while_messages_arrive_the_next_waits_and_goes() -> None:
    with bulkhead_harness(FULL) as harness:
        name = harness.known("prompt")
        assert harness.begin(name) == 3
        harness.bulkhead._room_seconds = 20.0
        next_ones = [waiting(harness, name) for _ in range(2)]
        harness.transport.gates[name].release(5)
        assert [each.result(20).status_code for each in next_ones] == [200, 200]
        assert harness.bulkhead._waiting == 0


def test_a_destination_with_nothing_under_way_passes_what_waits() -> None:
    with bulkhead_harness(FULL) as harness:
        name = harness.known("prompt")
        assert harness.begin(name) == 3
        harness.bulkhead._room_seconds = 20.0
        waits = waiting(harness, name)
        passes = harness.threads.submit(harness.bulkhead.send, "other")
        eventually(lambda: harness.transport.begun[-1] == "other", "the other's message on its way")
        assert not waits.done()
        harness.transport.gates["other"].release()
        harness.transport.gates[name].release(4)
        assert passes.result(20).status_code == waits.result(20).status_code == 200


def test_what_is_not_known_to_answer_is_not_waited_for() -> None:
    with bulkhead_harness(FULL, room_seconds=20.0) as harness:
        assert harness.begin("new", 1) == 1
        with pytest.raises(Postpone):
            harness.bulkhead.send("new")
        assert harness.bulkhead._waiting == 0


SENDERS = 4


class Services(Transport[PushMessage]):
    """Push services, of which all whose name begins with `hanging` say nothing until they are let."""

    def __init__(self) -> None:
        self.let = Event()
        self.hanging = 0
        self._lock = Lock()

    def send(self, message: PushMessage, _renew: Renew = no_lease) -> SendResult:
        """Take a message."""
        if message.host.startswith("hanging"):
            with self._lock:
                self.hanging += 1
            self.let.wait(30)
        return SendResult(status_code=201)


def test_browsers_at_a_hanging_host_block_no_others() -> None:
    services = Services()
    protected = protected_push(services, SENDERS)
    with ThreadPoolExecutor(20) as threads:
        pushes = [threads.submit(protected.send, to_host("hanging.example")) for _ in range(20)]
        eventually(lambda: sum(push.done() for push in pushes) == 19, "all but one postponed")
        assert services.hanging == 1
        assert {type(push.exception()) for push in pushes if push.done()} == {Postpone}
        for number in range(3):
            assert protected.send(to_host(f"good{number}.example")).error is None
            assert protected.send(to_host("good.example")).error is None
        services.let.set()


def test_hanging_hosts_hold_no_more_senders_than_push_has() -> None:
    services = Services()
    protected = protected_push(services, SENDERS)
    with ThreadPoolExecutor(20) as threads:
        pushes = [threads.submit(protected.send, to_host(f"hanging{number}.example")) for number in range(20)]
        eventually(lambda: sum(push.done() for push in pushes) == 20 - SENDERS, "the others, postponed")
        assert services.hanging == SENDERS
        with pytest.raises(Postpone):
            protected.send(to_host("good.example"))
        services.let.set()
    assert protected.send(to_host("good.example")).error is None
