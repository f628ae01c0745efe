"""Tampering with each table of the audit, of who owns the tables and switches the guards off: `verify` notices it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from cli.main import main
from config.settings import settings
from models import metadata
from models.engine import create
from tests import servers
from tests.audit import backdated, chain_all, on, tampered, verified, written
from workflows.audit.chain import append_drop, check_next_blocks, is_known_hash, oldest_kept
from workflows.audit.retention import drop_old_partition

NOW = datetime.now(UTC)
THIS_MONTH = f"audit_entries_{NOW:%Y_%m}"
OF_BLOCKS = "number, month, up_to, previous, hash, entry_ids, digests"
COPIED = "xid, occurred_at, actor, action, subject_type, subject_id, created_at"
TAMPERING = {
    "audit_entries": {
        "insert": f"INSERT INTO audit_entries (id, sequence, {COPIED}) OVERRIDING SYSTEM VALUE"
        f" SELECT uuidv7(), sequence, {COPIED} FROM audit_entries ORDER BY sequence LIMIT 1",
        "update": "UPDATE audit_entries SET actor = 'operator:other' WHERE sequence = 4",
        "delete": "DELETE FROM audit_entries WHERE sequence = 4",
        "truncate": "TRUNCATE audit_entries",
        "truncate a partition": f"TRUNCATE {THIS_MONTH}",
        "drop a partition": f"DROP TABLE {THIS_MONTH}",
        "detach a partition": f"ALTER TABLE audit_entries DETACH PARTITION {THIS_MONTH}",
        "disable the triggers": "ALTER TABLE audit_entries DISABLE TRIGGER USER",
        "disable a partition's triggers": f"ALTER TABLE {THIS_MONTH} DISABLE TRIGGER tr_audit_entries_change",
        "drop a trigger": "DROP TRIGGER tr_audit_entries_change ON audit_entries",
    },
    "audit_blocks": {
        "insert": f"INSERT INTO audit_blocks ({OF_BLOCKS}) SELECT number + 1, month, up_to, hash,"
        " sha256(hash || int8send(number + 1) || int8send(up_to) || int8send(0)), '{}', ''"
        " FROM audit_blocks ORDER BY number DESC LIMIT 1",
        "update": "UPDATE audit_blocks SET up_to = up_to - 1 WHERE number = 3",
        "update the dropped month": "UPDATE audit_blocks SET dropped_month = dropped_month + 31"
        " WHERE dropped_month IS NOT NULL",
        "delete the first": "DELETE FROM audit_blocks WHERE number = 2",
        "delete the dropped month": "DELETE FROM audit_blocks WHERE dropped_month IS NOT NULL",
        "delete the last": "DELETE FROM audit_blocks WHERE number = 5",
        "cut off the end": "WITH gone AS (DELETE FROM audit_blocks WHERE number = 5)"
        " DELETE FROM audit_entries WHERE sequence = 5",
        "truncate": "TRUNCATE audit_blocks",
        "disable the triggers": "ALTER TABLE audit_blocks DISABLE TRIGGER USER",
    },
    "audit_chain": {
        "insert": "INSERT INTO audit_chain (number) VALUES (1) ON CONFLICT (id) DO UPDATE SET number = 1",
        "update what is noted": "UPDATE audit_chain SET noted = 1",
        "update what is noted to later": "UPDATE audit_chain SET noted = 1000",
        "update what was checked": "UPDATE audit_chain SET checked = 1000",
        "update the hash": "UPDATE audit_chain SET hash = sha256('')",
        "delete": "DELETE FROM audit_chain",
        "truncate": "TRUNCATE audit_chain",
        "disable the triggers": "ALTER TABLE audit_chain DISABLE TRIGGER USER",
    },
}
# Nothing is lost: the same entries make the same block again, and maintain notes them once more.
MADE_AGAIN = {("audit_blocks", "delete the last"), ("audit_chain", "update what is noted")}
CASES = [(table, name) for table, statements in TAMPERING.items() for name in statements]


@pytest.fixture(scope="module")
def audited(worker_id: str, template_database: str) -> Iterator[str]:
    """A database with five blocks: of a month that was dropped since, of two of this month, of the dropped one, and of
    this month.
    """
    name = f"tutelage_audited_{worker_id}"
    with servers.temporary_database(name, template_database) as address:
        engine = create(address)
        backdated(engine, on(date(2020, 1, 9)))
        chain_all(engine)
        for _block in range(2):
            written(engine, 2 - _block)
            chain_all(engine)
        with engine.begin() as db:
            assert drop_old_partition(db, now=NOW, keep_days=730)
        written(engine)
        chain_all(engine)
        engine.dispose()
        yield name


@pytest.fixture
def engine(worker_id: str, audited: str) -> Iterator[Engine]:
    """An engine on a copy of that database."""
    with servers.temporary_database(f"tutelage_tampered_{worker_id}", audited) as address:
        engine = create(address)
        yield engine
        engine.dispose()


def test_each_table_of_the_audit_is_tampered_with() -> None:
    assert set(TAMPERING) == {name for name in metadata.tables if name.startswith("audit_")}
    for table, statements in TAMPERING.items():
        ways = {name.split()[0] for name in statements}
        assert ways >= {"insert", "update", "delete", "truncate", "disable"}, table


@pytest.mark.parametrize(("table", "name"), CASES)
def test_verify_notices_each_tampering(engine: Engine, table: str, name: str) -> None:
    whole = verified(engine)
    assert (whole.entries, whole.blocks, whole.end.number, whole.problems) == (4, 4, 5, [])
    found = tampered(engine, TAMPERING[table][name])
    assert found != []
    # And maintain, which goes on, does not cover it up.
    written(engine)
    chain_all(engine)
    assert (verified(engine).problems == []) == ((table, name) in MADE_AGAIN)


def test_a_forged_drop_excuses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of who knows how the chain is made, and writes block, hash and state as maintain would."""
    head = verified(engine).end
    last_month = (on(NOW.date().replace(day=1)) - timedelta(days=1)).date().replace(day=1)
    backdated(engine, on(last_month))
    chain_all(engine)
    with engine.begin() as db:
        db.execute(text(f"DROP TABLE audit_entries_{last_month:%Y_%m}"))
        append_drop(db, last_month, now=NOW)
        assert is_known_hash(db, head.hash)
    sentence = f"The month {last_month:%Y-%m} was dropped before it was old enough."
    assert [problem.sentence for problem in verified(engine, keep_days=730).problems] == [sentence]
    assert [problem.sentence for problem in verified(engine, keep_days=0).problems][1:] == [sentence]
    with engine.begin() as db:
        found = check_next_blocks(db, kept_since=oldest_kept(NOW, 730))
    assert [problem.sentence for problem in found] == [sentence]
    monkeypatch.setenv("DATABASE_URL", servers.database_address(str(engine.url.database)))
    settings.cache_clear()
    done = CliRunner().invoke(main, ["audit", "verify", "--expect", head.hash.hex()])
    settings.cache_clear()
    assert (done.exit_code, sentence in done.output) == (1, True)


def test_a_shorter_retention_of_before_is_named_by_a_setting(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", servers.database_address(str(engine.url.database)))
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "36500")
    for shortest, exit_code in (("0", 1), ("730", 0)):
        monkeypatch.setenv("AUDIT_SHORTEST_RETENTION_DAYS", shortest)
        settings.cache_clear()
        done = CliRunner().invoke(main, ["audit", "verify"])
        assert done.exit_code == exit_code, done.output
    settings.cache_clear()
