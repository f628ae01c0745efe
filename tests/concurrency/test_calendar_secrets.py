"""Race: concurrent requests for a calendar secret leave exactly one of them valid."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Engine, select

from models.calendar import calendar_secrets
from tests import factories
from tests.concurrency.racing import Race
from workflows.calendar.feed import create_feed_secret, digest_of


def test_concurrent_requests_leave_one_secret(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        actor = factories.acting_user(factories.make_user(db))
    for _ in range(10):
        made = race.transact([partial(create_feed_secret, actor=actor)] * 8)
        assert len(set(made)) == 8
        with engine.begin() as db:
            kept = db.scalars(select(calendar_secrets.c.digest)).one()
        assert [kept == digest_of(secret) for secret in made].count(True) == 1
