"""Counting what a piece of work asks of the database, and getting in its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

from models.prepared import observe_prepared


@dataclass
class Made:
    """The statements and commits of a `with` block; BEGIN and COMMIT themselves are no statements."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0


@contextmanager
def statements_of(engine: Engine) -> Iterator[Made]:
    """The statements on this engine within the block."""
    made = Made()

    def on_statement(_db: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        made.statements.append(statement)

    def on_commit(_db: Any) -> None:
        made.commits += 1

    event.listen(engine, "before_cursor_execute", on_statement)
    event.listen(engine, "commit", on_commit)
    observe_prepared(engine, lambda statement, _seconds: made.statements.append(statement))
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)
        event.remove(engine, "commit", on_commit)
        observe_prepared(engine, None)


@contextmanager
def before_statements(engine: Engine, look: Callable[[str], None]) -> Iterator[None]:
    """Within the block, `look` is called with each statement before it is executed: it may wait, or raise.

    With a prepared one right after it, before anything else is done in its transaction.
    """

    def on_statement(_db: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        look(statement)

    event.listen(engine, "before_cursor_execute", on_statement)
    observe_prepared(engine, lambda statement, _seconds: look(statement))
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)
        observe_prepared(engine, None)
