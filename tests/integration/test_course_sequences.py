"""Random sequences of purchases, bookings, seats and cancellations keep every rule; a broken rule is found by them."""

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from tests.integration.expectations import Disagreement
from tests.integration.marketplace_groups import Groups

STEPS = 120
# How many are played at most for all of them to succeed once, and for a broken rule to show itself.
MOST_SEQUENCES = 10

# Each action whose success changes something, as the marketplace counts it.
EVERY_SUCCESS = {
    *("purchase", "adjust", "end bundles", "book", "request", "accept", "cancel as mentee", "cancel as mentor"),
    *("cancel as operator", "schedule", "join", "leave", "wait", "accept offer", "stop waiting", "end offers"),
    *("change capacity", "cancel a group", "move", "pay a seat", "lapse a seat", "give a seat up"),
}


def play(engine: Engine, seed: int, faults: Sequence[str] = ()) -> Counter[tuple[str, str]]:
    """The outcomes of one sequence, in a transaction that is rolled back; faults are statements that come first."""
    with engine.connect() as db:
        for fault in faults:
            db.exec_driver_sql(fault)
        marketplace = Groups(db, seed)
        try:
            marketplace.play(STEPS)
        except Disagreement as found:
            raise Disagreement(f"{found}\nin the sequence of seed {seed}") from found
        finally:
            db.rollback()
    return marketplace.outcomes


def test_any_sequence_keeps_every_rule(rollback_engine: Engine, seeds: range) -> None:
    missing = set(EVERY_SUCCESS)
    for seed in itertools.count(seeds.start):
        if seed >= seeds.stop and (not missing or seed >= seeds.start + MOST_SEQUENCES):
            break
        missing -= {action for action, outcome in play(rollback_engine, seed) if outcome == "done"}
    assert not missing


def before(event: str, table: str, body: str) -> list[str]:
    """The statements that put a fault before each such change of a table's row."""
    return [
        f"CREATE FUNCTION put_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER a_fault BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION put_fault()",
    ]


FAULTS = {
    "a credit returns without an entry": before(
        "INSERT", "bundle_entries", "IF NEW.kind = 'give_back' THEN RETURN NULL; END IF; RETURN NEW;"
    ),
    "a credit is spent without being counted": before(
        "UPDATE",
        "bundle_purchases",
        "NEW.remaining_sessions := greatest(NEW.remaining_sessions, OLD.remaining_sessions); RETURN NEW;",
    ),
    "a seat is not counted": before(
        "UPDATE", "group_sessions", "NEW.seats_taken := least(NEW.seats_taken, OLD.seats_taken); RETURN NEW;"
    ),
    "an offered seat is not kept": before("UPDATE", "group_sessions", "NEW.seats_offered := 0; RETURN NEW;"),
    "a freed seat is not offered": before("UPDATE", "waitlist_entries", "RETURN NULL;"),
    "a seat that was left stays taken": before("DELETE", "booking_participants", "RETURN NULL;"),
    "a person is booked twice": [
        "ALTER TABLE person_busy DROP CONSTRAINT ex_person_busy_user_id_busy, DISABLE TRIGGER tr_person_busy_insert"
    ],
    "a mentor's time is not released": before(
        "DELETE", "person_busy", "IF OLD.mentor_profile_id IS NULL THEN RETURN OLD; END IF; RETURN NULL;"
    ),
    "a mentee's time is not released": before(
        "DELETE", "person_busy", "IF OLD.mentor_profile_id IS NULL THEN RETURN NULL; END IF; RETURN OLD;"
    ),
    "a cancellation forgets the fee": before(
        "UPDATE",
        "sessions",
        """NEW.cancellation := jsonb_set(NEW.cancellation, '{fee,amount}', '0'); RETURN NEW;""",
    ),
    "a policy follows the listing": before("INSERT", "bookings", "NEW.cancellation_window_hours := 48; RETURN NEW;"),
}


def _play_all(engine: Engine, fault: list[str]) -> None:
    for seed in range(MOST_SEQUENCES):
        play(engine, seed, fault)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_broken_rule_is_found(rollback_engine: Engine, fault: list[str]) -> None:
    with pytest.raises(Disagreement):
        _play_all(rollback_engine, fault)
