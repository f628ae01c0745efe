"""Faults in an order that a seed decides, under load: what `make faults-long` does for minutes, for seconds."""

from __future__ import annotations

import time

from rich.console import Console

from bench.chaos.__main__ import suffer
from bench.chaos.faults import Faults
from bench.chaos.receiver import running_inbox
from bench.contenders.tutelage import Tutelage
from tests.eventually import eventually
from tests.faults.sufferer import PROMISED_SECONDS, Sufferer

SECONDS = 20
CLIENTS = 2
OFFERS = 4
# Each of these waits for a lease to run out, or for the database to come back: the minutes have room for that.
TOO_LONG = ("stop a worker for a while", "kill worker-webhooks", "kill worker-notifications")


def test_no_acknowledged_step_is_lost_to_any_fault(sufferer: Sufferer) -> None:
    seed = int(time.time())
    console = Console(width=140)
    console.print(f"seed {seed}")

    def kill_valkey() -> None:
        sufferer.valkey.kill()
        sufferer.valkey.bring_back()

    run = sufferer.system.run
    system = Tutelage(
        name="Tutelage",
        url=run["api"]["url"],
        database_url=run["database_url"],
        pids={},
        data_dir=sufferer.system.data_dir,
        operator=sufferer.api.as_operator().identity["Authorization"].removeprefix("Bearer "),
    )
    faults = Faults(
        sufferer.system.data_dir,
        seed,
        sufferer.valkey.url,
        kill_valkey=kill_valkey,
        valkey_pid=lambda: sufferer.valkey.server.process.pid,
        leave_out=TOO_LONG,
    )
    with running_inbox() as inbox:
        system.add_offers(OFFERS)
        endpoint = system.add_endpoint(inbox.url)
        try:
            assert suffer(system, faults, inbox, console, seconds=SECONDS, clients=CLIENTS), f"seed {seed}"
        finally:
            eventually(sufferer.is_ready, "an API that answers", seconds=PROMISED_SECONDS * 6)
            system.delete_endpoint(endpoint)
