"""One statement of a test in a transaction of its own, which is committed."""

from typing import Any

from sqlalchemy import CursorResult, Engine, Executable, Result, ScalarResult

from workflows.invariants import check_all


def execute(engine: Engine, statement: Executable, values: Any = None) -> Result[Any]:
    """The rows of a statement, read whole."""
    with engine.begin() as db:
        result: CursorResult[Any] = db.execute(statement, values)
        return result.freeze()() if result.returns_rows else result


def scalars(engine: Engine, statement: Executable, values: Any = None) -> ScalarResult[Any]:
    """The first column of a statement's rows."""
    return execute(engine, statement, values).scalars()


def scalar(engine: Engine, statement: Executable, values: Any = None) -> Any:
    """The first value of a statement's rows."""
    return execute(engine, statement, values).scalar()


def broken_invariants(engine: Engine) -> set[str]:
    """The names of the invariants that the rows of a database violate."""
    with engine.begin() as db:
        return {finding.name for finding in check_all(db) if finding.violations}
