"""Tests of the engine: the settings of its role, and statements whose result a migration has changed."""

import errno
import inspect
import logging
import os
import re
import socket
import traceback
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from uuid import uuid4

import psycopg
import pytest
from psycopg.adapt import Transformer
from sqlalchemy import Engine, Enum, Integer, Text, bindparam, column, insert, literal, literal_column, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, NotSupportedError

import models.driver
import models.engine
import models.prepared
from models.driver import MAX_PREPARED, DriverConnection, ServerStalled
from models.engine import SESSION_SETTINGS, _Reach, autocommit, create, driver_of, missing_settings, set_up_role
from models.events import DeliveryState
from models.people import users
from models.prepared import PreparedStatement
from tests.application import World, as_mentor
from tests.eventually import eventually
from tests.factories import make_booking, make_listing, make_user
from tests.queries import execute, scalar
from workflows.accounts.records import Mentor
from workflows.bookings.records import Booking
from workflows.catalog.listings import Listing

NUMBERED = "SELECT users.id \nFROM users \nWHERE users.id = $1::UUID"
USERS = select(users).where(users.c.id == bindparam("id"))


def take_settings(database_url: str) -> None:
    with psycopg.connect(database_url) as db:
        db.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {db.info.dbname} RESET ALL")


def test_connections_begin_with_the_settings_of_their_role(engine: Engine) -> None:
    found = {name: scalar(engine, text(f"SHOW {name}")) for name in SESSION_SETTINGS}
    assert found == SESSION_SETTINGS


def test_what_an_operator_chose_for_a_timeout_stays(database_url: str) -> None:
    take_settings(database_url)
    with psycopg.connect(database_url) as db:
        db.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {db.info.dbname} SET lock_timeout = '3s'")
    with psycopg.connect(database_url) as db:
        assert set(missing_settings(db)) == set(SESSION_SETTINGS) - {"lock_timeout", "timezone"}
        set_up_role(db)
    with psycopg.connect(database_url) as db:
        assert missing_settings(db) == {}
        assert db.execute("SHOW lock_timeout").fetchone() == ("3s",)


def test_a_role_without_settings_is_warned_of_once(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    take_settings(database_url)
    engine = create(database_url)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with engine.connect() as one, engine.connect() as two:
                assert one.scalar(text("SELECT 1")) == two.scalar(text("SELECT 1")) == 1
    engine.dispose()
    (warning,) = caplog.messages
    assert "statement_timeout = 9s" in warning
    assert "tutelage migrate" in warning


@pytest.mark.parametrize(("parameters", "seconds"), [("", 15), ("?tcp_user_timeout=40000&keepalives_idle=9", 40)])
def test_a_server_that_vanishes_is_given_up(database_url: str, parameters: str, seconds: int) -> None:
    engine = create(database_url + parameters)
    with engine.connect() as db, socket.socket(fileno=os.dup(driver_of(db).fileno())) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == seconds * 1_000
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
    engine.dispose()
    assert idle == (9 if parameters else 5)
    assert idle + interval * count <= 20


def test_a_try_that_fails_in_any_way_keeps_no_request_from_connecting(database_url: str) -> None:
    reach = _Reach()

    def attempt() -> DriverConnection:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def connects() -> bool:
        with suppress(ServerStalled):
            reach.connect(None, None, [database_url], {"connect_timeout": 3}).close()  # type: ignore[arg-type]
            return True
        return False

    reach._begin(attempt)
    eventually(connects, "a connection", seconds=10)


def test_autocommit_leaves_nothing_open_and_transactions_as_they_are(engine: Engine) -> None:
    with autocommit(engine) as db:
        assert db.scalar(text("SELECT count(*) FROM users")) == 0
        assert driver_of(db).info.transaction_status.name == "IDLE"
    with engine.connect() as db, db.begin() as transaction:
        make_user(db)
        transaction.rollback()
    with autocommit(engine) as db:
        assert db.scalar(text("SELECT count(*) FROM users")) == 0
        make_user(db)
    with autocommit(engine) as db:
        assert db.scalar(text("SELECT count(*) FROM users")) == 1


def test_statements_stay_prepared_over_a_rollback(engine: Engine) -> None:
    found = PreparedStatement(select(users.c.id).where(users.c.id == bindparam("id")))
    with engine.connect() as db:
        for _ in range(2):
            assert found.all(db, {"id": uuid4()}) == []
            with pytest.raises(DBAPIError):
                db.execute(text("SELECT 1 / 0"))
            db.rollback()
        named = db.scalar(text("SELECT count(*) FROM pg_prepared_statements WHERE statement = :it"), {"it": NUMBERED})
    assert named == 1


def test_statements_stay_prepared_over_a_savepoint_that_is_undone(engine: Engine) -> None:
    found = PreparedStatement(select(users.c.id).where(users.c.id == bindparam("id")))
    with engine.begin() as db:
        for _ in range(3):
            savepoint = db.begin_nested()
            make_user(db)
            assert found.all(db, {"id": uuid4()}) == []
            savepoint.rollback()
        assert db.scalar(text("SELECT count(*) FROM users")) == 0
        ours = "FROM pg_prepared_statements WHERE statement = :it"
        executions = list(db.scalars(text(f"SELECT generic_plans + custom_plans {ours}"), {"it": NUMBERED}))
    assert len(executions) == 1
    assert executions[0] >= 3


@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "ALTER TABLE users ALTER COLUMN name SET STATISTICS 100"])
def test_statements_are_prepared_again_when_the_server_has_forgotten_them(engine: Engine, command: str) -> None:
    found = PreparedStatement(select(users.c.id).where(users.c.id == bindparam("id")))
    with engine.connect() as db:
        for _ in range(3):
            assert found.all(db, {"id": uuid4()}) == []
            # Psycopg has something prepared that it has the server forget.
            for _ in range(3):
                db.execute(text("SELECT 1"))
            db.execute(text(command))
        assert found.all(db, {"id": uuid4()}) == []


