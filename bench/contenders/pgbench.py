"""pgbench with the very statements of an accept, one transaction each: what PostgreSQL itself does of them."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.contenders.statements import ACCEPT, BOOKING, MENTOR, RECORD, plan_of
from cli.embedded import postgres_binary
from tests.booking_system import Tutelage
from tests.load import percentile

NAME = "pgbench"
FIRST_START_DAYS = 400  # or beyond whatever else is booked on the same database

# One draft a transaction, taken in turn; an hour each, the mentors' turns as the load's.
_DRAFTS = """
CREATE SEQUENCE IF NOT EXISTS bench_turn;
DROP TABLE IF EXISTS bench_drafts;
CREATE TABLE bench_drafts AS
SELECT n, gen_random_uuid() AS booking_id, gen_random_uuid() AS session_id, gen_random_uuid() AS busy_id,
       gen_random_uuid() AS event_id, listings.id AS listing_id, listings.mentor_profile_id, mentees.mentee_user_id,
       date_trunc('day', greatest(now() + interval '{days} days', later.than_all))
           + n / offers.count * interval '1 hour' AS start_time
FROM generate_series(1, {count}) n, (SELECT count(*) FROM listings) offers,
     (SELECT max(end_time) + interval '1 day' AS than_all FROM bookings) later,
     (SELECT row_number() OVER () - 1 AS number, * FROM listings) listings,
     (SELECT row_number() OVER () - 1 AS number, id AS mentee_user_id FROM users
      WHERE id NOT IN (SELECT user_id FROM mentor_profiles)) mentees
WHERE listings.number = n % offers.count AND mentees.number = listings.number;
ALTER TABLE bench_drafts ADD PRIMARY KEY (n);
INSERT INTO bookings (id, listing_id, mentor_profile_id, mentee_user_id, start_time, end_time, status, price_amount,
                      price_currency, late_fee_percent)
SELECT booking_id, listing_id, mentor_profile_id, mentee_user_id, start_time, start_time + interval '1 hour',
       'draft', 4000, 'USD', 50
FROM bench_drafts;
INSERT INTO booking_participants (booking_id, user_id) SELECT booking_id, mentee_user_id FROM bench_drafts;
SELECT setval('bench_turn', 1, false);
ANALYZE bookings;
"""
# By their types: a statement may use one where its type does not follow.
_VARIABLES = {
    **dict.fromkeys(("mentor_profile_id", "mentee_user_id", "session_id", "busy_id", "attending_id"), "uuid"),
    "mentee_overlap": "boolean",
    "version": "integer",
}
_SCRIPT = """
SELECT booking_id, session_id, busy_id, event_id, mentor_profile_id, mentee_user_id,
       gen_random_uuid() AS attending_id, false AS mentee_overlap, 1 AS version
FROM bench_drafts WHERE n = (SELECT nextval('bench_turn')) \\gset
BEGIN;
{statements}
COMMIT;
"""


@dataclass(frozen=True)
class Accepts:
    """What came of a run."""

    per_second: float
    latencies: list[float]

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent stay within, in milliseconds."""
        return percentile(self.latencies, percent) * 1000


def accepts(product: Tutelage, clients: int, seconds: float, drafts: int) -> Accepts:
    """Accept drafts of its own on the product's database.

    Args:
        drafts: how many to make beforehand; more than can be accepted in that time.
    Raises:
        RuntimeError: pgbench failed; with what it said.
    """
    with psycopg.connect(product.database_url, autocommit=True) as db:
        for statement in _DRAFTS.format(days=FIRST_START_DAYS, count=drafts).split(";\n"):
            if statement.strip():
                db.execute(statement.encode())
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "accept.sql"
        script.write_text(_SCRIPT.format(statements="\n".join(_statements(product.database_url))))
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(round(seconds))]
        command = [str(postgres_binary("pgbench")), *options, "-f", str(script), "-l", product.database_url]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench ended with {done.returncode}: {done.stderr[-2000:]}")
        # client, transaction, microseconds, …
        logs = (file.read_text().splitlines() for file in Path(folder).glob("pgbench_log.*"))
        latencies = sorted(int(line.split()[2]) / 1_000_000 for lines in logs for line in lines)
    return Accepts(len(latencies) / round(seconds), latencies)


def _statements(database_url: str) -> list[str]:
    """The product's, with pgbench's variables and literals as parameters, each on one line."""
    plan = plan_of(database_url, "booking.accepted")
    literals = {
        "id": ":event_id::uuid",
        "type": "'booking.accepted'",
        "subject_id": ":booking_id::uuid",
        "actor": "'bench'",
        "data": "jsonb_build_object('id', :booking_id::text)",
        "occurred_at": "now()",
        "effects": _array(map(_quoted, plan.effects)),
        "targets": _array(map(_quoted, plan.targets)),
        "queues": _array(map(_quoted, plan.queues)),
        "event_ids": _array([":event_id::uuid"] * len(plan.effects)),
        "mentor_profile_id": ":mentor_profile_id",
        "dues": _array(
            f"now() + interval '{later} seconds'" if later else "NULL::timestamptz" for later in plan.later_seconds
        ),
    }
    variables = {name: f":{name}::{type_}" for name, type_ in _VARIABLES.items()}
    variables["id"] = ":booking_id::uuid"
    return [
        _filled(MENTOR, {"id": ":mentor_profile_id::uuid"}),
        _filled(BOOKING, {"id": ":booking_id::uuid"}),
        _filled(ACCEPT, variables),
        _filled(RECORD, literals),
    ]


def _filled(statement: str, values: dict[str, str]) -> str:
    text = re.sub(r"%\((\w+)\)s", lambda match: values[match.group(1)], statement)
    return " ".join(text.split()) + ";"


def _array(items: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(items)}]"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
