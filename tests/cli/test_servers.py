"""Tests of what tests stand on: databases of their own, and a connection that leaves nothing behind."""

from __future__ import annotations

import redis
from sqlalchemy import Connection, Engine, text

from cli.migrate import current_revision, newest_revision


def test_a_test_gets_a_migrated_database_of_its_own(engine: Engine) -> None:
    with engine.connect() as db:
        assert current_revision(db) == newest_revision()


def test_what_one_test_commits_the_next_does_not_see(engine: Engine) -> None:
    with engine.begin() as db:
        assert db.execute(text("SELECT to_regclass('left_behind')")).scalar_one() is None
        db.execute(text("CREATE TABLE left_behind (id int)"))


def test_the_shared_connection_is_in_a_transaction(db: Connection) -> None:
    assert db.in_transaction()
    assert db.execute(text("SHOW timezone")).scalar_one() == "UTC"


def test_valkey_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
