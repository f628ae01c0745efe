"""Tests of "Write a plug-in": the package on that page is installed, found, run by a worker, and listed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from cli.plan import ROOT
from models.catalog import listings
from models.events import deliveries
from tests import factories
from tests.docs.pages import DOCS, blocks
from tests.queries import scalars

PAGE = DOCS / "sessions.md"
# A process of its own: what is subscribed stays subscribed, for as long as a process lives.
DELIVER = """
from sqlalchemy import select
from config.settings import settings
from models.engine import create
from models.events import deliveries
from tests.application import KeptWakeups
from tests.factories import accept_booking, make_booking
from workers.runner import DeliveryRunner
from infrastructure.transactions import Transactions
from workflows.catalog.listings import Listing
from workflows.events.delivery import DeliveryKey
from workflows.events.subscriptions import load
import sys

engine = create(settings().database_url)
transactions = Transactions(engine, KeptWakeups())
for listing_id in sys.argv[1:]:
    with transactions() as db:
        accept_booking(db, make_booking(db, listing=Listing.of(db.execute(Listing.by_id(listing_id)).one())))
with engine.connect() as db:
    owed = db.execute(select(deliveries.c.event_id).where(deliveries.c.effect == "one_offs.withdraw")).scalars().all()
for event_id in owed:
    DeliveryRunner(transactions, load(), {}).deliver(DeliveryKey(event_id=event_id, effect="one_offs.withdraw"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the page's own command installed the page's own package."""
    folder = tmp_path_factory.mktemp("plug-in")
    package, site = folder / "one_offs", folder / "site"
    package.mkdir()
    (package / "pyproject.toml").write_text(blocks(PAGE, "toml")[0])
    (package / "one_offs.py").write_text(blocks(PAGE, "python")[0])
    python, *command = blocks(PAGE, "bash")[0].splitlines()[0].split()
    assert (python, command[-1]) == (".venv/bin/python", "./one_offs")
    offline = ["--quiet", "--no-index", "--disable-pip-version-check", "--target", str(site)]
    subprocess.run([sys.executable, *command, *offline], cwd=folder, check=True)
    return site


def test_a_booking_withdraws_one_off_listings_alone(engine: Engine, installed: Path) -> None:
    with engine.begin() as db:
        titles = ("One-off: my notes, explained", "Career advice")
        one_off, usual = (factories.make_listing(db, title=title) for title in titles)
    _run(engine, installed, "-c", DELIVER, str(one_off.id), str(usual.id))
    with engine.connect() as db:
        active = {row.id: row.active for row in db.execute(select(listings.c.id, listings.c.active))}
        states = db.scalars(select(deliveries.c.state).where(deliveries.c.effect == "one_offs.withdraw")).all()
    assert (active, states) == ({one_off.id: False, usual.id: True}, ["done", "done"])


def test_it_is_listed_with_the_others(engine: Engine, installed: Path) -> None:
    assert "one_offs.withdraw" in _run(engine, installed, "-m", "cli.main", "effects")


def test_backfill_writes_what_older_events_are_owed(engine: Engine, installed: Path) -> None:
    with engine.begin() as db:
        factories.accept_booking(db, factories.make_booking(db))
    backfill = ("-m", "cli.main", "effects", "backfill", "--since", "2026-01-31")
    assert "Wrote 1 missing delivery." in _run(engine, installed, *backfill)
    owed = scalars(engine, select(deliveries.c.state).where(deliveries.c.effect == "one_offs.withdraw")).all()
    assert owed == ["pending"]


def _run(engine: Engine, site: Path, *arguments: str) -> str:
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    environment = {**os.environ, "PYTHONPATH": f"{site}:{ROOT}", "DATABASE_URL": address, "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
