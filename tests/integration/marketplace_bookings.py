"""Bundles and individual bookings of the random marketplace: who buys, books, accepts and cancels what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from api.schemas.sessions import shown_quote, shown_session
from models.events import events
from models.sessions import session_id_of, sessions
from tests import factories
from tests.integration.expectations import (
    DAY,
    MINUTES,
    ExpectedBooking,
    ExpectedBundle,
    blocked_by,
    overlaps,
    require_equal,
)
from tests.integration.marketplace import Marketplace
from workflows.accounts.records import User
from workflows.bookings.actions import accept, decline
from workflows.bookings.actions import cancel as withdraw
from workflows.bookings.actions import expire as expire_draft
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bundles.adjust import adjust
from workflows.bundles.expiry import expire as expire_bundle
from workflows.bundles.purchase import purchase
from workflows.catalog.courses import Course
from workflows.catalog.listings import Listing
from workflows.events.event_types import BundleValiditySet
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel as cancel_session
from workflows.sessions.cancel import quote_for
from workflows.sessions.moving import reschedule
from workflows.sessions.records import Session, accepted_session

EVENT_COLUMNS = ("id", "actor", "occurred_at", "sequence", "data")
ANSWERED = ("cancelledBy", "late", "fee", "creditReturned", "policy")


class Bookings(Marketplace):
    """A marketplace in which courses are booked, for money or for the credits of a bundle."""

    def purchase(self) -> None:
        """A mentee buys a bundle."""
        mentee, product = self.random.choice(self.mentees), self.random.choice(self.for_sale)
        same = [b for b in self.bundles.values() if (b.owner, b.product, b.closed) == (mentee, product, False)]
        followed = [bundle for bundle in same if bundle.expired(self.now)]
        arguments: dict[str, Any] = {
            "course_id": product.course_id,
            "product_id": product.id,
            "mentee_user_id": mentee.id,
        }
        bundle = self._expect(
            "purchase",
            "already_purchased" if len(same) > len(followed) else None,
            lambda: purchase(self.db, actor=factories.acting_user(mentee), now=self.now, **arguments),
        )
        if bundle is None:
            return
        for before in followed:
            before.closed = True
        valid_to = None if product.valid_days is None else self.now + product.valid_days * DAY
        count = product.session_count
        self.bundles[bundle.id] = ExpectedBundle(mentee, product, valid_to, count, count)

    def adjust(self) -> None:
        """An operator gives or takes a credit, or extends the validity as well."""
        bundle_id, bundle = self.random.choice(list(self.bundles.items()))
        credits, extended = self.random.choice([-1, 1]), self.random.random() < 0.3
        expected = "invalid_request" if bundle.left + credits < 0 else None
        if credits > 0 and bundle.expired(self.now) and not extended:
            expected = "bundle_unusable"
        changes = {"valid_to": self.now + 2 * DAY} if extended else {}
        adjusted = self._expect(
            "adjust",
            expected,
            lambda: adjust(
                self.db,
                actor=factories.OPERATOR,
                bundle=self._bundle(bundle_id),
                reason="Goodwill",
                credits=credits,
                changes=changes,
                now=self.now,
            ),
        )
        if adjusted is None:
            return
        bundle.move(credits)
        bundle.total += max(credits, 0)
        if extended:
            bundle.valid_to, bundle.ended = changes["valid_to"], False

    def end_bundles(self) -> None:
        """The timers of all bundles whose validity has ended."""
        for bundle_id, bundle in self.ended_bundles():
            of_bundle = select(events).where(events.c.subject_id == bundle_id, events.c.type == BundleValiditySet.type)
            row = self.db.execute(of_bundle.order_by(events.c.sequence.desc()).limit(1)).one()
            event = BundleValiditySet.read(**{name: getattr(row, name) for name in EVENT_COLUMNS})
            expire_bundle(self.db, event=event, now=self.now)
            bundle.move(-bundle.left)
            bundle.ended = True
            self.outcomes["end bundles", "done"] += 1

    def ended_bundles(self) -> list[tuple[UUID, ExpectedBundle]]:
        """The bundles whose validity has ended, and whose timer has not run."""
        return [each for each in self.bundles.items() if each[1].expired(self.now) and not each[1].ended]

    def _payment(self, mentee: User) -> UUID | None:
        """A bundle that the person tries to pay with, or None for money."""
        own = [key for key, bundle in self.bundles.items() if bundle.owner == mentee]
        return self.random.choice(own) if own and self.random.random() < 0.6 else None

    def _refusal_of_payment(self, bundle_id: UUID | None, course_id: UUID) -> str | None:
        usable = bundle_id is None or self.bundles[bundle_id].pays(course_id, self.now)
        return None if usable else "bundle_unusable"

    # Individual bookings

    def book(self) -> None:
        """A mentee books a mentor of a course, named or to be chosen, at once."""
        mentee, course = self.random.choice(self.mentees), self.random.choice(self.courses)
        start, bundle_id = self._any_start(), self._payment(mentee)
        named = self.random.choice([None, *self.listings[course.id]])
        product = self.random.choice(self.products[course.id])
        listing, expected = self._choice(mentee, course, named, start)
        wanted = IndividualRequest(
            course_id=course.id,
            start_time=start,
            duration_minutes=MINUTES,
            mentor_profile_id=named.mentor_profile_id if named else None,
            product_id=None if bundle_id else product.id,
            bundle_purchase_id=bundle_id,
        )
        booking = self._expect(
            "book",
            expected or self._refusal_of_payment(bundle_id, course.id),
            lambda: book_individual(self.db, actor=factories.acting_user(mentee), wanted=wanted, now=self.now)[0],
        )
        if booking is None:
            return
        assert listing is not None
        price = 0 if bundle_id else product.price_amount
        require_equal("The mentor", booking.mentor_profile_id, listing.mentor_profile_id)
        require_equal("The price", booking.price_amount, price)
        kept = self._booked(mentee, listing, start, price, bundle_id)
        self._spend(bundle_id)
        self._create(booking.id, kept)

    def _choice(
        self, mentee: User, course: Course, named: Listing | None, start: datetime
    ) -> tuple[Listing | None, str | None]:
        """Whose listing is booked, by rule 7 unless it is named; or with which code none is."""
        if start <= self.now:
            return None, "invalid_request"

        def is_free(listing: Listing) -> bool:
            return not any(
                overlaps(each.blocked, blocked_by(listing, start))
                for each in self._mentors_time()
                if each.mentor_id == listing.mentor_profile_id
            )

        offers = self.listings[course.id] if named is None else [named]
        free = [listing for listing in offers if is_free(listing)]
        if not free:
            return None, "slot_taken" if named else "no_mentor_free"
        if not self._has_time(mentee.id, start):
            return None, "slot_taken"
        return min(free, key=lambda each: (self._hours_in_week(each, start), each.mentor_profile_id)), None

    def _hours_in_week(self, listing: Listing, start: datetime) -> int:
        booked = [each for each in self._mentors_time() if each.mentor_id == listing.mentor_profile_id]
        return sum(each.start.isocalendar()[:2] == start.isocalendar()[:2] for each in booked)

    def request(self) -> None:
        """A mentee asks a mentor, and a credit is kept for that where a bundle is to pay."""
        mentee, course = self.random.choice(self.mentees), self.random.choice(self.courses)
        listing, start = self.random.choice(self.listings[course.id]), self._any_start()
        bundle_id = self._payment(mentee)
        if bundle_id is None or start <= self.now:
            return
        booking = self._expect(
            "request",
            self._refusal_of_payment(bundle_id, course.id),
            lambda: factories.make_paid_booking(
                self.db, self._bundle(bundle_id), listing=listing, start_time=start, accepted=False, at=self.now
            ),
        )
        if booking is not None:
            self.drafts[booking.id] = self._booked(mentee, listing, start, 0, bundle_id)
            self._spend(bundle_id)

    def accept(self) -> None:
        """A mentor accepts a draft."""
        booking_id, draft = self.random.choice(list(self.drafts.items()))
        taken = any(
            overlaps(each.blocked, draft.blocked) for each in self._mentors_time() if each.mentor_id == draft.mentor_id
        )
        expected = "slot_taken" if taken or not self._has_time(draft.mentee.id, draft.start) else None
        if draft.start <= self.now:
            expected = "invalid_transition"
        booking = self._booking(booking_id)
        actor = factories.mentor_of(booking)
        accepted = self._expect("accept", expected, lambda: accept(self.db, actor=actor, booking=booking, now=self.now))
        if accepted is not None:
            self._create(booking_id, self.drafts.pop(booking_id))

    def _create(self, booking_id: UUID, kept: ExpectedBooking) -> None:
        """The session of an accepted booking, by the marketplace's clock."""
        create(self.db, booking_id=booking_id)
        made = update(sessions).where(sessions.c.booking_id == booking_id).values(created_at=self.now)
        self.db.execute(made)
        kept.accepted = self.now
        self.sessions[booking_id] = kept

    def end_draft(self) -> None:
        """A draft is declined, withdrawn, or expires; its credit comes back."""
        booking_id, draft = self.random.choice(list(self.drafts.items()))
        booking = self._booking(booking_id)
        mentee, mentor = factories.acting_user(draft.mentee), factories.mentor_of(booking)
        how = {
            "decline": lambda: decline(self.db, actor=mentor, booking=booking, reason=None, now=self.now),
            "withdraw": lambda: withdraw(self.db, actor=mentee, booking=booking, reason=None, now=self.now),
            "expire": lambda: expire_draft(self.db, booking=booking, now=self.now),
        }
        action = self.random.choice(list(how))
        self._expect(action, None, how[action])
        del self.drafts[booking_id]
        self._give_back(draft.bundle_id, by_mentee=action == "withdraw")

    def cancel(self) -> None:
        """A mentee, a mentor or an operator cancels a session."""
        booking_id, kept = self.random.choice(list(self.sessions.items()))
        by = self.random.choice(["mentee", "mentee", "mentor", "operator"])
        # By chance alone, few cancellations would cost anything.
        costly = [each for each in self.sessions.items() if each[1].keeps(self.now)]
        if costly and self.random.random() < 0.5:
            (booking_id, kept), by = self.random.choice(costly), "mentee"
        fresh = [each for each in self.sessions.items() if each[1].is_in_free_hour(self.now)]
        if fresh and self.random.random() < 0.5:
            (booking_id, kept), by = self.random.choice(fresh), "mentee"
        refund_requested = self.random.random() < 0.5
        booking = self._booking(booking_id)
        assert booking.session_id is not None
        actor = {
            "mentee": factories.acting_user(kept.mentee),
            "mentor": factories.mentor_of(booking),
            "operator": factories.OPERATOR,
        }[by]
        session = accepted_session(self.db, booking.session_id)
        quote = quote_for(actor, session, now=self.now)
        cancelled: Session | None = self._expect(
            f"cancel as {by}",
            "not_cancellable" if by == "mentee" and kept.window is None else None,
            lambda: cancel_session(
                self.db, actor=actor, session=session, reason=None, refund_requested=refund_requested, now=self.now
            ),
        )
        if cancelled is None:
            return
        late, fee, returned = kept.cost(self.now, by_mentee=by == "mentee")
        cost = cancelled.cancellation
        assert cost is not None
        require_equal("Lateness", cost["late"], late)
        require_equal("The fee", cost["fee"], {"amount": fee, "currency": booking.price_currency})
        refund = kept.price - fee if refund_requested or by != "mentee" else 0
        require_equal("The refund", cost["refund"]["amount"], refund)
        self._promise(booking_id, kept, quote, refund=quote.refund_amount if refund_requested or by != "mentee" else 0)
        answer, quoted = shown_session(cancelled)["cancellation"], shown_quote(session, quote)
        require_equal("The answer", [answer[name] for name in ANSWERED], [quoted[name] for name in ANSWERED])
        require_equal("The credit's return", cost["creditReturned"] or False, returned)
        self.cancelled[booking_id] = self.sessions.pop(booking_id)
        if returned:
            self._give_back(kept.bundle_id, by_mentee=by == "mentee", valid_to=quote.credit_valid_to)

    def move(self) -> None:
        """An operator moves a session to another time, which may be taken; its own is free for it."""
        booking_id, kept = self.random.choice(list(self.sessions.items()))
        start = self._any_start()
        by = start - kept.start
        blocked = (kept.blocked[0] + by, kept.blocked[1] + by)
        del self.sessions[booking_id]
        taken = any(
            overlaps(each.blocked, blocked) for each in self._mentors_time() if each.mentor_id == kept.mentor_id
        )
        code = "slot_taken" if taken or not self._has_time(kept.mentee.id, start) else None
        self.sessions[booking_id] = kept
        session = accepted_session(self.db, session_id_of(booking_id))
        moved = self._expect(
            "move",
            "invalid_request" if start <= self.now or start == kept.start else code,
            lambda: reschedule(self.db, actor=factories.OPERATOR, session=session, start_time=start, now=self.now),
        )
        if moved is not None:
            kept.start, kept.end, kept.blocked = start, kept.end + by, blocked
