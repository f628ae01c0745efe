"""Tests of `tutelage audit verify`: what it says, and how it exits."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from cli.main import main
from cli.operator import cli_operator
from tests.audit import chain_all
from tests.integration.harness import without_guards
from workflows.audit.log import write_audit_entry
from workflows.identity.actor import SYSTEM

pytestmark = pytest.mark.usefixtures("own_database")


def verify(*words: str) -> Result:
    return CliRunner().invoke(main, ["audit", "verify", *words])


@pytest.fixture
def subject(engine: Engine) -> UUID:
    """The subject of a chained entry."""
    subject = uuid4()
    with engine.begin() as db:
        write_audit_entry(db, actor=SYSTEM, action="test.done", subject=("test", subject), now=datetime.now(UTC))
    chain_all(engine)
    return subject


@pytest.mark.parametrize(
    ("command", "action"),
    [("effects backfill", "effects.backfilled"), ("reencrypt", "stored_secrets.reencrypted")],
)
def test_commands_of_operators_leave_entries(engine: Engine, command: str, action: str) -> None:
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code == 0, done.output
    query = "SELECT actor, action, method, route, result FROM audit_entries"
    with engine.connect() as db:
        assert db.execute(text(query)).all() == [(cli_operator().name, action, "CLI", f"main {command}", "ok")]


def test_a_whole_audit_is_said_to_be_so(subject: UUID) -> None:
    done = verify()
    assert done.exit_code == 0, done.output
    assert "As they were written: 1 entry in 1 block." in done.output
    (head,) = [line.rpartition(" ")[2].rstrip(".") for line in done.output.splitlines() if "hash" in line]
    assert verify("--expect", head).exit_code == 0
    unknown = verify("--expect", "00" * 32)
    assert (unknown.exit_code, "no block of hash" in unknown.output) == (1, True)
    assert verify("--expect", "none").exit_code == 2
    assert subject


def test_a_removed_entry_is_named_and_exits_with_one(engine: Engine, subject: UUID) -> None:
    with engine.begin() as db, without_guards(db):
        (gone,) = db.scalars(text("DELETE FROM audit_entries WHERE subject_id = :id RETURNING id"), {"id": subject})
    done = verify()
    assert done.exit_code == 1
    assert f"entry {gone}, block 1: The entry was removed." in done.output
