"""Tests of `tutelage deliveries`: what operators do without the API, and what is refused."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, func, select, update

from cli.main import main
from cli.operator import cli_operator
from models.audit import audit_entries
from models.events import DeliveryState, deliveries
from tests.cli.test_doctor import examine
from tests.factories import make_booking

OPERATOR = cli_operator().name
pytestmark = pytest.mark.usefixtures("own_database")


def tutelage(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["deliveries", *words])


@pytest.fixture
def dead(engine: Engine) -> list[UUID]:
    """The deliveries of a booking, all of them dead."""
    with engine.begin() as db:
        make_booking(db)
        died = update(deliveries).values(state=DeliveryState.DEAD, attempts=8, last_error="It broke.")
        return list(db.scalars(died.returning(deliveries.c.id)))


def states(engine: Engine) -> dict[UUID, DeliveryState]:
    with engine.connect() as db:
        return {row.id: row.state for row in db.execute(select(deliveries.c.id, deliveries.c.state))}


def audited(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as db:
        entries = db.execute(select(audit_entries.c.actor, audit_entries.c.action).order_by(audit_entries.c.id))
        return [(row.actor, row.action) for row in entries if row.action.startswith("deliver")]


@pytest.mark.parametrize("columns", [60, 80, 250])
def test_no_line_of_the_list_is_wider_than_the_screen(
    dead: list[UUID], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    listed = tutelage("list", "--state", "dead").output
    assert [each for each in dead if each.hex[:12] not in listed.split()] == []
    assert listed.count("It broke.") == len(dead)
    assert max(map(len, listed.splitlines())) <= columns
    assert "It broke." not in tutelage("list", "--state", "pending").output
    assert "more than these 1" in tutelage("list", "--limit", "1").output


def test_deliveries_are_listed_for_programs(dead: list[UUID]) -> None:
    listed = json.loads(tutelage("list", "--state", "dead", "--json").output)
    assert {each["id"] for each in listed} == set(map(str, dead))
    assert {(each["state"], each["lastError"]) for each in listed} == {("dead", "It broke.")}
    assert json.loads(tutelage("list", "--state", "cancelled", "--json").output) == []


def test_deliveries_of_one_subject_are_listed(engine: Engine, dead: list[UUID]) -> None:
    with engine.begin() as db:
        other = make_booking(db)
    listed = json.loads(tutelage("list", "--about", str(other.id), "--json").output)
    assert {each["subjectId"] for each in listed} == {str(other.id)}
    assert not {each["id"] for each in listed} & set(map(str, dead))


def test_a_delivery_is_named_by_its_first_digits(engine: Engine, dead: list[UUID]) -> None:
    assert tutelage("retry", dead[0].hex[:12].upper()).output == "Retried: 1.\n"
    assert [each for each, state in states(engine).items() if state is DeliveryState.PENDING] == dead[:1]
    twin = UUID(dead[0].hex[:12] + "f" * 20)
    with engine.begin() as db:
        db.execute(update(deliveries).where(deliveries.c.id == dead[1]).values(id=twin))
    assert f"More than one delivery begins with {twin.hex[:12]}" in tutelage("cancel", twin.hex[:12]).output
    assert tutelage("cancel", str(twin)).output == "Cancelled: 1.\n"
    for word in (twin.hex[:7], twin.hex + "0", "deliveries"):
        assert "is not the id of a delivery" in tutelage("retry", word).output


def test_dead_deliveries_are_retried_by_id_or_all(engine: Engine, dead: list[UUID]) -> None:
    assert tutelage("retry", str(dead[0])).output == "Retried: 1.\n"
    assert [each for each, state in states(engine).items() if state is DeliveryState.PENDING] == dead[:1]
    assert tutelage("retry", "--all-dead").output == f"Retried: {len(dead) - 1}.\n"
    assert set(states(engine).values()) == {DeliveryState.PENDING}
    assert audited(engine) == [(OPERATOR, "delivery.retried"), (OPERATOR, "deliveries.retried")]


def test_a_delivery_is_cancelled_with_a_reason(engine: Engine, dead: list[UUID]) -> None:
    assert tutelage("cancel", str(dead[0]), "--reason", "not needed").output == "Cancelled: 1.\n"
    assert states(engine)[dead[0]] is DeliveryState.CANCELLED
    assert audited(engine) == [(OPERATOR, "delivery.cancelled")]


def test_of_several_ids_all_or_none_are_cancelled(engine: Engine, dead: list[UUID]) -> None:
    refused = tutelage("cancel", str(dead[0]), str(missing := uuid4()))
    assert (refused.exit_code, refused.output) == (1, f"Error: There is no delivery {missing}.\n")
    assert set(states(engine).values()) == {DeliveryState.DEAD}


def test_what_is_not_dead_is_not_retried(dead: list[UUID]) -> None:
    tutelage("cancel", str(dead[0]))
    refused = tutelage("retry", str(dead[0]))
    said = "Error: Only a dead delivery is retried. This one is cancelled, which is final.\n"
    assert (refused.exit_code, refused.output) == (1, said)


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("retry", "--effect", "mail.send"),
        ("retry", "--all-dead", str(uuid4())),
        ("retry", str(uuid4()), "--since", "2026-01-01"),
        ("retry", "42"),
        ("cancel",),
        ("list", "--limit", "0"),
        ("list", "--state", "lost"),
        ("list", "--about", "42"),
    ],
)
def test_a_command_without_a_meaning_is_refused(words: tuple[str, ...]) -> None:
    assert tutelage(*words).exit_code == 2


def test_the_doctor_names_what_is_overdue(dead: list[UUID], engine: Engine, tmp_path: Path) -> None:
    late = {name: func.now() - timedelta(minutes=6) for name in ("due_at", "nudge_at")}
    with engine.begin() as db:
        queue = db.scalars(select(deliveries.c.queue).where(deliveries.c.id == dead[0])).one()
        db.execute(update(deliveries).values(state=DeliveryState.PENDING))
        db.execute(update(deliveries).where(deliveries.c.id == dead[0]).values(late))
    said = examine(tmp_path)
    assert said.exit_code == 1
    assert f"WRONG    Due for over five minutes: 1 delivery of {queue}." in said.output


def test_the_doctor_names_what_fails(dead: list[UUID], engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as db:
        effect = db.scalars(select(deliveries.c.effect).where(deliveries.c.id == dead[0])).one()
    said = examine(tmp_path)
    assert said.exit_code == 1
    assert "dead: It broke." in said.output
    with engine.begin() as db:
        db.execute(update(deliveries).values(state=DeliveryState.PENDING))
        db.execute(update(deliveries).where(deliveries.c.id != dead[0]).values(attempts=0))
    said = examine(tmp_path)
    assert said.exit_code == 0
    assert f"ok       No delivery is dead.\n         1 delivery of {effect} is waiting after a failure: It broke." in (
        said.output
    )
