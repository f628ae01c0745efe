"""The engine: how a process reaches PostgreSQL, and how long it is ready to wait for it."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, make_url

# Limits live where the waiting is: Celery's thread pool cannot interrupt a task (durability.md).
# A statement may be waited for longer than a lock, and an abandoned transaction must not keep its locks.
SESSION_OPTIONS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",
    "timezone": "UTC",
    # Half of PostgreSQL's time went into planning the same statements anew for each array of parameters. Each of them
    # finds its index whatever the parameters are (tests explain them under this setting), so that one plan is enough.
    "plan_cache_mode": "force_generic_plan",
}
# The second execution on a connection is planned for good; psycopg waits for the sixth.
PREPARE_THRESHOLD = 1


def create(database_url: str, *, pool_size: int = 8, name: str = "tutelage", connect_timeout: int = 3) -> Engine:
    """Make an engine whose connections time out by themselves and answer in UTC.

    Args:
        database_url: `postgresql://…`; the driver is always psycopg 3.
        pool_size: the most connections this process keeps or opens.
        name: shown in `pg_stat_activity` as the application's name.
        connect_timeout: seconds to wait for a connection to be made.
    """
    options = " ".join(f"-c {setting}={value}" for setting, value in SESSION_OPTIONS.items())
    return create_engine(
        make_url(database_url).set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_reset_on_return="rollback",
        # The same few connections, whose statements are prepared, while the others rest.
        pool_use_lifo=True,
        # An error must not carry what people wrote into logs.
        hide_parameters=True,
        connect_args={
            "options": options,
            "application_name": name,
            "connect_timeout": connect_timeout,
            "prepare_threshold": PREPARE_THRESHOLD,
        },
    )
