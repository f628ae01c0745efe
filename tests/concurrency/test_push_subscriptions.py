"""Browsers that one person subscribes at once: the oldest go, and never more are kept than may be."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, func, select

from models.notifications import push_subscriptions
from tests import factories
from tests.concurrency.conftest import RACERS
from tests.concurrency.racing import Race, codes
from tests.integration.browsers import SubscribedBrowser
from workflows.identity.people import User
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


def test_however_many_browsers_are_subscribed_at_once_no_more_are_kept_than_may_be(engine: Engine, race: Race) -> None:
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
