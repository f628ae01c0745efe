"""Clients who are slow, on purpose or not, keep the others waiting for no longer than a bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import text

from api.gunicorn_worker import READ_SECONDS
from cli.servers import free_port
from models.engine import create
from tests.api.served import await_ready, connected, gunicorn, heard
from tests.application import SECRET, bearer

SLOW = {
    "heads": "GET /me HTTP/1.1\r\nHost: x\r\n",
    "bodies": "POST /users HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 500\r\n\r\n{{",
}
OPEN_TRANSACTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
)


@pytest.mark.parametrize("kind", SLOW)
def test_64_slow_clients_are_cut_off_all_at_once(tmp_path: Path, database_url: str, kind: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    token = bearer({"sub": "tests", "roles": ["operator"]})["Authorization"]
    with gunicorn(tmp_path, address, DATABASE_URL=database_url, JWT_SECRET=SECRET, API_THREADS="8"):
        await_ready(address)
        # Who has said nothing at all takes no thread.
        silent = [connected(address) for _ in range(64)]
        assert urllib3.request("GET", f"http://{address}/health/live", timeout=3, retries=False).status == 200
        slow = [connected(address, SLOW[kind].format(token=token).encode()) for _ in range(64)]
        began = time.monotonic()
        engine = create(database_url)
        with engine.connect() as db:
            time.sleep(1)
            assert db.execute(OPEN_TRANSACTIONS).scalar_one() == 0
        engine.dispose()
        for path, status in (("/health/live", 200), ("/me", 403), ("/health/ready", 200)):
            headers = {"Authorization": token}
            answer = urllib3.request("GET", f"http://{address}{path}", headers=headers, timeout=20, retries=False)
            assert answer.status == status
        assert time.monotonic() - began < READ_SECONDS + 5
        if kind == "bodies":
            assert heard(slow[0])[0] == 408
        for client in silent + slow:
            client.close()