def test_a_connection_keeps_the_statements_that_it_used_last(engine: Engine) -> None:
    with engine.connect() as db:
        for number in range(MAX_PREPARED + 5):
            assert PreparedStatement(select(literal_column(str(number)).label("n"))).all(db, {}) == [{"n": number}]
        kept = list(db.scalars(text("SELECT statement FROM pg_prepared_statements WHERE name LIKE 'tutelage_%'")))
    assert sorted(kept) == sorted(f"SELECT {number} AS n" for number in range(5, MAX_PREPARED + 5))


def test_a_prepared_statement_begins_the_transaction_that_is_committed(engine: Engine) -> None:
    insert_user = PreparedStatement(
        insert(users).values(id=uuid4(), email="ada@example.org", name="Ada").returning(users.c.name)
    )
    with engine.connect() as db:
        assert insert_user.all(db, {}) == [{"name": "Ada"}]
        db.commit()
    assert scalar(engine, text("SELECT name FROM users")) == "Ada"


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_prepared_statement_begins_at_the_chosen_isolation(engine: Engine, level: str) -> None:
    shown = PreparedStatement(text("SHOW transaction_isolation").columns(column("transaction_isolation", Text)))
    with engine.connect() as db:
        db.execution_options(isolation_level=level)
        assert shown.one_or_none(db, {}) == {"transaction_isolation": level.lower()}


@pytest.mark.parametrize("options", [{}, {"isolation_level": "REPEATABLE READ"}], ids=["default", "chosen"])
def test_the_first_statement_of_a_transaction_has_its_deadline(database_url: str, options: dict[str, str]) -> None:
    sleep = PreparedStatement(text("SELECT 1 AS one FROM pg_sleep(5)").columns(column("one", Integer)))
    # An engine of its own, which takes the server for stalled for a moment.
    with create(database_url, warn=False).connect() as db:
        db.execution_options(**options)
        driver_of(db).limit_seconds = 0.5
        with pytest.raises(DBAPIError) as raised:
            sleep.one_or_none(db, {})
        assert raised.value.connection_invalidated


@pytest.mark.parametrize("module", [models.driver, models.engine, models.prepared], ids=lambda module: module.__name__)
def test_psycopgs_public_interface_is_enough(engine: Engine, module: ModuleType) -> None:
    """A private name may be gone in its next release, and one of ours would hide it."""
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as plain, plain.cursor() as cursor:
        psycopgs = {name for each in (plain, cursor, Transformer(plain)) for name in dir(each)}
    names = set(re.findall(r"\b_[a-z]\w*", inspect.getsource(module)))
    assert {name for name in psycopgs if re.match("_[a-z]", name)} & names == set()


