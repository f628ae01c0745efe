"""Group sessions of the random marketplace: their seats, their waiting lists, and all that may be done there."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from models.payments import PaymentMode, PaymentStatus
from models.sessions import session_id_of
from tests import factories
from tests.integration.expectations import (
    HOUR,
    MINUTES,
    POLICY,
    ExpectedBooking,
    ExpectedGroup,
    Promise,
    Terms,
    overlaps,
    require_equal,
)
from tests.integration.marketplace import OFFERS, PRICES, Action, Subjects, often
from tests.integration.marketplace_bookings import Bookings
from workflows.accounts.records import User
from workflows.groups.capacity import change_capacity
from workflows.groups.place import read_group, read_place
from workflows.groups.schedule import schedule
from workflows.groups.seats import join, leave, quote_seat, refund_all
from workflows.groups.templates import create_template
from workflows.groups.waitlist import join_waitlist, leave_waitlist, offer_seats
from workflows.identity.actor import Actor
from workflows.kernel.locks import lock_group
from workflows.payments.records import PAYMENT, Payment
from workflows.sessions.actions import create
from workflows.sessions.cancel import cancel as cancel_session
from workflows.sessions.cancel import quote_for
from workflows.sessions.records import accepted_session
from workflows.settlements.actions import confirm, lapse
from workflows.terms.cancellation import Quote


class Groups(Bookings):
    """A marketplace in which groups are scheduled, joined, left and cancelled, too."""

    def actions(self) -> list[tuple[Action, Subjects | None]]:
        return ACTIONS

    def schedule(self) -> None:
        """A mentor schedules a group for one date."""
        course = self.random.choice(self.courses)
        listing, start = self.random.choice(self.listings[course.id]), self._any_start()
        policy = self.random.choice(OFFERS)
        columns = {
            "course_id": course.id,
            "title": "Together",
            "weekday": start.weekday(),
            "start_time": start.time(),
            "time_zone": "UTC",
            "duration_minutes": MINUTES,
            "capacity": self.random.choice([1, 1, 2]),
            "price_amount": self.random.choice(PRICES),
            "payment_mode": self.random.choice(list(PaymentMode)),
            **{name: value for name, value in policy.items() if name != "buffer_before_minutes"},
        }
        actor = factories.acting_mentor(self.mentors[listing.mentor_profile_id])
        template = create_template(self.db, actor=actor, columns=columns)
        blocked = (start, start + HOUR + timedelta(minutes=columns.get("buffer_minutes", 0)))
        taken = any(
            overlaps(each.blocked, blocked)
            for each in self._mentors_time()
            if each.mentor_id == listing.mentor_profile_id
        )
        made = schedule(self.db, actor=actor, template=template, first=start.date(), last=start.date(), now=self.now)
        outcome = "past" if start <= self.now else "slot_taken" if taken else "done"
        codes = [each.code for each in made.conflicts] + [each.code for each in made.skipped]
        require_equal("The outcome of schedule", codes or ["done"], [outcome])
        self.outcomes["schedule", outcome] += 1
        for each in made.made:
            self.groups[each.booking_id] = ExpectedGroup(
                mentor_id=listing.mentor_profile_id,
                course_id=course.id,
                start=start,
                end=start + HOUR,
                blocked=blocked,
                window=template.cancellation_window_hours,
                percent=template.late_fee_percent,
                currency=template.price_currency,
                capacity=template.capacity,
                price=template.price_amount,
                prepaid=template.payment_mode is PaymentMode.BEFORE,
            )
            create(self.db, booking_id=each.booking_id)

    def join(self, *, offered_only: bool = False) -> None:
        """A mentee joins a group, or accepts the seat that is offered to them."""
        group_id, group = self._any_group(lambda group: not offered_only or any(group.line.values()))
        mentee = self._any_of([who for who, until in group.line.items() if until and offered_only])
        bundle_id = self._payment(mentee)
        line = self._offered(group)
        expected = self._closed(group) or self._seated(group, mentee.id)
        if expected is None and not line.get(mentee.id):
            full = group.held(line) >= group.capacity
            expected = "no_offer" if offered_only else "group_full" if full else None
        if expected is None:
            has_time = self._has_time(mentee.id, group.start)
            expected = self._refusal_of_payment(bundle_id, group.course_id) if has_time else "slot_taken"
        joined = self._expect(
            "accept offer" if offered_only else "join",
            expected,
            lambda: join(
                self.db,
                actor=factories.acting_user(mentee),
                group=read_group(self.db, group_id),
                mentee_user_id=mentee.id,
                bundle_purchase_id=bundle_id,
                now=self.now,
                policy=POLICY,
                offered_only=offered_only,
            ),
        )
        if joined is None:
            return
        line.pop(mentee.id, None)
        group.line = line
        price = 0 if bundle_id else group.price
        if group.prepaid and price:
            group.awaiting[mentee.id] = joined.payment.id
            return
        self._seat(group, mentee, price, bundle_id)

    def _seat(self, group: ExpectedGroup, mentee: User, price: int, bundle_id: UUID | None) -> None:
        terms = {name: getattr(group, name) for name in Terms.__dataclass_fields__}
        group.seats[mentee.id] = ExpectedBooking(mentee=mentee, price=price, bundle_id=bundle_id, **terms)
        self._spend(bundle_id)

    def awaited_seats(self) -> list[tuple[ExpectedGroup, UUID, UUID]]:
        return [(group, *each) for group in self.groups.values() for each in group.awaiting.items()]

    def pay_seat(self) -> None:
        """The money for a seat arrives, in time or when the group has begun."""
        group, mentee_id, payment_id = self.random.choice(self.awaited_seats())
        is_late = self._closed(group) is not None
        payment = Payment.of(self.db.execute(PAYMENT, {"id": payment_id}).one())
        money: dict[str, Any] = {"reference": f"pi_{payment_id}", "amount": group.price, "currency": group.currency}
        self._expect(
            "pay a seat too late" if is_late else "pay a seat",
            None,
            lambda: confirm(self.db, actor=factories.OPERATOR, payment=payment, **money, now=self.now, policy=POLICY),
        )
        del group.awaiting[mentee_id]
        if is_late:
            self.late_payments.add(payment_id)
        else:
            self._seat(group, next(each for each in self.mentees if each.id == mentee_id), group.price, None)

    def lapse_seat(self) -> None:
        """The timer of a seat's payment: the seat goes to the next."""
        group, mentee_id, payment_id = self.random.choice(self.awaited_seats())
        payment = Payment.of(self.db.execute(PAYMENT, {"id": payment_id}).one())
        self._expect("lapse a seat", None, lambda: lapse(self.db, payment=payment, now=self.now, policy=POLICY))
        del group.awaiting[mentee_id]
        group.line = self._offered(group)

    def accept_offer(self) -> None:
        """A mentee accepts the seat that is offered to them."""
        self.join(offered_only=True)

    def leave(self) -> None:
        """A mentee leaves a group, or an operator takes their seat away."""
        group_id, group = self._any_group(lambda group: group.seats and (group.line or self.random.random() < 0.5))
        self._leave(group_id, group, self._any_of(group.seats), by_mentee=self.random.random() < 0.8)

    def give_up(self) -> None:
        """A mentee leaves a seat that waits for its payment: for nothing, whatever the policy."""
        group, mentee_id, payment_id = self.random.choice(self.awaited_seats())
        group_id = next(key for key, each in self.groups.items() if each is group)
        actor = Actor.person(mentee_id, None)
        about: dict[str, Any] = {"mentee_user_id": mentee_id, "reason": None, "now": self.now, "policy": POLICY}
        left = self._expect(
            "give a seat up",
            self._closed(group),
            lambda: leave(self.db, actor=actor, group=read_group(self.db, group_id), **about),
        )
        if left is not None:
            ended = Payment.of(self.db.execute(PAYMENT, {"id": payment_id}).one())
            require_equal("The payment", ended.status, PaymentStatus.CANCELLED)
            del group.awaiting[mentee_id]
            group.line = self._offered(group)

    def _leave(self, group_id: UUID, group: ExpectedGroup, mentee: User, *, by_mentee: bool) -> None:
        if mentee.id in group.awaiting:
            return
        seat = group.seats.get(mentee.id)
        expected = "not_found" if seat is None else self._closed(group)
        if expected is None and by_mentee and group.window is None:
            expected = "not_cancellable"
        actor = factories.acting_user(mentee) if by_mentee else factories.OPERATOR
        present, place = read_group(self.db, group_id), read_place(self.db, group_id, mentee.id)
        quote = quote_seat(present, place, actor=actor, now=self.now)
        left = self._expect(
            "leave",
            expected,
            lambda: leave(
                self.db,
                actor=actor,
                group=present,
                mentee_user_id=mentee.id,
                reason=None,
                now=self.now,
                policy=POLICY,
            ),
        )
        if left is None:
            return
        assert seat is not None
        assert place.seat_id is not None
        cost: Quote = left[1]
        require_equal("The answer", cost, quote)
        self._promise(place.seat_id, seat, quote)
        late, fee, returned = seat.cost(self.now, by_mentee=by_mentee)
        found = (cost.late, cost.fee_amount, cost.refund_amount, bool(cost.credit_returned))
        require_equal("What leaving costs", found, (late, fee, seat.price - fee, returned))
        del group.seats[mentee.id]
        group.line = self._offered(group)
        group.left.append((place.seat_id, seat))
        if returned:
            self._give_back(seat.bundle_id, by_mentee=by_mentee, valid_to=quote.credit_valid_to)

    def wait(self) -> None:
        """A mentee joins the waiting list."""
        group_id, group = self._any_group(lambda group: group.held(group.line) >= group.capacity)
        mentee = self._any_of([mentee.id for mentee in self.mentees if not self._seated(group, mentee.id)])
        line = self._offered(group)
        expected = self._closed(group) or self._seated(group, mentee.id)
        if expected is None and mentee.id not in line:
            has_time = self._has_time(mentee.id, group.start)
            expected = "seats_free" if group.held(line) < group.capacity else None if has_time else "slot_taken"
        queue = partial(join_waitlist, actor=factories.acting_user(mentee), now=self.now, policy=POLICY)
        entry = self._expect("wait", expected, lambda: queue(self.db, group=read_group(self.db, group_id)))
        if entry is not None:
            group.line = line
            line.setdefault(mentee.id, None)
            require_equal("The position", entry[0].position, list(line).index(mentee.id) + 1)

    def stop_waiting(self) -> None:
        """A mentee leaves a waiting list, on which they may not be."""
        group_id, group = self._any_group(lambda group: group.line)
        mentee = self._any_of(group.line)
        give_up = partial(leave_waitlist, actor=factories.acting_user(mentee), now=self.now, policy=POLICY)
        give_up(self.db, group=read_group(self.db, group_id))
        group.line = self._offered(group, without=mentee.id)
        self.outcomes["stop waiting", "done"] += 1

    def end_offers(self) -> None:
        """The timers of all offers that have lapsed."""
        for group_id, group in self.lapsed_groups():
            lock_group(self.db, group_id)
            offer_seats(self.db, group=read_group(self.db, group_id), now=self.now, policy=POLICY)
            group.line = self._offered(group)
            self.outcomes["end offers", "done"] += 1

    def lapsed_groups(self) -> list[tuple[UUID, ExpectedGroup]]:
        lapsed = [each for each in self.groups.items() if any(u and u <= self.now for u in each[1].line.values())]
        return [(group_id, group) for group_id, group in lapsed if not group.cancelled]

    def cancel_group(self) -> None:
        """A mentor or an operator cancels a group: all of it goes back to everyone."""
        group_id, group = self._any_group()
        present, session = read_group(self.db, group_id), accepted_session(self.db, session_id_of(group_id))
        actor = self.random.choice([factories.mentor_of(present), factories.OPERATOR])
        quote = quote_for(actor, session, now=self.now)
        cancelled = self._expect(
            "cancel a group",
            "invalid_transition" if group.cancelled or group.begun else None,
            lambda: cancel_session(self.db, actor=actor, session=session, reason=None, now=self.now),
        )
        if cancelled is None:
            return
        require_equal("The refund of all seats", quote.refund_amount, sum(seat.price for seat in group.seats.values()))
        self._refund_group(group_id, group, actor)

    def _refund_group(self, group_id: UUID, group: ExpectedGroup, actor: Actor) -> None:
        """Everything goes back to everyone, by the effect of a cancellation."""
        refund_all(self.db, group=read_group(self.db, group_id), actor=actor, now=self.now)
        group.cancelled, group.line, group.awaiting = True, {}, {}
        for mentee_id, seat in group.seats.items():
            place = read_place(self.db, group_id, mentee_id)
            assert place.seat_id is not None
            self.promises[place.seat_id] = Promise(seat.price, seat.price, True if seat.bundle_id else None)
            self._give_back(seat.bundle_id, by_mentee=False)
        self._waive(group.left)

    def _waive(self, left: Iterable[tuple[UUID, ExpectedBooking]]) -> None:
        for seat_id, seat in left:
            promise = self.promises[seat_id]
            if promise.credit is False:
                self._give_back(seat.bundle_id, by_mentee=False)
            promise.waive()

    def change_capacity(self) -> None:
        """A mentor changes how many seats there are."""
        group_id, group = self._any_group()
        capacity = self.random.choice([1, 2, 3])
        expected = self._closed(group) or ("group_full" if group.held(group.line) > capacity else None)
        present = read_group(self.db, group_id)
        changed = self._expect(
            "change capacity",
            expected,
            lambda: change_capacity(
                self.db,
                actor=factories.mentor_of(present),
                group=present,
                capacity=capacity,
                now=self.now,
                policy=POLICY,
            ),
        )
        if changed is not None:
            group.capacity = capacity
            group.line = self._offered(group)


