"""Alembic's environment: it reaches the database by the connection or the address that its caller passes.

Offline, it writes the statements of the steps. A caller may also pass a function that is called after each step, within
its transaction.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from migrations import is_no_partition
from models import metadata
from models.engine import create


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
        include_name=is_no_partition,
        # The locks of one step are released before the next step, which may take long, begins.
        transaction_per_migration=True,
        on_version_apply=context.config.attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


def _write() -> None:
    context.configure(dialect_name="postgresql", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


connection: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    _write()
elif connection is not None:
    _run(connection)
else:
    url = context.config.get_main_option("sqlalchemy.url") or ""
    engine = create(url, pool_size=1, name="tutelage-migrate", gives_up=False)
    with engine.connect() as own_connection:
        _run(own_connection)
    engine.dispose()
