"""Errors of every origin in the one shape: routes, frameworks, the database, and defects."""

from typing import Any

import psycopg
import pytest
import structlog
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from api import database as api_database
from models.engine import create
from models.prepared import observe_prepared
from tests.api.conftest import Cast, nothing_written
from tests.application import World, as_user
from tests.queries import execute
from workflows.bookings.records import Booking
from workflows.catalog.listings import change_listing

SHAPE = {"statusCode", "error", "message", "code", "requestId"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/nowhere", 404, "not_found"),
        ("GET", "/api", 302, None),
        ("GET", "/apiary", 404, "not_found"),
        ("GET", "/sessions//x", 404, "not_found"),
        ("GET", "/bookings/", 404, "not_found"),
        ("DELETE", "/bookings", 405, "method_not_allowed"),
        ("BREW", "/bookings", 405, "method_not_allowed"),
        ("GET", "/docs/assets/../../secret", 404, "not_found"),
        ("GET", "/docs/assets/nothing.js", 404, "not_found"),
    ],
)
def test_addresses_and_methods_that_are_not_there(
    world: World, method: str, path: str, status: int, code: str | None
) -> None:
    answer = world.client.open(path, method=method)
    assert answer.status_code == status
    if code:
        assert (set(answer.json), answer.json["code"]) == (SHAPE, code)
    if status == 405:
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("path", ["//me", "/api//me", "///api/me", "//api//me", "/api//", "//"])
def test_an_address_with_slashes_too_many_is_another_one(world: World, cast: Cast, path: str) -> None:
    # As a server hands it on: a client would take the first part for a host.
    answer = world.client.get(environ_overrides={"PATH_INFO": path}, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_what_a_thread_logs_after_a_request_is_not_of_that_request(world: World, cast: Cast) -> None:
    assert world.client.get("/me", headers=cast.as_mentee).status_code == 200
    assert structlog.contextvars.get_contextvars() == {}


def test_head_and_options_are_sane(world: World, cast: Cast) -> None:
    assert world.client.head("/me").status_code == 401
    whole, head = (world.client.open("/me", method=method, headers=cast.as_mentee) for method in ("GET", "HEAD"))
    assert (head.status_code, head.data, head.content_length) == (200, b"", whole.content_length)
    options = world.client.options("/bookings")
    assert (options.status_code, options.data) == (200, b"")
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_database_that_is_away_is_a_503_with_retry_after(cast: Cast) -> None:
    gone = World.on(create("postgresql://tutelage@127.0.0.1:1/nothing", connect_timeout=1))
    for path in ("/me", "/health/ready", "/bookings"):
        answer = gone.client.get(path, headers=cast.as_mentee)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert set(answer.json) == SHAPE
    assert gone.client.get("/health/live").status_code == 200


def test_a_database_without_tables_is_not_ready(world: World, engine: Engine) -> None:
    assert world.client.get("/health/ready").json == {"status": "ok"}
    with engine.begin() as db:
        newest = db.scalar(text("SELECT version_num FROM alembic_version"))
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        assert world.client.get("/health/ready").status_code == 503
    finally:
        execute(engine, text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest})


def test_a_pool_without_a_free_connection_is_a_503(world: World, cast: Cast) -> None:
    one = create_engine(world.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with one.connect():
        assert World.on(one).client.get("/me", headers=cast.as_mentee).status_code == 503
    one.dispose()


@pytest.mark.parametrize(
    ("error", "attempts", "status"),
    [
        (psycopg.errors.DeadlockDetected("deadlock"), 1, 202),
        (psycopg.errors.SerializationFailure("serialisation"), 1, 202),
        (psycopg.OperationalError("server closed the connection"), 1, 202),
        (psycopg.errors.DeadlockDetected("deadlock"), 2, 503),
        (psycopg.errors.LockNotAvailable("lock timeout"), 1, 503),
        (psycopg.errors.QueryCanceled("statement timeout"), 1, 503),
        (psycopg.errors.AdminShutdown("terminating"), 2, 503),
        (psycopg.errors.UndefinedTable("no such table"), 1, 500),
    ],
    ids=str,
)
def test_what_passes_is_tried_once_more_and_what_does_not_is_said(
    world: World,
    cast: Cast,
    draft: Booking,
    error: psycopg.Error,
    attempts: int,
    status: int,
) -> None:
    left = [error] * attempts

    def troubled(*_arguments: Any) -> None:
        if left:
            raise OperationalError("SELECT", {}, left.pop())

    observe_prepared(world.engine, troubled)
    try:
        answer = world.client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor)
    finally:
        observe_prepared(world.engine, None)
    assert answer.status_code == status