# Each with what there must be for it, and as often as it is to be done among the others.
ACTIONS: list[tuple[Action, Subjects | None]] = [
    *often(2, Groups.purchase),
    *often(3, Groups.schedule),
    *often(4, Groups.book),
    *often(3, Groups.request, lambda market: market.bundles),
    *often(1, Groups.adjust, lambda market: market.bundles),
    *often(4, Groups.end_bundles, Groups.ended_bundles),
    *often(3, Groups.accept, lambda market: market.drafts),
    *often(1, Groups.end_draft, lambda market: market.drafts),
    *often(3, Groups.cancel, lambda market: market.sessions),
    *often(5, Groups.join, Groups.groups_ahead),
    *often(4, Groups.leave, Groups.groups_ahead),
    *often(4, Groups.wait, Groups.groups_ahead),
    *often(3, Groups.accept_offer, Groups.groups_ahead),
    *often(1, Groups.stop_waiting, Groups.groups_ahead),
    *often(2, Groups.end_offers, Groups.lapsed_groups),
    *often(3, Groups.pay_seat, Groups.awaited_seats),
    *often(1, Groups.lapse_seat, Groups.awaited_seats),
    *often(1, Groups.give_up, Groups.awaited_seats),
    *often(2, Groups.move, lambda market: market.sessions),
    *often(1, Groups.change_capacity, Groups.groups_ahead),
    *often(1, Groups.cancel_group, lambda market: len(market.groups_ahead()) > 2),
]
