"""What maintain does for the audit: it chains, checks, measures, makes partitions, and drops what is old."""

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from config import telemetry
from tests.audit import chain_all, new_entry
from tests.integration.harness import without_guards
from workers.maintain import CHORES, chain_audit, check_audit, drop_old_audit, make_audit_partitions
from workflows.audit.chain import end_of_chain, oldest_unchained
from workflows.audit.log import write_entries


@pytest.fixture
def chained(engine: Engine) -> Engine:
    with engine.begin() as db:
        write_entries(db, [new_entry()])
    chain_all(engine)
    return engine


def value_of(metric: str) -> float:
    return telemetry.REGISTRY.get_sample_value(f"tutelage_{metric}") or 0.0


def test_the_end_of_the_chain_is_logged(engine: Engine) -> None:
    with engine.begin() as db:
        write_entries(db, [new_entry()])
    with capture_logs() as lines:
        while True:
            with engine.begin() as db:
                chain_audit(db)
            with engine.connect() as db:
                end = end_of_chain(db)
                if oldest_unchained(db) is None:
                    break
                assert value_of("audit_unchained_age_seconds") > 0
    assert [(line["event"], line["hash"]) for line in lines] == [("audit.chained", end.hash.hex())]
    assert value_of("audit_unchained_age_seconds") == 0


def test_tampering_is_logged_and_counted(chained: Engine) -> None:
    with chained.begin() as db, without_guards(db):
        (gone,) = db.scalars(text("DELETE FROM audit_entries RETURNING id"))
    before = value_of("audit_problems_total")
    with capture_logs() as lines, chained.begin() as db:
        check_audit(db)
    assert [(line["event"], line["log_level"], line["entry_id"]) for line in lines] == [
        ("audit.tampered", "error", gone)
    ]
    assert value_of("audit_problems_total") == before + 1


def test_present_partitions_are_there_and_nothing_young_is_dropped(chained: Engine) -> None:
    with capture_logs() as lines, chained.begin() as db:
        assert not make_audit_partitions(db)
        assert not drop_old_audit(db)
    assert lines == []
    assert {make_audit_partitions, chain_audit, check_audit, drop_old_audit} <= set(CHORES.values())
