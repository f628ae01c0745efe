"""A day of the market under faults, and the look at everything afterwards."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import psycopg
from rich.console import Console
from rich.table import Table

from cli.run_file import read_run
from tests.api.streaming import Client as StreamClient
from tests.booking_system import Offer, Tutelage, running_tutelage
from tests.cli.running import tutelage_up
from tests.faults.checks import QUIET_SECONDS, Check, check, wait_until_quiet
from tests.faults.clients import Client, Crowd, Record
from tests.faults.defects import DEFECTS, Defect
from tests.faults.faults import Fault, Faults, MakesFaults
from tests.faults.ledger import check_ledger
from tests.faults.market import Market, stripe_settings, trading
from tests.faults.proxy import standing_before
from tests.load import Connection
from tests.receivers import HttpReceiver, http_receiver
from tests.small_disk import small_disk
from tests.stripe_stand_in import stripe_stand_in

SHOWN = 10

Made = TypeVar("Made", bound=MakesFaults)


@dataclass
class Day(Generic[Made]):
    """A running system with a market, and what makes its faults."""

    market: Market
    faults: Made
    inbox: HttpReceiver
    console: Console
    made: list[Fault] = field(default_factory=list)
    record: Record = field(default_factory=Record)  # of the clients that played meanwhile

    @property
    def system(self) -> Tutelage:
        return self.market.system

    def suffer(self, seconds: float, clients: int) -> bool:
        """Make faults for so long while so many clients play, print what came of them, and look at everything.

        Returns:
            Whether nothing is missing, doubled or late.
        """
        alone = Record()
        example = Client(self.system, alone, Connection(self.system.url)).live()
        wait_until_quiet(self.system.database_url, time.monotonic())
        crowd = Crowd(self.system, clients, make=trading(self.market))
        self.record = record = crowd.record
        began = time.monotonic()
        try:
            for fault in self.faults.make(seconds):
                self.made.append(fault)
                self.console.log(fault.name)
        finally:
            crowd.stop()
        broken = [fault for fault in self.made if fault.breaks_leases]
        for fault in broken if self.faults.ends_leases else ():
            self.market.end_leases(fault.until)
        last = max((fault.until for fault in self.made), default=time.monotonic())
        took, owed = wait_until_quiet(self.system.database_url, last)
        self.console.print(_faults_table(self.made, record))
        self._show_load(record, time.monotonic() - began)
        quiet = Check(f"quiet within {QUIET_SECONDS} s of the last fault: {took:.1f} s", 1, owed)
        played, record.lives = record.lives, alone.lives + record.lives
        listings = [offer.listing_id for offer in self.system.offers]
        mail, broken_within = self.system.data_dir / "mail", [(fault.at, fault.until) for fault in broken]
        found = list(
            check(self.system.database_url, record, [example], listings, self.inbox, mail, broken_within=broken_within)
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
            f" {self.faults.hidden}; slowest session after its accept was sent: {slowest}."
        )


@contextmanager
def a_market(
    folder: Path,
    mentors: int,
    environment: Mapping[str, str],
    *,
    database_url: str = "",
    seed: int = 0,
    plays: Sequence[str] = (),
    without: Sequence[str] = ("flower", "streams"),
) -> Iterator[tuple[Market, HttpReceiver]]:
    """Run a system with a market of so many mentors, and a receiver of all its webhooks.

    Args:
        environment: settings of the system.
        database_url: by which the rows are looked at; empty for the system's own.
        without: parts that are left out.
    """
    with stripe_stand_in() as stand_in, http_receiver() as inbox:
        chosen = {**environment, **stripe_settings(stand_in)}
        with running_tutelage(folder, without=without, environment=chosen) as system:
            system.database_url = database_url or system.database_url
            market = Market(system, stand_in, seed, plays, database_url=system.database_url)
            market.open(mentors)
            system.add_endpoint(inbox.url)
            yield market, inbox


@contextmanager
def a_day(
    folder: Path, seed: int, mentors: int, console: Console, *, defect: str = "", disk_megabytes: int = 0
) -> Iterator[Day[Faults]]:
    """Run a system with a market of so many mentors, with its servers behind proxies.

    Args:
        defect: the name of the one that the system has; empty for none.
        disk_megabytes: the size of a disk of the servers' own, which becomes full now and then; 0 for none.
    """
    chosen = DEFECTS.get(defect, Defect())
    folder.mkdir(exist_ok=True)
    with (
        small_disk(folder / "disk", disk_megabytes) if disk_megabytes else nullcontext() as disk,
        tutelage_up((disk.path if disk else folder) / "servers") as servers,
        standing_before(servers.run()["database_url"]) as postgres,
        standing_before(servers.run()["redis_url"]) as valkey,
    ):
        environment = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
        if chosen.module:
            environment |= chosen.environment(defect)
        with a_market(
            folder / "data", mentors, environment, database_url=postgres.address, seed=seed, plays=chosen.plays
        ) as (market, inbox):
            with psycopg.connect(postgres.address, autocommit=True) as db:
                for statement in chosen.statements:
                    db.execute(statement.encode())
            proxies = {"postgres": postgres, "redis": valkey}
            data_dir = market.system.data_dir
            faults = Faults(data_dir, servers.data_dir, seed, proxies, market.stand_in, disk, only=chosen.faults)
            yield Day(market, faults, inbox, console)


def open_stream(system: Tutelage, offer: Offer, last_id: str | None = None) -> StreamClient:
    """A stream of the sessions of an offer's mentor."""
    run = read_run(system.data_dir)
    port = urlsplit(run["streams"]["url"] or "").port if run else None
    assert port, "no streams are served"
    return StreamClient(port, "/streams/sessions", offer.as_mentor | ({"Last-Event-ID": last_id} if last_id else {}))


def follow_a_life(system: Tutelage, offer: Offer) -> None:
    """Play a life of this offer, and see its session arrive on a stream."""
    stream, system.offers = open_stream(system, offer), [offer]
    assert stream.next().name == "snapshot"
    life = Client(system, Record(), Connection(system.url)).live()
    arrived = stream.next()
    assert (arrived.name, arrived.data["session"]["id"]) == ("session", life.session_id)
    stream.close()


def processes_of(system: Tutelage) -> dict[str, int]:
    """The parts of a system, each by its first process."""
    run = read_run(system.data_dir)
    assert run is not None
    return {each["name"]: each["pid"] for each in run["processes"]}


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
