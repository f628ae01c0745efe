"""Tests of what waits to be sent while its reader ceases to be a party: notified only of what ended for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, update

from models.bookings import booking_participants
from models.events import deliveries
from tests.factories import acting_user, make_group_session, make_listing, make_mentor, make_user
from tests.integration.browsers import SubscribedBrowser
from tests.integration.harness import Harness, without_guards
from tests.queries import execute
from workflows.accounts.records import User
from workflows.events.event import Event, own_fields
from workflows.events.event_types import (
    BookingCancelled,
    BookingDeclined,
    ReviewUnlocked,
    SeatJoined,
    SeatLeft,
    SessionCancelled,
    SessionCompleted,
    SessionCreated,
    SessionReminderSet,
    SessionStarted,
)
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.notifications.push_subscriptions import subscribe_browser
from workflows.sessions.records import Session

NO_PARTY = "The reader is no longer a party of it."
OUTBOUND_EFFECTS = ("mail.send", "push.send")


@dataclass
class Group:
    """A session of Grace's with Ada and Ben, of whom each has a browser."""

    harness: Harness
    session: Session
    people: dict[str, User]
    browsers: dict[str, str]

    def happen(self, kind: type[Event], **fields: Any) -> None:
        """Record an event of it that is about Ben, and do all that follows but send it."""
        now = datetime.now(UTC)
        known = {name: getattr(self.session, name) for name in own_fields(kind) if hasattr(self.session, name)}
        about: dict[str, Any] = {
            "session_id": self.session.id,
            "user_id": self.people["Ben"].id,
            "listing_id": self.session.id,
        }
        about |= {"seat_id": uuid4(), "price_amount": 0, "credit_returned": False}
        about |= {"capacity": 8, "seats_taken": 2, "expires_at": now + timedelta(days=1), "kind": "group"}
        about |= {"fee_amount": 0, "refund_amount": 0, "currency": "USD", "late": False, "cancelled_by": "mentor"}
        about |= {"cancellation_type": "other", "mentee_user_id": self.people["Ben"].id}
        of_it = {name: value for name, value in (known | about | fields).items() if name in own_fields(kind)}
        with self.harness.transactions() as db:
            record(db, kind(actor=SYSTEM.name, occurred_at=now, **of_it))
        while due := [key for key in self.harness._due() if key.effect not in OUTBOUND_EFFECTS]:
            for key in due:
                self.harness.deliverer.deliver(key)

    def leave(self, name: str) -> None:
        with self.harness.engine.begin() as db, without_guards(db):
            db.execute(delete(booking_participants).where(booking_participants.c.user_id == self.people[name].id))

    def without_seats(self) -> None:
        """Make them participants of a booking without seats: a person with a seat would be notified."""
        no_seat = dict.fromkeys(("seat_id", "price_amount", "price_currency", "start_time"))
        with self.harness.engine.begin() as db, without_guards(db):
            db.execute(update(booking_participants).values(no_seat))

    def sent(self, effect: str) -> dict[str, tuple[str, str | None]]:
        """What became of what was to be sent, by its reader."""
        self.harness.run_all()
        names = {str(user.id): name for name, user in self.people.items()} | self.browsers
        query = select(deliveries).where(deliveries.c.effect == effect)
        return {names[row.target]: (str(row.state), row.last_error) for row in execute(self.harness.engine, query)}


def subscribed(harness: Harness, name: str, user: User) -> UUID:
    browser = SubscribedBrowser(f"https://push.example/{name}")
    with harness.transactions() as db:
        keys = browser.subscription["keys"]
        return subscribe_browser(
            db, actor=acting_user(user), endpoint=browser.endpoint, seal=str, allowed=[], **keys
        ).id


@pytest.fixture
def group(harness: Harness) -> Group:
    with harness.transactions() as db:
        people = {name: make_user(db, name=name) for name in ("Grace", "Ada", "Ben")}
        listing = make_listing(db, make_mentor(db, people["Grace"]))
        session = make_group_session(db, [people["Ada"], people["Ben"]], listing=listing)
    with harness.engine.begin() as db, without_guards(db):
        db.execute(delete(deliveries))
    browsers = {str(subscribed(harness, name, user)): name for name, user in people.items()}
    return Group(harness, session, people, browsers)


STILL_TO_COME = {"minutes_before": 60, "remind_at": datetime(2020, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param(SessionCreated, {}, id="booked"),
        pytest.param(
            SessionReminderSet, STILL_TO_COME | {"useful_until": datetime(2200, 1, 1, tzinfo=UTC)}, id="reminder"
        ),
        pytest.param(SessionCompleted, {}, id="completed"),
        pytest.param(SeatJoined, {}, id="seat taken"),
    ],
)
def test_a_former_participant_gets_no_mail_and_no_push(group: Group, kind: type[Event], fields: dict[str, Any]) -> None:
    if kind is SessionCreated:
        group.without_seats()
    group.happen(kind, **fields)
    group.leave("Ben")
    for effect in OUTBOUND_EFFECTS:
        became = group.sent(effect)
        assert became.pop("Ben") == ("cancelled", NO_PARTY)
        assert became
        assert set(became.values()) == {("done", None)}, "the others are notified"


@pytest.mark.parametrize("kind", [SessionStarted, ReviewUnlocked])
def test_a_former_participant_gets_no_push(group: Group, kind: type[Event]) -> None:
    group.happen(kind)
    group.leave("Ben")
    assert group.sent("push.send")["Ben"] == ("cancelled", NO_PARTY)


@pytest.mark.parametrize("kind", [SessionCancelled, SeatLeft, BookingDeclined, BookingCancelled])
def test_a_former_participant_is_notified_of_what_ended(group: Group, kind: type[Event]) -> None:
    group.happen(kind)
    group.leave("Ben")
    for effect in OUTBOUND_EFFECTS:
        became = group.sent(effect)
        assert became["Ben"] == ("done", None)
        assert set(became.values()) == {("done", None)}
