"""Browsers that one person subscribes at once: the oldest go, and never more are kept than may be."""

from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.calendar import calendar_secrets
from models.notifications import push_subscriptions
from tests import factories
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import Race, codes
from tests.integration.browsers import SubscribedBrowser
from tests.queries import scalars
from workflows.accounts.records import User
from workflows.calendar.feed import create_feed_secret, digest_of
from workflows.notifications.push_subscriptions import MAX_SUBSCRIPTIONS, Browser, subscribe_browser


def _subscribes(db: Connection, user: User, place: int) -> Browser:
    browser = SubscribedBrowser(f"https://push.example/{user.id}/{place}")
    return subscribe_browser(
        db,
        actor=factories.acting_user(user),
        endpoint=browser.endpoint,
        seal=lambda text: text,
        allowed=[],
        **browser.subscription["keys"],
    )


def test_concurrent_subscriptions_keep_to_the_limit(engine: Engine, race: Race) -> None:
    for _ in range(5):
        with engine.begin() as db:
            user = factories.make_user(db)
            for place in range(MAX_SUBSCRIPTIONS - 2):
                _subscribes(db, user, place)
        calls = [partial(_subscribes, user=user, place=MAX_SUBSCRIPTIONS + place) for place in range(RACERS)]
        assert codes(race.transact(calls)) == []
        with engine.begin() as db:
            kept = select(func.count()).where(push_subscriptions.c.user_id == user.id)
            assert db.scalar(kept) == MAX_SUBSCRIPTIONS


def test_concurrent_requests_leave_one_calendar_secret(engine: Engine, race: Race) -> None:
    with engine.begin() as db:
        actor = factories.acting_user(factories.make_user(db))
    for _ in range(10):
        made = race.transact([partial(create_feed_secret, actor=actor)] * 8)
        assert len(set(made)) == 8
        kept = scalars(engine, select(calendar_secrets.c.digest)).one()
        assert [kept == digest_of(secret) for secret in made].count(True) == 1
