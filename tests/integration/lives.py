"""The random marketplace, in which sessions are also held, missed, voided, waived and reviewed, and booked weekly."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from models.sessions import AbsentParty, CancelledBy, session_id_of
from tests import factories
from tests.integration.expectations import (
    DAY,
    HOUR,
    MINUTES,
    ExpectedBooking,
    ExpectedGroup,
    Promise,
    blocked_by,
    overlaps,
    require_equal,
)
from tests.integration.marketplace import Action, Subjects, often
from tests.integration.marketplace_groups import Groups
from workflows.accounts.records import User
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.series import OnConflict, Recurrence
from workflows.catalog.listings import Listing
from workflows.events.event_types import SessionCompleted
from workflows.groups.seats import waive_seat_fee
from workflows.groups.waitlist import close_waitlist
from workflows.identity.actor import SYSTEM, Actor
from workflows.reviews.actions import ReviewableSession, moderate, reviewable_query, submit
from workflows.reviews.permits import unlock_all
from workflows.reviews.records import Review
from workflows.sessions.actions import complete, start
from workflows.sessions.cancel import quote_for
from workflows.sessions.outcomes import cancel_not_held, report_no_show, void, waive_fee
from workflows.sessions.records import Session, SessionWithTerms, accepted_session
from workflows.sessions.series import cancel_series

EARLY, NO_SHOW_AFTER = timedelta(minutes=15), timedelta(minutes=15)
SEVERAL = 3


class Lives(Groups):
    """Also keeps who has completed what, the individual sessions that were cancelled, and each series."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.in_progress: set[UUID] = set()
        self.completed: dict[UUID, list[UUID]] = {}
        self.series: dict[UUID, list[UUID]] = {}
        self.reviews: dict[UUID, tuple[UUID, UUID]] = {}

    def actions(self) -> list[tuple[Action, Subjects | None]]:
        return [
            *super().actions(),
            *often(5, Lives.start, Lives.startable),
            *often(4, Lives.complete, lambda lives: lives.in_progress),
            *often(4, Lives.review, lambda lives: lives.completed),
            *often(1, Lives.hide, lambda lives: lives.reviews),
            *often(1, Lives.void, lambda lives: lives.sessions or lives.in_progress),
            *often(6, Lives.report_no_show, Lives.missed),
            *often(3, Lives.waive, lambda lives: lives.cancelled),
            *often(8, Lives.leave_late, Lives.late_seats),
            *often(3, Lives.waive_seat, Lives.seats_left),
            *often(6, Lives.end_what_was_not_held, Lives.not_held),
            *often(3, Lives.book_series, None),
            *often(2, Lives.cancel_series, lambda lives: lives.series),
        ]

    def edges(self) -> list[datetime]:
        starts = [each.start for each in self.sessions.values()]
        ends = [each.end + DAY for each in self._mentors_time()]
        return [*super().edges(), *(edge for each in starts for edge in (each - EARLY, each + NO_SHOW_AFTER)), *ends]

    def _pass_time(self) -> None:
        super()._pass_time()
        if self.random.random() < 0.1:
            self.now += self.random.choice([4, 4, 30]) * self.random.random() * HOUR

    def _session(self, booking_id: UUID) -> SessionWithTerms:
        return accepted_session(self.db, session_id_of(booking_id))

    def _party(self, booking_id: UUID, kept: ExpectedBooking | None) -> Actor:
        mentor = factories.mentor_of(self._booking(booking_id))
        return self.random.choice([mentor, factories.acting_user(kept.mentee)]) if kept else mentor

    # What is held

    def startable(self) -> list[UUID]:
        """Bookings whose session may begin, groups not before their time."""
        groups = [key for key, group in self.groups.items() if not (group.cancelled or group.begun)]
        soon = [key for key, each in self.sessions.items() if each.start - 4 * HOUR <= self.now]
        return soon + [key for key in groups if self.groups[key].start <= self.now]

    def start(self) -> None:
        """A party starts a session, at times too early."""
        booking_id = self.random.choice(self.startable())
        kept, session = self.sessions.get(booking_id), self._session(booking_id)
        started = self._expect(
            "start",
            "too_early" if kept and self.now < kept.start - EARLY else None,
            lambda: start(
                self.db,
                actor=self._party(booking_id, kept),
                session=session,
                early_start_minutes=session.early_start_minutes,
                now=self.now,
            ),
        )
        if started is None:
            return
        self.in_progress.add(booking_id)
        if kept:
            self.begun[booking_id] = self.sessions.pop(booking_id)
        else:
            group = self.groups[booking_id]
            # Nor is the payment of a seat awaited any longer.
            group.begun, group.line, group.awaiting = True, {}, {}
            close_waitlist(self.db, booking_id=booking_id, now=self.now)

    def complete(self) -> None:
        """A mentor or an operator completes a session; the mentees of a group may have been absent."""
        booking_id = self.random.choice(sorted(self.in_progress))
        group = self.groups.get(booking_id)
        mentees = list(group.seats) if group else [self.begun[booking_id].mentee.id]
        present = {who: group is None or self.random.random() < 0.7 for who in mentees}
        actor = self.random.choice([self._party(booking_id, None), factories.OPERATOR])
        session = self._session(booking_id)
        completed: Session = self._expect(
            "complete",
            None,
            lambda: complete(self.db, actor=actor, session=session, attendance=present, now=self.now),
        )
        unlock_all(self.db, [(SessionCompleted.about(completed, actor=SYSTEM, now=self.now), self.now)])
        self.in_progress.remove(booking_id)
        self.completed[booking_id] = [who for who in mentees if present[who]]

    def review(self) -> None:
        """A mentee reviews a session, at times once more."""
        booking_id = self.random.choice(list(self.completed))
        session_id = session_id_of(booking_id)
        session = ReviewableSession.of(self.db.execute(reviewable_query(session_id)).one())
        who = self.random.choice(session.mentees) if session.mentees else None
        if who is None:
            return
        written = any(each == (booking_id, who) for each in self.reviews.values())
        review: Review | None = self._expect(
            "review",
            "already_reviewed" if written else None if who in self.completed[booking_id] else "review_not_open",
            lambda: submit(
                self.db, actor=Actor.person(who, None), session=session, rating=self.random.randint(1, 5), now=self.now
            ),
        )
        if review is not None:
            self.reviews[review.id] = (booking_id, who)

    def hide(self) -> None:
        """An operator hides a review or shows it, whether it is hidden or not."""
        review = Review.of(self.db.execute(Review.by_id(self.random.choice(list(self.reviews)))).one())
        hidden = self.random.random() < 0.6
        hide = partial(moderate, actor=factories.OPERATOR, review=review, reason="Rude", now=self.now)
        self._expect("hide", None, lambda: hide(self.db, hidden=hidden))

    # What is not held

    def void(self) -> None:
        """An operator takes a session back that is scheduled or in progress."""
        booking_id = self.random.choice([*self.sessions, *sorted(self.in_progress)])
        session = self._session(booking_id)
        ended = partial(void, actor=factories.OPERATOR, session=session, reason="A mistake", now=self.now)
        self._expect("void", None, lambda: ended(self.db))
        self._everything_back(booking_id)

    def missed(self) -> list[UUID]:
        """The sessions that should have begun, or soon will."""
        return [key for key, each in self.sessions.items() if each.start - HOUR <= self.now]

    def report_no_show(self) -> None:
        """A party did not come; the other one says so, at times too early."""
        booking_id = self.random.choice(self.missed())
        kept, who = self.sessions[booking_id], self.random.choice(list(AbsentParty))
        mentor, session = self._party(booking_id, None), self._session(booking_id)
        actor = factories.acting_user(kept.mentee) if who is AbsentParty.MENTOR else mentor
        reported = self._expect(
            f"no-show of the {who}",
            "too_early" if self.now < kept.start + NO_SHOW_AFTER else None,
            lambda: report_no_show(self.db, actor=actor, session=session, who=who, now=self.now),
        )
        if reported is None:
            return
        if who is AbsentParty.MENTOR:
            self._everything_back(booking_id)
            return
        # These offers say nothing of it.
        fee = replace(kept, window=0, percent=100).cost(kept.start + HOUR, by_mentee=True)[1]
        self._ended(booking_id, refund=kept.price - fee, credit=False, by_mentee=True)

    def end_what_was_not_held(self) -> None:
        """The system cancels what was never started, a day after its end; groups are refunded by its effect."""
        while cancel_not_held(self.db, now=self.now):
            pass
        for booking_id in self.not_held():
            self._everything_back(booking_id)
            self.outcomes["not held", "done"] += 1

    def not_held(self) -> list[UUID]:
        """The sessions and groups that have not been started a day after their end."""
        groups = [(key, group) for key, group in self.groups.items() if not (group.cancelled or group.begun)]
        return [key for key, each in [*self.sessions.items(), *groups] if each.end < self.now - DAY]

    def _everything_back(self, booking_id: UUID) -> None:
        if (group := self.groups.get(booking_id)) is not None:
            self._refund_group(booking_id, group, SYSTEM)
            self.in_progress.discard(booking_id)
        else:
            self._ended(booking_id, refund=None, credit=True)

    def _ended(self, booking_id: UUID, *, refund: int | None, credit: bool, by_mentee: bool = False) -> None:
        """An individual session came to nothing: what goes back of its price, None for all of it, and its credit."""
        kept = self.sessions.pop(booking_id, None) or self.begun.pop(booking_id)
        self.in_progress.discard(booking_id)
        returned = credit if kept.bundle_id else None
        self.promises[booking_id] = Promise(kept.price, kept.price if refund is None else refund, returned)
        self.cancelled[booking_id] = kept
        if returned:
            self._give_back(kept.bundle_id, by_mentee=by_mentee)

    # What is waived

    def waive(self) -> None:
        """An operator waives the fee of an individual session, where there is one, and may have before."""
        keeping = [each for each in self.cancelled.items() if self.promises[each[0]].keeps]
        booking_id, kept = self.random.choice(self.random.choice([keeping, []]) or list(self.cancelled.items()))
        promise, session = self.promises[booking_id], self._session(booking_id)
        code = None if promise.keeps or promise.waived else "invalid_transition"
        waived = partial(waive_fee, actor=factories.OPERATOR, session=session, reason="Goodwill", now=self.now)
        if self._expect("waive", code, lambda: waived(self.db)) is not None:
            self._waive([(booking_id, kept)])

    def late_seats(self) -> list[tuple[UUID, ExpectedGroup, ExpectedBooking]]:
        seats = [(key, group, seat) for key, group in self.groups_ahead() for seat in group.seats.values()]
        return [each for each in seats if each[2].cost(self.now, by_mentee=True)[0]]

    def leave_late(self) -> None:
        """A mentee leaves a group inside the window of its policy, mostly for a fee or for the credit."""
        group_id, group, seat = self.random.choice(self.late_seats())
        self._leave(group_id, group, seat.mentee, by_mentee=True)

    def seats_left(self) -> list[tuple[UUID, UUID, ExpectedBooking]]:
        return [(key, *each) for key, group in self.groups.items() for each in group.left]

    def waive_seat(self) -> None:
        """An operator waives what was kept of a person's seats in a group, and may have before."""
        keeping = [each for each in self.seats_left() if self.promises[each[1]].keeps]
        group_id, _seat_id, seat = self.random.choice(self.random.choice([keeping, []]) or self.seats_left())
        mentee, left = seat.mentee, self.groups[group_id].left
        own = [each for each in left if each[1].mentee.id == mentee.id]
        promises = [self.promises[seat_id] for seat_id, _seat in own]
        by: dict[str, Any] = {"actor": factories.OPERATOR, "reason": "Goodwill", "now": self.now}
        about: dict[str, Any] = {
            "booking_id": group_id,
            "session_id": session_id_of(group_id),
            "mentee_user_id": mentee.id,
        }
        code = None if any(each.keeps or each.waived for each in promises) else "invalid_transition"
        self._expect("waive a seat", code, lambda: waive_seat_fee(self.db, **about, **by))
        self._waive(own)

    # Series

    def book_series(self) -> None:
        """A mentee books several weeks of a named mentor at once, all or those that are free."""
        mentee, course = self.random.choice(self.mentees), self.random.choice(self.courses)
        listing, first = self.random.choice(self.listings[course.id]), self._any_start()
        product, bundle_id = self.random.choice(self.products[course.id]), self._payment(mentee)
        on_conflict = self.random.choice(list(OnConflict))
        starts = [first + week * 7 * DAY for week in range(SEVERAL)]
        made, code = self._bookable(mentee, listing, starts, bundle_id, course.id)
        if first <= self.now:
            code = "invalid_request"
        elif made and on_conflict is OnConflict.SKIP:
            code = None
        wanted = IndividualRequest(
            course_id=course.id,
            start_time=first,
            duration_minutes=MINUTES,
            mentor_profile_id=listing.mentor_profile_id,
            product_id=None if bundle_id else product.id,
            bundle_purchase_id=bundle_id,
            recurrence=Recurrence(count=SEVERAL, on_conflict=on_conflict),
            time_zone="UTC",
        )
        actor = factories.acting_user(mentee)
        series = self._expect(
            "book a series", code, lambda: book_individual(self.db, actor=actor, wanted=wanted, now=self.now)[1]
        )
        if series is None:
            return
        require_equal("The series", [booking.start_time for booking in series.made], made)
        self.series[series.id] = [booking.id for booking in series.made]
        for booking in series.made:
            price = 0 if bundle_id else product.price_amount
            self._spend(bundle_id)
            self._create(booking.id, self._booked(mentee, listing, booking.start_time, price, bundle_id))

    def _bookable(
        self, mentee: User, listing: Listing, starts: list[datetime], bundle_id: UUID | None, course_id: UUID
    ) -> tuple[list[datetime], str | None]:
        """Which of the starts can be booked, and the code of the first that cannot."""
        made: list[datetime] = []
        codes: list[str] = []
        left = self.bundles[bundle_id].left if bundle_id else SEVERAL
        for start_time in starts:
            taken = any(
                overlaps(each.blocked, blocked_by(listing, start_time))
                for each in self._mentors_time()
                if each.mentor_id == listing.mentor_profile_id
            )
            if taken or not self._has_time(mentee.id, start_time):
                codes.append("slot_taken")
            elif self._refusal_of_payment(bundle_id, course_id) or len(made) == left:
                codes.append("bundle_unusable")
            else:
                made.append(start_time)
        return made, codes[0] if codes else None

    def cancel_series(self) -> None:
        """A party or an operator cancels what is left of a series from a time on, each session by its own quote."""
        booking_ids = self.random.choice(list(self.series.values()))
        series_id = next(key for key, ids in self.series.items() if ids is booking_ids)
        present = [booking_id for booking_id in booking_ids if booking_id in self.sessions]
        booking = self._booking(booking_ids[0])
        mentee = next(each for each in self.mentees if each.id == booking.mentee_user_id)
        actors = [factories.mentor_of(booking), factories.acting_user(mentee), factories.OPERATOR]
        actor, from_time = self.random.choice(actors), self.random.choice([booking.start_time, self.now])
        quotes = {each: quote_for(actor, self._session(each), now=self.now) for each in present}
        ended = [each for each in present if quotes[each].allowed and self.sessions[each].start >= from_time]
        # Each may have moved before another one.
        ended.sort(key=lambda each: self.sessions[each].start)
        cancelled = cancel_series(
            self.db,
            actor=actor,
            series_id=series_id,
            mentor_profile_id=booking.mentor_profile_id,
            from_time=from_time,
            reason="Moving away",
            now=self.now,
        )
        require_equal("The cancelled sessions of a series", cancelled.cancelled, ended)
        self.outcomes["cancel a series", "done" if ended else "nothing"] += 1
        for booking_id in ended:
            quote = quotes[booking_id]
            by_mentee = quote.cancelled_by is CancelledBy.MENTEE
            credit = bool(quote.credit_returned)
            self._ended(booking_id, refund=quote.refund_amount, credit=credit, by_mentee=by_mentee)