@pytest.fixture
def own_engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database whose tables the test may change."""
    engine = create(database_url)
    yield engine
    engine.dispose()


def as_mentor_of(engine: Engine, listing: Listing) -> dict[str, str]:
    return as_mentor(Mentor.of(execute(engine, Mentor.by_id(listing.mentor_profile_id)).one()))


def change_the_type_of_a_column(database_url: str, table: str, column: str) -> None:
    """A change as a migration makes it: statements that were planned before return something else."""
    with psycopg.connect(database_url) as db:
        db.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(300)")


def test_a_stale_plan_invalidates_all_pooled_connections(own_engine: Engine, database_url: str) -> None:
    with own_engine.connect() as one, own_engine.connect() as two:
        for db in (one, two):
            for _ in range(3):
                db.execute(USERS, {"id": None})
            # A rollback would have the driver forget what it has prepared.
            db.commit()
    change_the_type_of_a_column(database_url, "users", "time_zone")
    with own_engine.connect() as db, pytest.raises(NotSupportedError) as raised:
        db.execute(USERS, {"id": None})
    assert raised.value.connection_invalidated
    with own_engine.connect() as one, own_engine.connect() as two:
        for db in (one, two):
            assert db.execute(USERS, {"id": None}).all() == []


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_request_that_meets_a_stale_plan_is_answered(own_engine: Engine, database_url: str, method: str) -> None:
    world = World.on(own_engine)
    with own_engine.begin() as db:
        listing = make_listing(db)
        drafts = [make_booking(db, listing=listing) for _ in range(5)]
    mentor = as_mentor_of(own_engine, listing)

    def ask(draft: Booking) -> int:
        path = f"/bookings/{draft.id}" + ("/decline" if method == "PATCH" else "")
        return world.client.open(path, method=method, headers=mentor).status_code

    *before, last = drafts
    assert [ask(draft) for draft in before] == [200] * 4
    change_the_type_of_a_column(database_url, "bookings", "title")
    assert ask(last) == 200


def test_a_delivery_that_meets_a_stale_plan_is_done(own_engine: Engine, database_url: str) -> None:
    world = World.on(own_engine)
    with own_engine.begin() as db:
        listing = make_listing(db)
        bookings = [make_booking(db, listing=listing) for _ in range(4)]
    mentor = as_mentor_of(own_engine, listing)
    sessions = []
    for booking in bookings:
        if booking is bookings[-1]:
            change_the_type_of_a_column(database_url, "sessions", "title")
        accepted = world.client.patch(f"/bookings/{booking.id}/accept", headers=mentor)
        world.run_session_effects()
        sessions.append(world.client.get(f"/sessions/{accepted.json['sessionId']}", headers=mentor).status_code)
    assert sessions == [200] * 4


def test_what_the_server_does_not_support_is_no_lost_connection(engine: Engine) -> None:
    with engine.connect() as db, pytest.raises(NotSupportedError) as raised:
        db.execute(text("SELECT count(*) FROM users FOR UPDATE"))
    assert not raised.value.connection_invalidated


def test_a_prepared_statement_raises_as_sqlalchemy_does(engine: Engine) -> None:
    divided = PreparedStatement(select((1 // bindparam("by", type_=Integer)).label("part")))
    with engine.connect() as db:
        assert divided.one_or_none(db, {"by": 1}) == {"part": 1}
        with pytest.raises(DBAPIError) as caught:
            divided.one_or_none(db, {"by": 0})
    assert isinstance(caught.value.orig, psycopg.errors.DivisionByZero)
    assert not caught.value.connection_invalidated


def test_a_prepared_statement_on_a_closed_connection_replaces_the_pool(engine: Engine) -> None:
    one = PreparedStatement(select(literal(1).label("one")))
    with engine.connect() as first, engine.connect() as second:
        pids = [driver_of(db).info.backend_pid for db in (first, second)]
    with psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])
    with pytest.raises(DBAPIError) as caught, engine.connect() as db:
        one.one_or_none(db, {})
    assert caught.value.connection_invalidated
    with engine.connect() as first, engine.connect() as second:
        assert one.one_or_none(first, {}) == one.one_or_none(second, {}) == {"one": 1}


def test_a_server_that_takes_no_changes_any_longer_is_left(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        for db in (first, second):
            db.execute(text("SET default_transaction_read_only = on"))
            db.commit()
    with pytest.raises(DBAPIError) as caught, engine.connect() as db:
        db.execute(text("CREATE TABLE changed ()"))
    assert caught.value.connection_invalidated
    with engine.connect() as first, engine.connect() as second:
        assert [db.scalar(text("SHOW transaction_read_only")) for db in (first, second)] == ["off", "off"]


def test_a_prepared_statement_refuses_lists_of_any_length() -> None:
    query = select(literal(1).label("one")).where(literal(1).in_(bindparam("some", expanding=True)))
    with pytest.raises(ValueError, match="compiled once"):
        assert PreparedStatement(query).text


def test_prepared_statements_convert_parameters_and_rows(engine: Engine) -> None:
    document = {"a": [1, None]}
    both = PreparedStatement(
        text("SELECT :document AS document, :state AS state FROM generate_series(1, :rows)")
        .bindparams(
            bindparam("document", type_=JSONB), bindparam("state", type_=Text), bindparam("rows", type_=Integer)
        )
        .columns(column("document", JSONB), column("state", Enum(DeliveryState)))
    )
    with engine.connect() as db:
        values = {"document": document, "state": "DONE", "rows": 2}
        assert both.all(db, values) == [{"document": document, "state": DeliveryState.DONE}] * 2
        assert both.all(db, {**values, "rows": 0}) == []
        assert both.one_or_none(db, {**values, "rows": 0}) is None


def test_an_error_does_not_quote_the_row_that_was_refused(engine: Engine) -> None:
    words = {"id": uuid4(), "email": "unquotable@example.org", "name": "unquotable\nof two lines" + "x" * 200}
    statement = text("INSERT INTO users (id, email, name) VALUES (:id, :email, :name)")
    prepared = PreparedStatement(
        text("INSERT INTO users (id, email, name) VALUES (:id, :email, :name) RETURNING id").columns(users.c.id)
    )
    for run in (lambda db: db.execute(statement, words), lambda db: prepared.all(db, words)):
        with engine.connect() as db, pytest.raises(DBAPIError) as caught:
            run(db)
        assert "unquotable" not in "".join(traceback.format_exception(caught.value))
        assert "ck_users_name_length" in str(caught.value)
