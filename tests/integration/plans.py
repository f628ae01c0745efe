"""Plans of statements that are good for any parameters, in databases that are filled for them."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import ClauseElement, Connection, event

from models.engine import create, driver_of
from models.prepared import PreparedStatement, observe_prepared
from tests import servers
from tests.integration.harness import without_guards

SOME_ID = UUID(int=7)
# Of every table that holds rows itself.
_WITHOUT_AUTOVACUUM = """
DO $$ DECLARE name regclass; BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', name);
    END LOOP;
END $$
"""


@contextmanager
def filled_once(name: str, template: str, statements: Iterable[str]) -> Iterator[Connection]:
    """A connection to a database of these tests alone: no other test's rows are in its statistics.

    What fills it is committed. A transaction that has written and stays open would hold up the live updates of every
    other test: changes are handed on in the order of transactions, and these are counted by the whole server.
    """
    with servers.temporary_database(name, template) as address:
        engine = create(address)
        with engine.connect() as db:
            db.exec_driver_sql("SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = 0")
            # An index has to be the better way without help.
            db.exec_driver_sql("SET enable_seqscan = on")
            db.commit()
            # Its locks would keep tests from emptying tables, and its statistics come at any time.
            driver_of(db).execute(_WITHOUT_AUTOVACUUM)
            db.commit()
            for statement in statements:
                with db.begin(), without_guards(db):
                    driver_of(db).execute(statement)
            # As PostgreSQL does after a minute: plans must not depend on when.
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuuming:
                vacuuming.exec_driver_sql("VACUUM")
            yield db
        engine.dispose()


def plan_of(db: Connection, statement: ClauseElement | PreparedStatement) -> list[dict[str, Any]]:
    """The nodes of the plan that is good for any parameters."""
    if isinstance(statement, PreparedStatement):
        return plan_as_sent(db, statement.text)
    return plan_as_sent(db, statement.compile(dialect=db.dialect).string)


def plan_as_sent(db: Connection, sent: str) -> list[dict[str, Any]]:
    return list(nodes(explained(db, sent, "JSON")[0][0]["Plan"]))


def explained(db: Connection, sent: str, form: str) -> list[Any]:
    numbers: dict[str, str] = {}
    numbered = re.sub(r"%\((\w+)\)s", lambda found: numbers.setdefault(found[1], f"${len(numbers) + 1}"), sent).replace(
        "%%", "%"
    )
    # Explained once and then again, it would be prepared, and want its parameters.
    explain = f"EXPLAIN (GENERIC_PLAN, FORMAT {form}) {numbered}"
    return [row[0] for row in driver_of(db).execute(explain.encode(), prepare=False)]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from nodes(below)


def statements_of(db: Connection, call: Callable[[], Any]) -> list[tuple[str, Any]]:
    """All statements that a call makes, with their parameters."""
    made: list[tuple[str, Any]] = []

    def keep(_db: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "the test's own" not in statement:
            made.append((statement, parameters))

    event.listen(db, "before_cursor_execute", keep)
    observe_prepared(db, lambda statement, _seconds: made.append((statement, None)))
    try:
        call()
    finally:
        event.remove(db, "before_cursor_execute", keep)
        observe_prepared(db, None)
    return made
