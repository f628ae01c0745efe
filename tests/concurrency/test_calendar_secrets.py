"""Several ask for a calendar's secret at once: one address is left, whichever that is."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.calendar_secrets import calendar_secrets
from tests import factories
from tests.concurrency.racing import Race
from workflows.calendar.secret import digest_of, make_secret
from workflows.identity.actor import Actor


def test_of_secrets_made_at_once_one_is_left(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        actor = factories.acting_user(factories.make_user(db))

    def make(db: Connection, actor: Actor) -> str:
        return make_secret(db, actor=actor)

    for _ in range(10):
        made = race.transact([partial(make, actor=actor)] * 8)
        assert len(set(made)) == 8
        with engine.begin() as db:
            kept = db.scalars(select(calendar_secrets.c.digest)).one()
            assert db.scalar(select(func.count()).select_from(calendar_secrets)) == 1
        assert [kept == digest_of(secret) for secret in made].count(True) == 1
