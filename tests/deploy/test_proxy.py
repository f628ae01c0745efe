"""Tests of deploy/nginx/nginx.conf with a real nginx, where one is installed; tests/cli/test_compose.py reads it."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3

from cli.embedded import free_port
from cli.plan import ROOT
from tests.eventually import eventually

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
NAME_NOT_KNOWN = 3


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


class Named(BaseHTTPRequestHandler):
    """Answers with the path that was asked for."""

    def do_GET(self) -> None:
        """Any GET."""
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Not to standard error."""


@contextmanager
def upstream() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def proxy(folder: Path, program: str, names: Names, api: int, streams: int) -> Iterator[str]:
    """nginx with the shipped configuration, but for addresses; the address at which it listens."""
    port = free_port()
    text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    for shipped, here in (
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("listen 5555;", f"listen 127.0.0.1:{free_port()};"),
        ("server api:8000;", f"server 127.0.0.1:{api};"),
        ("http://streams:8001", f"http://streams:{streams}"),
        ("resolver 127.0.0.11 valid=10s;", f"resolver 127.0.0.1:{names.port} valid=1s ipv6=off;"),
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


if NGINX is not None:

    def test_the_proxy_starts_without_streams_and_finds_them_later(tmp_path: Path) -> None:
        assert NGINX is not None
        with (
            name_server() as names,
            upstream() as api,
            upstream() as streams,
            proxy(tmp_path, NGINX, names, api, streams) as url,
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
