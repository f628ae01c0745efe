"""The export of a person as a stream: a page of one list at a time, so that its size costs time and no memory."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select

from api.schemas import (
    availability,
    bundles,
    calendar_feeds,
    catalog,
    groups,
    notifications,
    operations,
    payments,
    people,
)
from api.schemas import privacy as shapes
from api.schemas import reviews as review_shapes
from api.schemas import sessions as session_shapes
from api.schemas import webhooks as webhook_shapes
from api.schemas.base import ResponseSchema
from api.schemas.bookings import Booking
from infrastructure.transactions import Transactions
from workflows.accounts.blocks import BLOCKS
from workflows.accounts.records import Mentor, User
from workflows.audit.log import AUDIT_ENTRIES
from workflows.availability.dates import DATES
from workflows.availability.feeds import FEEDS
from workflows.availability.hours import WeeklyHours, weekly_hours_query
from workflows.availability.rules import RulesOfMentor, rules_query
from workflows.bookings.records import BOOKINGS
from workflows.bundles.records import BUNDLES, with_ledger
from workflows.groups.templates import TEMPLATES
from workflows.identity.actor import Actor
from workflows.kernel.paging import Page, PagedList
from workflows.kernel.records import Record
from workflows.notifications.push_subscriptions import BROWSERS
from workflows.payments.records import PAYMENTS
from workflows.privacy import export
from workflows.reviews.records import REVIEWS_OF_MENTOR
from workflows.sessions.meeting import MeetingService
from workflows.sessions.proposals import PROPOSALS_OF_PERSON
from workflows.sessions.records import SESSIONS
from workflows.sessions.time_off import TIME_OFF
from workflows.webhooks.records import ENDPOINTS

PAGE_ITEMS = 100

R = TypeVar("R", bound=Record)
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Export:
    """The export of one person."""

    # Each page is read in one of its own, so that none is open while a client takes its time.
    transactions: Transactions
    user_id: UUID
    mentor_profile_id: UUID | None  # of the person's own profile, active or not; None without one
    meetings: MeetingService
    now: datetime

    def chunks(self) -> Iterator[str]:
        yield f'{{"user": {json.dumps(self._user())}'
        yield f', "mentorProfile": {json.dumps(self._mentor_profile())}'
        for key, items in self._lists():
            yield f', "{key}": ['
            for number, item in enumerate(items):
                yield (", " if number else "") + json.dumps(item)
            yield "]"
        yield "}"

    def _lists(self) -> Iterator[tuple[str, Iterable[Item]]]:
        of_user, of_mentor = {"user_id": self.user_id}, {"mentor_profile_id": self.mentor_profile_id}
        as_mentee = {"mentee_user_id": self.user_id}
        everything = {**as_mentee, **of_mentor}
        yield "listings", self._own(export.OWN_LISTINGS, catalog.Listing())
        yield "bookings", self._pages(BOOKINGS, everything, Booking())
        yield "sessions", chain(self._sessions(as_mentee), self._sessions(of_mentor) if self.mentor_profile_id else ())
        yield "rescheduleProposals", self._pages(PROPOSALS_OF_PERSON, of_user, session_shapes.OwnProposal())
        left = self._pages(export.LEFT_SEATS, of_user, _left_seat)
        waits = self._pages(export.WAITS, of_user, _place_in_line)
        yield "seats", chain(self._pages(export.SEATS, of_user, shapes.ExportedSeat()), left, waits)
        yield "bundles", self._bundles(as_mentee)
        yield "payments", self._pages(PAYMENTS, of_user, payments.Payment())
        received = self._own(REVIEWS_OF_MENTOR, review_shapes.Review(), also_hidden_of=self.user_id)
        yield "reviews", chain(self._pages(export.WRITTEN_REVIEWS, of_user, review_shapes.Review()), received)
        yield "notifications", self._pages(export.ALL_NOTIFICATIONS, of_user, shapes.ExportedNotification())
        yield "preferences", self._rows(export.preferences_query(self.user_id), shapes.ExportedPreference())
        yield "calendarFeeds", self._own(FEEDS, calendar_feeds.CalendarFeed())
        yield "holds", self._rows(export.holds_query(self.user_id), availability.Hold())
        entry = operations.AuditEntry()
        done = (self._pages(AUDIT_ENTRIES, {"actor": actor.name}, entry) for actor in self._actors())
        yield "audit", chain.from_iterable(done)

    def _user(self) -> Item:
        with self.transactions() as db:
            user = User.of(db.execute(User.by_id(self.user_id)).one())
        changes = self._rows(export.email_changes_query(self.user_id), shapes.ExportedEmailChange())
        browsers = self._pages(BROWSERS, {"user_id": self.user_id}, notifications.PushSubscription())
        return {**people.User().dump(user), "emailChanges": changes, "pushSubscriptions": list(browsers)}

    def _mentor_profile(self) -> Item | None:
        if self.mentor_profile_id is None:
            return None
        with self.transactions() as db:
            mentor = Mentor.of(db.execute(Mentor.by_id(self.mentor_profile_id)).one())
            hours = WeeklyHours.of(db.execute(weekly_hours_query(self.mentor_profile_id)).one())
            rules = RulesOfMentor.of(db.execute(rules_query(self.mentor_profile_id)).one())
        return {
            **people.MentorProfile().dump(mentor),
            "hours": availability.WeeklyHours().dump(hours),
            "bookingRules": availability.BookingRules().dump(rules),
            "dates": list(self._own(DATES, availability.DateHours())),
            "blocks": list(self._own(BLOCKS, people.Block())),
            "timeOff": list(self._own(TIME_OFF, availability.TimeOff())),
            "groupSessionTemplates": list(self._own(TEMPLATES, groups.GroupTemplate())),
            "webhookEndpoints": list(self._own(ENDPOINTS, webhook_shapes.WebhookEndpoint())),
        }

    def _sessions(self, filters: Mapping[str, Any]) -> Iterator[Item]:
        """As the person sees them: with the mentor's record where they were the mentor."""
        actor, shown = Actor.person(self.user_id, self.mentor_profile_id), session_shapes.Session()
        return self._pages(
            SESSIONS,
            filters,
            lambda each: shown.dump(session_shapes.as_seen_by(actor, each, meetings=self.meetings, now=self.now)),
        )

    def _bundles(self, filters: Mapping[str, Any]) -> Iterator[Item]:
        shown = bundles.Bundle()
        for page in self._records(BUNDLES, filters):
            with self.transactions() as db:
                yield from [shown.dump(with_ledger(db, bundle, self.now, limit=None)) for bundle in page]

    def _actors(self) -> list[Actor]:
        as_mentor = [Actor.person(self.user_id, self.mentor_profile_id)] if self.mentor_profile_id else []
        return [Actor.person(self.user_id, None), *as_mentor]

    def _own(self, listed: PagedList[Any], schema: ResponseSchema, **filters: Any) -> Iterator[Item]:
        """Data of the mentor profile, if there is one."""
        if self.mentor_profile_id is None:
            return iter(())
        return self._pages(listed, {"mentor_profile_id": self.mentor_profile_id, **filters}, schema)

    def _pages(
        self, listed: PagedList[R], filters: Mapping[str, Any], shown: ResponseSchema | Callable[[R], Item]
    ) -> Iterator[Item]:
        dump = shown.dump if isinstance(shown, ResponseSchema) else shown
        for page in self._records(listed, filters):
            yield from map(dump, page)

    def _records(self, listed: PagedList[R], filters: Mapping[str, Any]) -> Iterator[list[R]]:
        page = Page(limit=PAGE_ITEMS)
        while True:
            with self.transactions() as db:
                found = listed.page(db, page, **filters)
            yield found.items
            if found.next is None:
                return
            page = Page(limit=PAGE_ITEMS, after=found.next)

    def _rows(self, query: Select[Any], schema: ResponseSchema) -> list[Item]:
        with self.transactions() as db:
            return [schema.dump(row._mapping) for row in db.execute(query)]


_SEAT = shapes.ExportedSeat(only=("booking_id", "state", "late", "fee", "refund", "reason", "created_at"))
_WAIT = shapes.ExportedSeat(only=("booking_id", "state", "offered_until", "created_at"))


def _left_seat(seat: export.KeptLeftSeat) -> Item:
    costs = {name: {"amount": getattr(seat, f"{name}_amount"), "currency": seat.currency} for name in ("fee", "refund")}
    dumped: Item = _SEAT.dump({**vars(seat), **costs, "state": "left"})
    return dumped


def _place_in_line(place: export.KeptWait) -> Item:
    dumped: Item = _WAIT.dump({**vars(place), "state": "waiting"})
    return dumped
