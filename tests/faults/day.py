"""A day of the market under faults, and the look at everything afterwards."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from tests.booking_system import Tutelage, running_tutelage
from tests.cli.running import tutelage_up
from tests.faults.checks import QUIET_SECONDS, Check, check, wait_until_quiet
from tests.faults.clients import Client, Crowd, Record
from tests.faults.defects import DEFECTS, Defect
from tests.faults.faults import Fault, Faults
from tests.faults.ledger import check_ledger
from tests.faults.market import Market, stripe_settings, trading
from tests.faults.proxy import standing_before
from tests.load import Connection
from tests.receivers import HttpReceiver, http_receiver
from tests.small_disk import small_disk
from tests.stripe_stand_in import stripe_stand_in

SHOWN = 10


@dataclass
class Day:
    """A running system with a market, and what makes its faults."""

    system: Tutelage
    market: Market
    faults: Faults
    inbox: HttpReceiver
    console: Console
    made: list[Fault] = field(default_factory=list)

    def suffer(self, seconds: float, clients: int) -> bool:
        """Make faults for so long while so many clients play, print what came of them, and look at everything.

        Returns:
            Whether nothing is missing, doubled or late.
        """
        alone = Record()
        example = Client(self.system, alone, Connection(self.system.url)).live()
        wait_until_quiet(self.system.database_url, time.monotonic())
        crowd = Crowd(self.system, clients, make=trading(self.market))
        began = time.monotonic()
        for fault in self.faults.make(seconds):
            self.made.append(fault)
            self.console.log(fault.name)
        last = max((fault.until for fault in self.made), default=time.monotonic())
        record = crowd.stop()
        took, owed = wait_until_quiet(self.system.database_url, last)
        self.console.print(_faults_table(self.made, record))
        self._show_load(record, time.monotonic() - began)
        quiet = Check(f"quiet within {QUIET_SECONDS} s of the last fault: {took:.1f} s", 1, owed)
        played, record.lives = record.lives, alone.lives + record.lives
        listings = [offer.listing_id for offer in self.system.offers]
        found = list(
            check(self.system.database_url, record, [example], listings, self.inbox, self.system.data_dir / "mail")
        )
        with psycopg.connect(self.system.database_url, autocommit=True) as db:
            found += check_ledger(db, self.market, len(record.wrong))
        ended = len(self.market.ledger.payments) + len(played)
        found.append(Check("plays came to their end", ended, [] if ended else ["none"]))
        return show([quiet, *found], self.console, title="After the faults")

    def _show_load(self, record: Record, seconds: float) -> None:
        plays = Table("play", "came to its end", title="Plays of the market")
        for name, count in sorted(self.market.ledger.plays.items()):
            plays.add_row(name, str(count))
        self.console.print(plays)
        sessions = sorted(life.session_seconds for life in record.lives if life.session_seconds is not None)
        slowest = f"{sessions[-1]:.1f} s" if sessions else "–"
        ledger = self.market.ledger
        self.console.print(
            f"{len(record.completed)} lives, {len(ledger.payments)} payments, {len(ledger.bookings)} bookings,"
            f" {len(ledger.seats)} groups and {len(ledger.bundles)} bundles of {len(self.market.stalls)} mentors in"
            f" {seconds:.0f} s; requests sent again: {record.retries or 'none'}; commits whose answer was hidden:"
            f" {self.faults.proxies['postgres'].hidden}; slowest session after its accept was sent: {slowest}."
        )


@contextmanager
def a_day(
    folder: Path, seed: int, mentors: int, console: Console, *, defect: str = "", disk_megabytes: int = 0
) -> Iterator[Day]:
    """Run a system with a market of so many mentors, with its servers behind proxies.

    Args:
        defect: the name of the one that the system has; empty for none.
        disk_megabytes: the size of a disk of the servers' own, which becomes full now and then; 0 for none.
    """
    chosen = DEFECTS.get(defect, Defect())
    folder.mkdir(exist_ok=True)
    with (
        stripe_stand_in() as stand_in,
        small_disk(folder / "disk", disk_megabytes) if disk_megabytes else nullcontext() as disk,
        tutelage_up((disk.path if disk else folder) / "servers") as servers,
        standing_before(servers.run()["database_url"]) as postgres,
        standing_before(servers.run()["redis_url"]) as valkey,
        http_receiver() as inbox,
    ):
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, **stripe_settings(stand_in)}
        if chosen.module:
            environment |= chosen.environment(defect)
        with running_tutelage(folder / "data", without=("flower", "streams"), environment=environment) as system:
            system.database_url = postgres.address
            market = Market(system, stand_in, seed, chosen.plays, database_url=postgres.address)
            market.open(mentors)
            system.add_endpoint(inbox.url)
            with psycopg.connect(postgres.address, autocommit=True) as db:
                for statement in chosen.statements:
                    db.execute(statement.encode())
            proxies = {"postgres": postgres, "redis": valkey}
            faults = Faults(system.data_dir, servers.data_dir, seed, proxies, stand_in, disk, only=chosen.faults)
            yield Day(system, market, faults, inbox, console)


def show(checks: Sequence[Check], console: Console, *, title: str) -> bool:
    """Print what was looked at; whether all of it is as it must be."""
    table = Table("What must hold", "looked at", "wrong", title=title)
    for each in checks:
        table.add_row(each.name, str(each.looked_at), str(len(each.wrong)), style="bold red" if each.wrong else "green")
    console.print(table)
    for each in checks:
        if each.wrong:
            console.print(f"{each.name}:", *each.wrong[:SHOWN], sep="\n  ", style="red", markup=False)
    return not any(each.wrong for each in checks)


def _faults_table(made: Sequence[Fault], record: Record) -> Table:
    """How often each kind of fault was made, and how long it took at worst from its end until all went on."""
    title = (
        "Faults, and the most seconds from the end of one to the first that was changed, and whose session was there"
    )
    table = Table("fault", "made", "longest s", "to a change s", "to a session s", title=title)
    answered, read = sorted(record.answered_at), sorted(record.sessions_read_at)
    for name, those in groupby(sorted(made, key=lambda fault: fault.name), key=lambda fault: fault.name):
        kind = list(those)
        table.add_row(
            name,
            str(len(kind)),
            f"{max(fault.until - fault.at for fault in kind):.1f}",
            _worst_after(answered, kind),
            _worst_after(read, kind),
        )
    return table


def _worst_after(moments: Sequence[float], faults: Sequence[Fault]) -> str:
    places = [(bisect_left(moments, fault.until), fault.until) for fault in faults]
    waited = [moments[place] - until for place, until in places if place < len(moments)]
    return f"{max(waited):.2f}" if waited else "–"
