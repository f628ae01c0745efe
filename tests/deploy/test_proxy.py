"""Tests of deploy/nginx/nginx.conf with a real nginx, where one is installed; tests/cli/test_compose.py reads it."""

import json
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
import yaml

from cli.embedded import free_port
from cli.plan import ROOT
from tests.api.served import Served, started
from tests.eventually import eventually
from tests.receivers import HttpReceiver, Request, serving

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NAME_NOT_KNOWN = 3
DRAIN_SECONDS = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["api"]["environment"][
    "API_DRAIN_SECONDS"
]


@dataclass
class Names:
    """A name server, as Docker has one for its network, that knows some names to be this machine."""

    port: int = 0
    known: set[str] = field(default_factory=set)

    def answer(self, question: bytes) -> bytes:
        """The answer to one question (RFC 1035): an A record of one second, or none."""
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = struct.unpack_from("!H", question, at + 1)[0]
        found = ".".join(labels) in self.known
        addresses = int(found and kind == 1)
        flags = 0x8180 | (0 if found else NAME_NOT_KNOWN)
        head = question[:2] + struct.pack("!HHHHH", flags, 1, addresses, 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton("127.0.0.1")
        return head + question[12 : at + 5] + record * addresses


@contextmanager
def name_server() -> Iterator[Names]:
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        names.port = server.getsockname()[1]
        over = threading.Event()

        def serve() -> None:
            while True:
                question, client = server.recvfrom(512)
                if over.is_set():
                    return
                server.sendto(names.answer(question), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield names
        over.set()
        server.sendto(b"", ("127.0.0.1", names.port))
        thread.join()


class Named(HttpReceiver):
    """Answers with the path that was asked for."""

    def answer(self, request: Request) -> bytes:
        return request.path.encode()


@contextmanager
def upstream() -> Iterator[int]:
    with serving(Named(status=200)) as running:
        yield int(running.url.rpartition(":")[2])


@contextmanager
def proxy(folder: Path, program: str, names: Names, apis: Sequence[int], streams: int) -> Iterator[str]:
    """nginx with the shipped configuration, but for addresses; the address at which it listens.

    The addresses of the API stand in it, since they are not looked up again before nginx 1.27.3.
    """
    port = free_port()
    text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    for shipped, here in (
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("listen 5555;", f"listen 127.0.0.1:{free_port()};"),
        ("server api:8000 resolve max_fails=0;", "".join(f"server 127.0.0.1:{api} max_fails=0;" for api in apis)),
        ("http://streams:8001", f"http://streams:{streams}"),
        ("resolver 127.0.0.11 valid=2s;", f"resolver 127.0.0.1:{names.port} valid=1s ipv6=off;"),
        ("error_log /dev/stderr warn;", f"error_log {folder}/error.log warn;"),
        ("access_log /dev/stdout ", f"access_log {folder}/access.log "),
        ("    server_tokens off;", "".join(f"    {each}_temp_path {folder}/{each};\n" for each in TEMPORARY)),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    file = folder / "nginx.conf"
    file.write_text(text)
    # Its workers are another user when root starts it.
    folder.chmod(0o755)
    words = [program, "-p", str(folder), "-c", str(file), "-e", f"{folder}/error.log"]
    with subprocess.Popen([*words, "-g", f"daemon off; pid {folder}/nginx.pid;"], stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: _listens(port, process), "nginx")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


class Clients:
    """Clients of a proxy that ask one request after the other, and count what they are answered."""

    def __init__(self, url: str, methods: Sequence[str]) -> None:
        self.answers: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url, method)) for method in methods]
        for thread in self._threads:
            thread.start()

    def ask_more(self) -> None:
        before = self.answers.total()
        eventually(lambda: self.answers.total() > before + 300, "more answers")

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str, method: str) -> None:
        http = urllib3.PoolManager(retries=False, timeout=30)
        while not self._over.is_set():
            try:
                told = str(http.request(method, url, body=b"x" if method == "POST" else None).status)
            except urllib3.exceptions.HTTPError as error:
                told = type(error).__name__
            self.answers[f"{method} {told}"] += 1


@contextmanager
def api_process(folder: Path, port: int) -> Iterator[Served]:
    """The API as it is really run, which has no database; it is asked to end, as Docker does, and has ended then."""
    folder.mkdir(exist_ok=True)
    variables = {"DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none", "RATE_LIMIT_ADDRESS": "off"}
    variables["API_DRAIN_SECONDS"] = str(DRAIN_SECONDS)
    with started(folder, "127.0.0.1", port, **variables) as served:
        eventually(served.answers, "the API", seconds=60)
        yield served
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)


if NGINX is not None:

    def test_the_proxy_starts_without_streams_and_finds_them_later(tmp_path: Path) -> None:
        assert NGINX is not None
        with (
            name_server() as names,
            upstream() as api,
            upstream() as streams,
            proxy(tmp_path, NGINX, names, [api], streams) as url,
        ):
            http = urllib3.PoolManager(retries=False, timeout=30)
            assert http.request("GET", f"{url}/health/live").data == b"/health/live"
            refused = http.request("GET", f"{url}/streams/sessions")
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
            told = json.loads(refused.data)
            assert (told["code"], told["requestId"]) == ("unavailable", refused.headers["X-Request-Id"])
            names.known.add("streams")

            def served() -> bytes | None:
                answer = http.request("GET", f"{url}/streams/sessions?mentor=1%2F2")
                return answer.data if answer.status == 200 else None

            assert eventually(served, "live updates") == b"/streams/sessions?mentor=1%2F2"
            assert http.request("GET", f"{url}/api/streams/x").data == b"/api/streams/x"

    def test_no_request_fails_while_each_api_is_replaced(tmp_path: Path) -> None:
        assert NGINX is not None
        ports = [free_port(), free_port()]
        with name_server() as names, ExitStack() as running:
            apis = [ExitStack() for _ in ports]
            for number, (port, stack) in enumerate(zip(ports, apis, strict=True)):
                running.enter_context(stack)
                stack.enter_context(api_process(tmp_path / str(number), port))
            url = running.enter_context(proxy(tmp_path, NGINX, names, ports, free_port()))
            clients = Clients(f"{url}/testing/echo", ["POST"] * 4 + ["GET"] * 2)
            running.callback(clients.stop)
            for number, port in enumerate(ports):
                clients.ask_more()
                apis[number].pop_all().close()
                clients.ask_more()
                apis[number].enter_context(api_process(tmp_path / str(number), port))
            clients.ask_more()
            clients.stop()
        assert set(clients.answers) == {"POST 200", "GET 200"}, clients.answers
