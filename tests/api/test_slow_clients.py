"""Clients who are slow, on purpose or not, keep the others waiting for no longer than a bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import text

from api.gunicorn_worker import ANSWER_SECONDS, READ_SECONDS
from cli.servers import free_port
from models.engine import create
from tests.api.served import IMPATIENT_SECONDS, ROOT, await_ready, connected, gunicorn, heard
from tests.application import SECRET, bearer
from tests.eventually import stretched

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
    variables = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "API_THREADS": "8"}
    with gunicorn(tmp_path, address, "tests.api.impatient_settings", **variables):
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
        # Eight at a time, one after the other, would take eight times as long.
        assert time.monotonic() - began < stretched(IMPATIENT_SECONDS + 5)
        if kind == "bodies":
            assert heard(slow[0])[0] == 408
        for client in silent + slow:
            client.close()


def test_how_long_clients_may_take_is_what_the_page_says() -> None:
    said = " ".join((ROOT / "docs" / "running.md").read_text().split())
    assert f"takes more than {READ_SECONDS:.0f} seconds to send a request, or {ANSWER_SECONDS:.0f} to be" in said