def test_connections_that_the_server_has_closed_are_replaced_unnoticed(world: World, cast: Cast) -> None:
    assert world.client.get("/me", headers=cast.as_mentee).status_code == 200
    close_all(world.engine)
    assert world.client.get("/me", headers=cast.as_mentee).status_code == 200


def test_a_commit_that_broke_is_a_503_and_is_not_made_again(world: World, cast: Cast) -> None:
    with nothing_written(world.engine):
        commits: list[Any] = []

        def break_it(db: Any) -> None:
            commits.append(db)
            close_all(other)

        other = create(world.engine.url.render_as_string(hide_password=False), pool_size=1)
        event.listen(world.engine, "commit", break_it)
        try:
            answer = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee)
        finally:
            event.remove(world.engine, "commit", break_it)
            other.dispose()
        assert (answer.status_code, answer.json["code"], len(commits)) == (503, "unavailable", 1)
    assert world.wakeups.take() == []


def test_concurrent_changes_of_a_listing_are_serialised(
    world: World, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/listings/{cast.listing.id}"
    meddled: list[int] = []

    def meddle(*arguments: Any, **named: Any) -> Any:
        with world.engine.begin() as db:
            meddled.append(db.execute(text("UPDATE listings SET description = 'theirs'")).rowcount)
        return change_listing(*arguments, **named)

    monkeypatch.setattr("api.resources.catalog.change_listing", meddle)
    answer = world.client.patch(path, json={"title": "Ours"}, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["title"], answer.json["description"]) == (200, "Ours", "theirs")
    # A concurrent writer cannot starve a change that names no version.
    assert len(meddled) == 1
    named = {"If-Match": answer.headers["ETag"]}
    assert world.client.patch(path, json={"title": "y"}, headers=cast.as_mentor | {"If-Match": "*"}).status_code == 200
    assert world.client.patch(path, json={"title": "x"}, headers=cast.as_mentor | named).status_code == 412


def close_all(engine: Engine) -> None:
    """End every other connection to this database, as a restart of the server does."""
    with engine.connect() as db:
        db.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        db.connection.invalidate()


def test_a_defect_tells_the_log_everything_and_the_caller_nothing(world: World, cast: Cast) -> None:
    def writes_and_breaks() -> str:
        api_database.database().execute(text("DELETE FROM listings"))
        raise RuntimeError("the secret of the application")

    world.app.view_functions["Bookings.create_booking"] = writes_and_breaks
    with nothing_written(world.engine):
        with capture_logs() as lines:
            answer = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee)
        assert (answer.status_code, answer.json["code"], set(answer.json)) == (500, "internal_error", SHAPE)
        assert "secret" not in answer.get_data(as_text=True)
        assert [str(line["exc_info"]) for line in lines if "exc_info" in line] == ["the secret of the application"]


def test_a_defect_outside_of_a_view_has_the_shape_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_response: Any) -> None:
        raise RuntimeError("after the view")

    monkeypatch.setitem(world.app.after_request_funcs, None, [broken, *world.app.after_request_funcs[None]])
    answer = world.client.get("/health/live")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")


def test_a_view_that_answers_with_an_error_is_rolled_back(world: World, cast: Cast) -> None:
    with nothing_written(world.engine):

        def writes_and_refuses() -> tuple[dict[str, str], int]:
            api_database.database().execute(text("UPDATE users SET name = 'changed'"))
            return {}, 409

        app: Flask = world.app
        app.view_functions["Users.create_user"] = writes_and_refuses
        assert world.client.post("/users").status_code == 409
        assert world.client.get("/me", headers=as_user(cast.mentee)).json["name"] == cast.mentee.name


def test_each_request_is_one_line_with_its_code_and_without_secrets(world: World, cast: Cast) -> None:
    body = {"email": "a@example.org", "name": "Ada"}
    with capture_logs() as logged:
        world.client.post("/users?x=secret", json=body, headers=cast.as_operator)
        world.client.post("/users", json=body, headers=cast.as_mentee)
    lines = [line for line in logged if line["event"] == "request"]
    assert [(line["route"], line["status"], line.get("code")) for line in lines] == [
        ("/users", 201, None),
        ("/users", 403, "forbidden"),
    ]
    assert all(isinstance(line["duration_ms"], float) for line in lines)
    assert "example.org" not in str(lines)
    assert "Bearer" not in str(lines)


@pytest.mark.parametrize("sent", ["abc-1.2_3", "x" * 128])
def test_a_sane_request_id_is_taken(world: World, sent: str) -> None:
    answer = world.client.get("/nowhere", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == answer.json["requestId"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "ä", "<script>"])
def test_any_other_request_id_is_replaced(world: World, sent: str) -> None:
    answer = world.client.get("/nowhere", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == answer.json["requestId"] != sent
    assert len(answer.json["requestId"]) == 32
