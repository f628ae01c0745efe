"""Two of every part on one database and one Redis, under load: both work, and nothing is done twice."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from cli.plan import PROGRAMS
from cli.run_file import read_run
from tests.api.streaming import Client as Follower
from tests.booking_system import Tutelage, running_tutelage
from tests.eventually import eventually
from tests.faults.checks import check, wait_until_quiet
from tests.faults.clients import Client, Crowd, Record
from tests.load import Connection
from tests.receivers import http_receiver
from tests.scraping import Figures
from tests.speaking import Caller
from workers.maintain import ROUND

OFFERS, CLIENTS, LIVES = 6, 4, 40
PARTS = {part.name for part in PROGRAMS if part.name != "flower"}
# The runs of an effect, of which those of a message to somebody else are of an attempt each.
_DONE = "SELECT effect, count(*) FROM deliveries WHERE state = 'done' GROUP BY effect"
_REPEATED = """
SELECT effect, d.attempts, a.error FROM deliveries d LEFT JOIN delivery_attempts a USING (event_id, effect, target)
WHERE d.state = 'done' AND d.attempts > 1
"""


@dataclass(frozen=True)
class Machines:
    """Two systems that share everything but their processes, and what has begun when."""

    first: Tutelage
    second: Tutelage
    began: float

    @property
    def both(self) -> tuple[Tutelage, Tutelage]:
        return self.first, self.second

    def figures(self) -> list[Figures]:
        """Of each machine, whose API answers for all of its parts."""
        return [Figures.of(Caller(each.url)("GET", "/metrics").body.decode()) for each in self.both]


@pytest.fixture
def machines(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Machines]:
    mail = str(tmp_path / "mail")
    shared = {"DATABASE_URL": database_url, "REDIS_URL": f"{redis_url.rpartition('/')[0]}/12", "MAIL_FOLDER": mail}
    began = time.monotonic()
    with (
        running_tutelage(tmp_path / "first", without=("flower",), environment=shared) as first,
        running_tutelage(tmp_path / "second", without=("flower",), environment=shared) as second,
    ):
        yield Machines(first, second, began)


# Starting two systems takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_two_machines_share_the_work_and_do_none_of_it_twice(machines: Machines, tmp_path: Path) -> None:
    first, second = machines.both
    assert first.pids.keys() == second.pids.keys() == PARTS | {"supervision"}
    first.add_offers(OFFERS)
    second.offers, second.slots = first.offers, first.slots
    with http_receiver() as inbox:
        first.add_endpoint(inbox.url)
        alone = Record()
        example = Client(first, alone, Connection(first.url)).live()
        mentee = first.offers[0].as_mentee
        # Live updates of one person, at both machines.
        followers = [Follower(_streams_port(each), "/streams/sessions", mentee) for each in machines.both]
        assert [follower.next().name for follower in followers] == ["snapshot"] * 2
        crowds = [Crowd(each, CLIENTS // 2, LIVES // 2) for each in machines.both]
        records = [alone, *(crowd.wait() for crowd in crowds)]
        _took, owed = wait_until_quiet(first.database_url, time.monotonic())
        assert owed == []
        record = Record(
            lives=[life for each in records for life in each.lives],
            answered_at=[moment for each in records for moment in each.answered_at],
            wrong=[sentence for each in records for sentence in each.wrong],
        )
        assert len(record.completed) == LIVES + 1
        for follower in followers:
            assert follower.next().name == "session"
            follower.close()
        listings = [offer.listing_id for offer in first.offers]
        found = check(first.database_url, record, [example], listings, inbox, tmp_path / "mail")
        assert {each.name: each.wrong for each in found if each.wrong} == {}
        arrived = Counter(request.headers["webhook-id"] for request in inbox.requests)
        assert [number for number in arrived.values() if number > 1] == []
    _assert_shared(machines)


def _assert_shared(machines: Machines) -> None:
    """Each part has worked on both machines, and together they have run each delivery once."""
    with psycopg.connect(machines.first.database_url, autocommit=True) as db:
        done: Counter[str] = Counter(dict(db.execute(_DONE).fetchall()))
        assert db.execute(_REPEATED).fetchall() == []

    def run() -> Counter[str]:
        """How often each effect was run; a worker counts right after the commit that can be read."""
        return sum(map(_runs, machines.figures()), Counter())

    eventually(lambda: run() == done, "a count of as many runs as there are deliveries")
    for figures in machines.figures():
        assert figures.total("tutelage_sweep_runs_total", outcome="ok") > 0
        assert figures.total("tutelage_sweep_runs_total", outcome="trouble") == 0
        assert figures.total("tutelage_maintain_chores_total", outcome="trouble") == 0
        assert figures.total("tutelage_maintain_chores_total", chore="round of maintain") > 0
        assert figures.total("tutelage_http_requests_total", method="POST", status="202") > 0
        worked = {effect for effect, number in _runs(figures).items() if number}
        assert {"sessions.create", "mail.send", "webhooks.send"} <= worked
    rounds = sum(each.total("tutelage_maintain_chores_total", chore="fill gaps") for each in machines.figures())
    assert 1 <= rounds <= (time.monotonic() - machines.began) / ROUND.total_seconds() + 1


def _streams_port(machine: Tutelage) -> int:
    run = read_run(machine.data_dir)
    assert run is not None
    return int(urlsplit(str(run["streams"]["url"])).port or 0)


def _runs(figures: Figures) -> Counter[str]:
    found: Counter[str] = Counter()
    for labels, number in figures.all("tutelage_delivery_duration_seconds_count", outcome="done").items():
        found[dict(labels)["effect"]] += int(number)
    return found
