"""Sixteen clients accept overlapping drafts of four mentors as fast as they can, with the accept's own statement."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cli.embedded import postgres_binary
from workflows.bookings.actions import ACCEPT
from workflows.kernel.locks import LOCK_MENTOR, LOCK_PEOPLE

CLIENTS = 16
MENTORS = 4
DRAFTS = 60_000
MENTEES = 100
LOCK = "FOR NO KEY UPDATE"

# Each mentor's drafts begin ten minutes after one another and last an hour. Clients take the drafts in turn, so that
# those who are busy at one moment always want overlapping times of the same mentors.
_PEOPLE = """
INSERT INTO users (id, email, name, time_zone)
SELECT gen_random_uuid(), n || '@example.org', 'Number ' || n, 'UTC' FROM generate_series(1, {mentors} + {mentees}) n;
INSERT INTO mentor_profiles (id, user_id, headline, time_zone)
SELECT gen_random_uuid(), id, 'Mentor', 'UTC' FROM users LIMIT {mentors};
INSERT INTO listings (id, mentor_profile_id, title, duration_minutes, price_amount, price_currency)
SELECT gen_random_uuid(), id, 'An hour', 60, 4000, 'USD' FROM mentor_profiles;
CREATE TABLE race_drafts AS
SELECT n, gen_random_uuid() AS booking_id, gen_random_uuid() AS session_id, gen_random_uuid() AS busy_id,
       gen_random_uuid() AS attending_id,
       l.id AS listing_id, l.mentor_profile_id, m.user_id AS mentee_user_id,
       date_trunc('hour', now()) + interval '1 day' + n / {mentors} * interval '10 minutes' AS start_time
FROM generate_series(0, {drafts} - 1) n
JOIN (SELECT row_number() OVER () - 1 AS number, * FROM listings) l ON l.number = n % {mentors}
JOIN (SELECT row_number() OVER () - 1 AS number, id AS user_id FROM users
      WHERE id NOT IN (SELECT user_id FROM mentor_profiles)) m ON m.number = n % {mentees};
ALTER TABLE race_drafts ADD PRIMARY KEY (n);
CREATE SEQUENCE race_turn MINVALUE 0 MAXVALUE {last} CYCLE CACHE 1;
CREATE SEQUENCE race_refusals;
INSERT INTO bookings (id, listing_id, mentor_profile_id, mentee_user_id, start_time, end_time, status, price_amount,
                      price_currency, late_fee_percent)
SELECT booking_id, listing_id, mentor_profile_id, mentee_user_id, start_time, start_time + interval '1 hour',
       'draft', 4000, 'USD', 50
FROM race_drafts;
INSERT INTO booking_participants (booking_id, user_id) SELECT booking_id, mentee_user_id FROM race_drafts;
ANALYZE;
"""

# pgbench gives a client up at the first refusal, so that the refusal is caught where the statement runs. Deadlocks are
# not: pgbench counts those itself.
_TURN = """
CREATE FUNCTION race_turn() RETURNS void LANGUAGE plpgsql AS $race$
DECLARE
    turn bigint := nextval('race_turn');
    draft race_drafts;
BEGIN
    SELECT * INTO draft FROM race_drafts WHERE n = turn;
    EXECUTE $accept${statement}$accept$
    USING draft.mentor_profile_id, draft.mentee_user_id, false, draft.booking_id, draft.session_id, draft.busy_id,
          draft.attending_id, 1;
EXCEPTION WHEN check_violation OR exclusion_violation THEN
    PERFORM nextval('race_refusals');
END $race$
"""
_PARAMETERS = (
    "mentor_profile_id",
    "mentee_user_id",
    "mentee_overlap",
    "id",
    "session_id",
    "busy_id",
    "attending_id",
    "version",
)


@dataclass(frozen=True)
class Result:
    """What came of a race."""

    turns: int  # accepts that were tried and not broken up
    accepted: int  # bookings that were accepted
    refused: int  # accepts that were refused since the time was taken
    deadlocks: int  # as PostgreSQL counted them
    per_second: float  # turns a second
    longest_ms: float  # how long the slowest turn took


def race(
    database_url: str, *, seconds: int, lock: bool = True, clients: int = CLIENTS, drafts: int = DRAFTS, rounds: int = 1
) -> Result:
    """Run the race in a migrated, empty database.

    Args:
        lock: whether accepts lock their mentor's row first, as they do elsewhere.
        rounds: how many times to run it at most; a round with deadlocks is the last. Each needs drafts of its own.
        drafts: how many there are to be decided; more than can be tried in that time.
    """
    with psycopg.connect(database_url, autocommit=True) as db:
        for statement in _PEOPLE.format(mentors=MENTORS, mentees=MENTEES, drafts=drafts, last=drafts - 1).split(";\n"):
            db.execute(statement)
        db.execute(_TURN.format(statement=_statement(lock)))
        before = _deadlocks(db)
    longest, found, played = 0.0, 0, 0
    while not found and played < rounds:
        played += 1
        longest = max(longest, _pgbench(database_url, seconds, clients))
        # On a new connection: the clients have left, and PostgreSQL has counted their deadlocks.
        with psycopg.connect(database_url, autocommit=True) as db:
            found = _deadlocks(db) - before
    with psycopg.connect(database_url, autocommit=True) as db:
        accepted = _number(db, "SELECT count(*) FROM bookings WHERE status = 'accepted'")
        refused = _number(db, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM race_refusals")
        blocks = _number(db, "SELECT count(*) FROM person_busy WHERE mentor_profile_id IS NOT NULL")
        if blocks != accepted:
            raise AssertionError(f"{accepted} bookings are accepted, but {blocks} blocks are in the calendar.")
        turns = accepted + refused
        return Result(turns, accepted, refused, found, turns / (seconds * played), longest)


def _statement(lock: bool) -> str:
    """The accept's statement with numbered parameters."""
    statement = ACCEPT
    for locking in () if lock else (LOCK_MENTOR, LOCK_PEOPLE):
        statement = statement.replace(locking, locking.replace(f"{LOCK} OF users", "").replace(LOCK, ""))
    for number, name in enumerate(_PARAMETERS, start=1):
        statement = re.sub(rf":{name}\b", f"${number}", statement)
    return statement


def _pgbench(database_url: str, seconds: int, clients: int) -> float:
    """Let the clients loose, and return how long the slowest turn took in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "turn.sql"
        script.write_text("SELECT race_turn();\n")
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(script), "-l"]
        command = [str(postgres_binary("pgbench")), *options, database_url]
        # Deadlocks are looked for after this pause; PostgreSQL's own second would make a race that has some a long one.
        environment = {**os.environ, "PGOPTIONS": "-c deadlock_timeout=100ms"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench ended with {done.returncode}: {done.stderr}")
        lines = (line for log in Path(folder).glob("pgbench_log.*") for line in log.read_text().splitlines())
        # client, transaction, microseconds or the word failed, …
        return max(int(line.split()[2]) for line in lines if line.split()[2].isdecimal()) / 1000


def _deadlocks(db: psycopg.Connection) -> int:
    return _number(db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def _number(db: psycopg.Connection, query: str) -> int:
    row = db.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
