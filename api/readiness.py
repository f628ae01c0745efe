"""Whether requests can be served: the database answers, is migrated, and takes changes.

A monitor is answered within ANSWER_SECONDS. So one thread at a time checks, on a connection that no request waits for,
and all who ask meanwhile get the outcome of that check.
"""

from concurrent.futures import Future
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from time import monotonic

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from models.engine import create
from models.sqlstates import INSUFFICIENT_PRIVILEGE, sqlstate_of

log = structlog.get_logger("api.readiness")

ANSWER_SECONDS = 1.5
WRITE_INTERVAL_SECONDS = 1.0
RECYCLE_SECONDS = 3600
MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations" / "versions"
NO_ANSWER, NO_CHANGE, NOT_MIGRATED = (
    "The database does not answer.",
    "The database takes no changes.",
    "The database is not migrated yet.",
)
# A row of a temporary table needs a new block of the disk each time, since a commit empties the table: a row of one of
# ours would find room in a block that there is, also on a full disk. A standby refuses to make the table.
_TABLE = text("CREATE TEMPORARY TABLE IF NOT EXISTS write_check (written boolean) ON COMMIT DELETE ROWS")
_ROW = text("INSERT INTO write_check VALUES (true)")


class Readiness:
    """Checks of one database, each answered in time whatever the database does.

    Args:
        database_url: of the requests' database, to which the checks have a connection of their own.
        answer_seconds: from when a check has begun.
    """

    def __init__(self, database_url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        # PostgreSQL cannot vacuum another session's temporary table: none is to become old.
        self._engine = create(
            database_url, pool_size=1, name="tutelage-ready", warn=False, recycle_seconds=RECYCLE_SECONDS
        )
        self._answer_seconds = answer_seconds
        self._lock = Lock()
        self._check: Future[str | None] = Future()
        self._check.set_result(None)
        self._begun = 0.0
        self._writable = True
        self._written = -WRITE_INTERVAL_SECONDS

    def problem(self) -> str | None:
        """Why requests cannot be served, as a sentence; None where they can."""
        with self._lock:
            if self._check.done():
                self._check, self._begun = Future(), monotonic()
                Thread(target=self._run, args=[self._check], name="readiness", daemon=True).start()
            check, until = self._check, self._begun + self._answer_seconds
        try:
            return check.result(max(0.0, until - monotonic()))
        except TimeoutError:
            return NO_ANSWER

    def close(self) -> None:
        self._engine.dispose()

    def _run(self, check: Future[str | None]) -> None:
        try:
            with self._engine.connect() as db:
                problem = self._problem(db)
        except SQLAlchemyError as error:
            log.warning("database unavailable", error=type(error).__name__, reason=str(getattr(error, "orig", error)))
            problem = NO_ANSWER
        except BaseException as error:
            check.set_exception(error)
            raise
        check.set_result(problem)

    def _problem(self, db: Connection) -> str | None:
        found = db.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
        revision = db.execute(text("SELECT version_num FROM alembic_version")).scalar() if found else None
        db.rollback()
        # During a deploy the database is migrated first: it may be at a revision that this process does not know.
        if revision is None or revision < newest_revision():
            return NOT_MIGRATED
        if monotonic() - self._written >= WRITE_INTERVAL_SECONDS:
            self._writable = _is_writable(db)
            self._written = monotonic()
        return None if self._writable else NO_CHANGE


@cache
def newest_revision() -> str:
    """The newest of the migrations, whose files begin with their numbers.

    It is read at start, so that no probe waits for the disk or finds a later version's folder.
    """
    return max(file.name.partition("_")[0] for file in MIGRATIONS.glob("[0-9]*.py"))


def _is_writable(db: Connection) -> bool:
    try:
        db.execute(_TABLE)
        db.execute(_ROW)
        db.commit()
    except SQLAlchemyError as error:
        db.rollback()
        # A role that may make no temporary tables can do all that the product does.
        if sqlstate_of(error) == INSUFFICIENT_PRIVILEGE:
            return True
        log.warning("database takes no changes", reason=str(getattr(error, "orig", error)))
        return False
    return True
