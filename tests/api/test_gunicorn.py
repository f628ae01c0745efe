"""The API as it is really run: gunicorn, its threads, its log, its end."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import urllib3

from cli.servers import free_port
from tests.api.served import gunicorn
from tests.application import SECRET, bearer


def test_it_serves_logs_and_ends(tmp_path: Path, database_url: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    with gunicorn(tmp_path, address, DATABASE_URL=database_url, JWT_SECRET=SECRET) as (process, log):
        retry = urllib3.Retry(total=100, backoff_factor=0.05, backoff_max=0.1)
        url = f"http://{address}/api"
        assert urllib3.request("GET", f"{url}/health/ready", retries=retry).status == 200
        refused = urllib3.request("POST", f"{url}/bookings", body=b"{", headers={"X-Request-Id": "from-a-test"})
        assert refused.status == 401
        # A body that does not say its length beforehand is bounded, too.
        pieces = (b" " * 10_000 for _ in range(40))
        headers = bearer({"sub": "tests", "roles": ["operator"]}) | {"Content-Type": "application/json"}
        assert urllib3.request("POST", f"{url}/users", body=pieces, headers=headers, retries=False).status == 413
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    asked = next(line for line in lines if line.get("request_id") == "from-a-test")
    assert (asked["event"], asked["status"], asked["code"]) == ("request", 401, "unauthenticated")
    assert {line["process"] for line in lines} == {"api"}


@pytest.mark.parametrize(("bind", "refused"), [("0.0.0.0:{}", True), ("[::]:{}", True), ("127.0.0.1:{}", False)])
def test_open_headers_are_for_loopback_alone(tmp_path: Path, database_url: str, bind: str, refused: bool) -> None:
    address = bind.format(free_port())
    variables = {"DATABASE_URL": database_url, "IDENTITY_HEADERS": "open"}
    with gunicorn(tmp_path, address, **variables) as (process, log):
        until = time.monotonic() + 20
        while process.poll() is None and "Booting worker" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        assert (process.poll() is not None) is refused
        assert ("listens on loopback alone" in log.read_text()) is refused
