"""Tests of messages that are overtaken before they leave: no mail asks about a request that is no longer open."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text

from models.events import deliveries
from models.notifications import Channel, notifications
from tests.eventually import eventually
from tests.factories import acting_user, make_booking, make_listing, make_mentor, make_user, mentor_of
from tests.integration.browsers import SubscribedBrowser
from tests.integration.harness import Harness
from workflows.accounts.records import User
from workflows.bookings.actions import accept, cancel, decline, expire
from workflows.bookings.records import Booking
from workflows.catalog.listings import Listing
from workflows.events import claim, settle
from workflows.events.delivery import SendResult
from workflows.events.record import flush_deferred
from workflows.events.subscriptions import Effect
from workflows.notifications.mails import Mail
from workflows.notifications.preferences import Choice, switch_off
from workflows.notifications.push_subscriptions import subscribe_browser

REQUESTED, CANCELLED = "notifications.booking_requested", "notifications.booking_cancelled"
WAITING = text(
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR SHARE OF d%'"
)


@dataclass
class Asking:
    """Ada, who asks Grace for a session; Grace has a browser."""

    harness: Harness
    grace: User
    ada: User
    listing: Listing

    def request(self) -> Booking:
        with self.harness.transactions() as db:
            return make_booking(db, listing=self.listing, mentee=self.ada)

    def end(self, booking: Booking, how: str) -> None:
        now = datetime.now(UTC)
        with self.harness.transactions() as db:
            match how:
                case "cancelled":
                    cancel(db, actor=acting_user(self.ada), booking=booking, reason=None, now=now)
                case "declined":
                    decline(db, actor=mentor_of(booking), booking=booking, reason=None, now=now)
                case "accepted":
                    accept(db, actor=mentor_of(booking), booking=booking, now=now)
                case _:
                    expire(db, booking=booking, now=now)

    def notified(self) -> list[tuple[str, str, str]]:
        """Who has a notification of which kind, on which channel."""
        names = {self.grace.id: "Grace", self.ada.id: "Ada"}
        with self.harness.engine.connect() as db:
            rows = db.execute(select(notifications)).all()
        return sorted((names[row.user_id], row.kind, str(row.channel)) for row in rows)

    def mailed(self) -> list[tuple[str, str]]:
        return [(mail.to_name, mail.subject) for mail in self.harness.mail.received]

    def outcomes(self, effect: str) -> list[tuple[str, str | None]]:
        query = select(deliveries.c.state, deliveries.c.last_error).where(deliveries.c.effect == effect)
        with self.harness.engine.connect() as db:
            return [(str(row.state), row.last_error) for row in db.execute(query.order_by(deliveries.c.event_id))]


@pytest.fixture
def asking(harness: Harness) -> Asking:
    with harness.transactions() as db:
        grace, ada = make_user(db, name="Grace"), make_user(db, name="Ada")
        browser = SubscribedBrowser("https://push.example/grace")
        keys = browser.subscription["keys"]
        subscribe_browser(db, actor=acting_user(grace), endpoint=browser.endpoint, seal=str, allowed=[], **keys)
        return Asking(harness, grace, ada, make_listing(db, make_mentor(db, grace)))


def of_end(how: str) -> list[tuple[str, str, str]]:
    """The notifications of an end alone."""
    kinds: dict[str, dict[str, Sequence[str]]] = {
        "cancelled": {},
        "expired": {"booking_cancelled": ("email", "in_app")},
    }
    return [("Ada", kind, channel) for kind, channels in kinds[how].items() for channel in channels]


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_request_that_ended_before_its_notification_has_none(asking: Asking, how: str) -> None:
    booking = asking.request()
    asking.end(booking, how)
    asking.harness.run_all("notifications")
    assert asking.notified() == of_end(how)
    assert [name for name, _subject in asking.mailed()] == [name for name, _, way in of_end(how) if way == "email"]
    assert asking.harness.push.received == []


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_request_cancelled_before_its_mail_left_is_not_mailed(asking: Asking, how: str) -> None:
    booking = asking.request()
    asking.harness.deliver(REQUESTED)
    asking.end(booking, how)
    asking.harness.run_all("notifications")
    # What Grace has read in the application she may not have read to the end.
    assert ("Grace", "booking_cancelled", "in_app") in asking.notified()
    assert not [subject for name, subject in asking.mailed() if name == "Grace"]
    assert asking.harness.push.received == []
    overtaken = [error or "" for state, error in asking.outcomes("mail.send") if state == "cancelled"]
    assert overtaken[0].startswith("The request was withdrawn before this left")


@pytest.mark.parametrize("notified_first", [True, False])
@pytest.mark.parametrize("how", ["declined", "accepted"])
def test_a_request_decided_at_once_is_mailed(asking: Asking, how: str, notified_first: bool) -> None:
    booking = asking.request()
    if notified_first:
        asking.harness.deliver(REQUESTED)
    asking.end(booking, how)
    asking.harness.run_all("notifications")
    subject = "Ada requested a session with you"
    assert ("Grace", subject) in asking.mailed()
    assert [push.words.title for push in asking.harness.push.received if push.words.title == subject] == [subject]


def test_a_request_that_was_mailed_has_a_mail_of_its_end(asking: Asking) -> None:
    booking = asking.request()
    asking.harness.run_all("notifications")
    asking.end(booking, "cancelled")
    asking.harness.run_all("notifications")
    subjects = ["Ada requested a session with you", "The request from Ada was cancelled"]
    assert asking.mailed() == [("Grace", subject) for subject in subjects]
    assert [push.words.title for push in asking.harness.push.received] == subjects


def test_the_mail_of_the_end_waits_for_one_on_its_way(asking: Asking) -> None:
    booking = asking.request()
    asking.harness.deliver(REQUESTED)
    seen: list[Any] = []

    def cancelled_meanwhile(_mail: Mail) -> SendResult:
        if not seen:
            asking.end(booking, "cancelled")
            asking.harness.deliver(CANCELLED)
            end = asking.harness.key("mail.send", asking.harness.key(CANCELLED).event_id)
            seen.extend([end, asking.harness.delivered(end)])
        return SendResult(status_code=250)

    asking.harness.mail.answers = cancelled_meanwhile
    asking.harness.deliver("mail.send")
    end, row = seen
    assert (row.state, row.attempts, row.due_at > row.now) == ("pending", 0, True)
    assert len(asking.mailed()) == 1
    asking.harness.delivered_again(end)
    assert asking.mailed()[1:] == [("Grace", "The request from Ada was cancelled")]


@pytest.mark.parametrize(
    ("answer", "mailed"),
    [
        pytest.param(SendResult(error="451 later", status_code=451), False, id="refused"),
        pytest.param(SendResult(error="no answer in time"), True, id="without an answer"),
    ],
)
def test_an_end_is_mailed_if_the_request_may_have_arrived(asking: Asking, answer: SendResult, mailed: bool) -> None:
    booking = asking.request()
    asking.harness.deliver(REQUESTED)
    asking.harness.mail.answers = lambda _mail: answer
    key = asking.harness.deliver("mail.send")
    asking.harness.mail.received.clear()
    asking.harness.mail.answers = lambda _mail: SendResult(status_code=250)
    asking.end(booking, "cancelled")
    asking.harness.make_due(key)
    asking.harness.run_all("notifications")
    assert asking.mailed() == [("Grace", "The request from Ada was cancelled")] * mailed


@pytest.mark.parametrize("channels", [tuple(Channel), (Channel.EMAIL,)])
def test_an_end_without_a_notified_request_follows_preferences(asking: Asking, channels: Sequence[Channel]) -> None:
    with asking.harness.transactions() as db:
        for channel in channels:
            switch_off(db, Choice(user_id=asking.grace.id, kind="booking_requested", channel=channel))
    booking = asking.request()
    asking.harness.run_all("notifications")
    asking.end(booking, "cancelled")
    asking.harness.run_all("notifications")
    assert asking.mailed() == [("Grace", "The request from Ada was cancelled")]


def test_an_end_sees_a_request_that_is_being_written(asking: Asking) -> None:
    """The request's notification is written, and not committed, when the one of its end is begun."""
    booking, harness = asking.request(), asking.harness
    with ThreadPoolExecutor(1) as other:
        with harness.engine.begin() as writer:
            (claimed,) = claim.claim(writer, [harness.key(REQUESTED)], batch=False)
            effect = harness.effects.named(REQUESTED)
            assert isinstance(effect, Effect)
            effect.run(writer, claimed.event, now=claimed.now)
            flush_deferred(writer)
            settle.mark_done(writer, [claimed])
            asking.end(booking, "cancelled")
            ending = other.submit(harness.deliver, CANCELLED)
            with harness.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                eventually(lambda: db.scalar(WAITING), "the wait for the notification of the request")
        ending.result()
    assert ("Grace", "booking_cancelled", "in_app") in asking.notified()


def test_requests_and_ends_in_one_batch_notify_no_one(asking: Asking) -> None:
    for _ in range(20):
        asking.end(asking.request(), "cancelled")
    asking.harness.deliverer.deliver(*(key for key in asking.harness._due() if key.effect in (REQUESTED, CANCELLED)))
    asking.harness.run_all("notifications")
    assert (asking.notified(), asking.mailed()) == ([], [])
    assert {state for effect in (REQUESTED, CANCELLED) for state, _ in asking.outcomes(effect)} == {"done"}


def test_a_retried_notification_of_a_cancelled_request_is_dropped(asking: Asking) -> None:
    """Its worker died, and the end was notified of before it was run again."""
    booking = asking.request()
    key = asking.harness.key(REQUESTED)
    asking.harness.change(key, attempts=1, nudges=1, lease_until=func.now() + text("interval '1 hour'"))
    asking.end(booking, "cancelled")
    asking.harness.deliver(CANCELLED)
    asking.harness.change(key, lease_until=func.now())
    asking.harness.run_all("notifications")
    assert (asking.notified(), asking.mailed()) == ([], [])
    assert asking.harness.row(key).state == "done"
