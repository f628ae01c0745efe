"""How many webhooks a second one worker delivers, beside the bare HTTP client without database: `make bench-webhooks`.

A fresh PostgreSQL and Valkey, one real worker process for the queue with its log as `tutelage up` has it, and a
receiver in a process of its own that answers at once, and then after 100 ms. All of them share this machine's cores.
Messages name several deliveries where those come together, and one each where they come one by one: the last line.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, insert
from uuid_utils.compat import uuid7

from bench.receiver import Receiver, running_receiver
from cli.migrate import upgrade
from cli.servers import start_postgres, start_valkey
from config.sealing import Sealer
from models.engine import create
from models.webhooks import EndpointState, webhook_endpoints, webhook_secrets
from workers.transports.http import WebhookTransport
from workers.wakeups import Publisher
from workflows.events.catalogue import SessionStarted
from workflows.events.record import Nudge, follow_up, record, take_notes
from workflows.outside.send_webhook import SEND_WEBHOOK, WebhookMessage
from workflows.webhooks.secrets import new_secret

THREADS = 32
ENDPOINTS = 8
KEY = "a-passphrase-for-this-benchmark-alone"
ANSWERED = 0.5  # seconds, longer than any receiver takes


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    """One real worker of the webhooks' queue."""
    command = [sys.executable, "-m", "celery", "--app", "workers.app:app", "worker", "--queues", "webhooks"]
    command += ["--pool", "threads", "--concurrency", str(THREADS), "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle"]
    with log.open("wb") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as process:
        try:
            yield
        finally:
            process.terminate()


def an_endpoint(engine: Engine, url: str) -> UUID:
    """An active endpoint of the operators, with its secret."""
    endpoint_id = uuid7()
    values = {"id": endpoint_id, "url": url, "event_types": ["*"], "state": EndpointState.ACTIVE}
    with engine.begin() as db:
        db.execute(insert(webhook_endpoints).values(**values))
        sealed = Sealer([KEY]).seal(new_secret())
        db.execute(insert(webhook_secrets).values(id=uuid7(), endpoint_id=endpoint_id, sealed_secret=sealed))
    return endpoint_id


def pending(engine: Engine, endpoints: list[UUID], count: int) -> list[Nudge]:
    """Deliveries that are due, one event each, to the endpoints in turn, and the nudges for them."""
    now = datetime.now(UTC)
    nudges: list[Nudge] = []
    with engine.begin() as db:
        for number in range(count):
            event = SessionStarted(
                actor="system",
                occurred_at=now,
                session_id=uuid7(),
                booking_id=uuid7(),
                mentor_profile_id=uuid7(),
                mentee_user_id=uuid7(),
                status="in_progress",
                start_time=now,
                end_time=now,
                version=1,
            )
            record(db, event)
            take_notes(db)
            follow_up(db, event, SEND_WEBHOOK, [str(endpoints[number % len(endpoints)])])
            nudges += take_notes(db).nudges
    return nudges


def bare(url: str, count: int) -> float:
    """Messages a second of the HTTP client alone, by as many threads, signatures included."""
    transport = WebhookTransport(Sealer([KEY]), [ip_network("127.0.0.0/8")])
    sealed = [Sealer([KEY]).seal(new_secret())]
    endpoint_id = uuid7()

    def send(_number: int) -> None:
        message = WebhookMessage(
            url=url, webhook_id=uuid7(), body=b"{}" * 200, headers={}, sealed_secrets=sealed, endpoint_id=endpoint_id
        )
        sent = transport.send(message)
        if sent.error:
            raise RuntimeError(sent.error)

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(send, range(THREADS)))
        began = time.monotonic()
        list(threads.map(send, range(count)))
        return count / (time.monotonic() - began)


def delivered(engine: Engine, publish: Callable[[list[Nudge]], None], target: Receiver, count: int) -> float:
    """Deliveries a second of the worker, from the first nudge to the last arrival."""
    endpoints = [an_endpoint(engine, f"{target.url}/{number}") for number in range(ENDPOINTS)]
    already = target.taken()
    # Each has answered once, so that it gets its whole share, and no thread has still to connect.
    for number, first in ((ENDPOINTS, ENDPOINTS), (THREADS, ENDPOINTS + THREADS)):
        publish(pending(engine, endpoints, number))
        target.wait_for(already + first)
        time.sleep(ANSWERED)
    nudges = pending(engine, endpoints, count)
    began = time.monotonic()
    publish(nudges)
    return count / (target.wait_for(already + ENDPOINTS + THREADS + count) - began)


def one_by_one(publisher: Publisher) -> Callable[[list[Nudge]], None]:
    """Publish each in a message of its own, as it happens when events are far enough apart."""

    def publish(nudges: list[Nudge]) -> None:
        for nudge in nudges:
            publisher.publish([nudge])

    return publish


def main() -> None:
    """Measure at once, at 100 ms and one by one, the bare client beside each, and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    count = parser.parse_args().count
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tutelage-bench-")))
        postgres = start_postgres(folder / "postgres")
        stack.callback(postgres.stop)
        valkey = start_valkey(folder / "redis")
        stack.callback(valkey.stop)
        upgrade(postgres.url)
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "ENCRYPTION_KEYS": KEY}
        os.environ.update(settings, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8", WEBHOOK_THREADS=str(THREADS))
        # Read after the environment is set: the app takes its broker from it.
        from workers.app import app  # noqa: PLC0415

        engine = create(postgres.url, pool_size=2)
        stack.callback(engine.dispose)
        stack.enter_context(worker(dict(os.environ), folder / "worker.log"))
        publisher = Publisher(app)
        together, singly = publisher.publish, one_by_one(publisher)
        for delay, publish, how in ((0.0, together, ""), (0.1, together, ""), (0.0, singly, ", one by one")):
            target = stack.enter_context(running_receiver(delay))
            alone = bare(target.url, count)
            through = delivered(engine, publish, target, count)
            print(
                f"receiver at {delay * 1000:.0f} ms{how}: worker {through:.0f}/s, bare client {alone:.0f}/s,"
                f" ratio {through / alone:.2f} ({count} messages, {THREADS} threads, {os.cpu_count()} cores)",
                flush=True,
            )


if __name__ == "__main__":
    main()
