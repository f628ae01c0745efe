"""Tests of the benchmark's tools on real sockets, processes and a real database."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from bench.machine import memory_mebibytes, processor_seconds, spending
from bench.receiver import running_receiver
from tests.load import Connection, UnexpectedAnswerError, closed_loop, fixed_rate, percentile
from tests.processes import stopped

BUSY = (
    "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(1, flush=True)\ninput()"
)


class Handler(BaseHTTPRequestHandler):
    """Answers /fixed with a length, /chunked in chunks, and /closed by closing the connection afterwards."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Send the body back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (body[:3], body[3:]):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/closed":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the handler listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/fixed", "/chunked", "/closed"])
def test_a_connection_reads_whole_answers_one_after_the_other(url: str, path: str) -> None:
    connection = Connection(url)
    for number in range(3):
        answer = connection.request("POST", path, {}, {"number": number}, expect=201)
        assert answer.json() == {"number": number}
    connection.close()


def test_an_unexpected_status_is_an_error_that_quotes_the_answer(url: str) -> None:
    connection = Connection(url)
    with pytest.raises(UnexpectedAnswerError, match=r"POST /fixed answered 201.*here"):
        connection.request("POST", "/fixed", {}, {"it is": "here"}, expect=202)
    connection.close()


def test_a_closed_loop_does_so_many_pieces_and_no_more(url: str) -> None:
    def work(connection: Connection) -> bool:
        return connection.request("POST", "/fixed", {}, {}).status == 201

    load = closed_loop(url, clients=4, work=work, count=50)
    assert load.count == 50
    assert load.per_second > 0
    assert load.percentile_ms(50) <= load.percentile_ms(99)


def test_a_fixed_rate_does_not_wait_for_answers(url: str) -> None:
    together = threading.Barrier(3)

    def work(_connection: Connection) -> bool:
        # Would wait for ever if the next began only after this one.
        together.wait(30)
        return True

    assert fixed_rate(url, per_second=1000, count=3, work=work).count == 3


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (99, 4.0), (1, 1.0), (75, 3.0)])
def test_a_percentile_is_a_value_that_was_seen(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value


def test_processor_time_is_that_of_a_tree_without_named_trees_in_it() -> None:
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        # Told in hundredths, rounded down twice.
        assert processor_seconds(busy.pid) >= 0.25
        # It is this process's child: left out, its time is not in this one's, which only grows.
        without = processor_seconds(os.getpid(), [busy.pid])
        assert processor_seconds(os.getpid()) - without >= 0.25
        with spending({"busy": busy.pid}) as spent:
            pass
        assert 0 <= spent.total < 0.25
        proportional, resident = memory_mebibytes(busy.pid)
        assert 0 < proportional <= resident
        with stopped(busy.pid):
            assert psutil.Process(busy.pid).status() == psutil.STATUS_STOPPED
        # It goes on, and ends of itself.
        busy.communicate("\n", timeout=30)
        assert busy.returncode == 0


def test_a_receiver_counts_what_it_has_taken() -> None:
    with running_receiver() as receiver:
        connection = Connection(receiver.url)
        for _ in range(3):
            connection.request("POST", "/hook", {}, {"type": "ping"}, expect=200)
        connection.close()
        receiver.wait_for(3, seconds=10)
        assert receiver.taken() == 3
