"""Faults in an order that a seed decides, under load: what `make faults-long` does for minutes, for seconds."""

from __future__ import annotations

import time

from rich.console import Console

from tests.booking_system import Tutelage
from tests.eventually import eventually
from tests.faults.__main__ import suffer
from tests.faults.faults import Faults
from tests.faults.system_under_test import SystemUnderTest
from tests.receivers import http_receiver

SECONDS = 10
# As many faults as in twice the time, with half the load.
PAUSES_SECONDS = (0.5, 3.0)
CLIENTS = 2
OFFERS = 4
# Each of these waits for a lease to run out, or for the database to come back: the minutes have room for that.
TOO_LONG = ("stop a worker for a while", "kill worker-webhooks", "kill worker-notifications")


def test_no_acknowledged_step_is_lost_to_any_fault(sut: SystemUnderTest) -> None:
    seed = int(time.time())
    console = Console(width=140)
    console.print(f"seed {seed}")

    def kill_valkey() -> None:
        sut.valkey.kill()
        sut.valkey.bring_back()

    run = sut.system.run
    system = Tutelage(
        name="Tutelage",
        url=run["api"]["url"],
        database_url=run["database_url"],
        pids={},
        data_dir=sut.system.data_dir,
    )
    faults = Faults(
        sut.system.data_dir,
        seed,
        sut.valkey.url,
        kill_valkey=kill_valkey,
        valkey_pid=lambda: sut.valkey.server.process.pid,
        leave_out=TOO_LONG,
        pauses_seconds=PAUSES_SECONDS,
    )
    with http_receiver() as inbox:
        system.add_offers(OFFERS)
        endpoint = system.add_endpoint(inbox.url)
        try:
            assert suffer(system, faults, inbox, console, seconds=SECONDS, clients=CLIENTS), f"seed {seed}"
        finally:
            eventually(sut.is_ready, "an API that answers", seconds=30)
            system.delete_endpoint(endpoint)
