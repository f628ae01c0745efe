"""Bundles, bookings and groups of the random marketplace as they should stand, and what is quoted of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from workflows.accounts.records import User
from workflows.catalog.listings import Listing
from workflows.catalog.products import Product
from workflows.kernel.operator_policy import DEFAULT_POLICY

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
MINUTES = 60
POLICY = DEFAULT_POLICY

Times = tuple[datetime, datetime]


class Disagreement(AssertionError):
    """An answer, or what is in the tables, is not what the rules make of the actions so far."""


def require_equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Disagreement(f"{what}: {found!r} instead of {expected!r}")


@dataclass
class Promise:
    """The quote of a booking or seat: its price, the refund, and whether the credit that paid goes back."""

    price: int
    refund: int
    credit: bool | None
    waived: bool = False

    @property
    def keeps(self) -> bool:
        return self.refund < self.price or self.credit is False

    def waive(self) -> None:
        self.waived = self.waived or self.keeps
        self.refund, self.credit = self.price, None if self.credit is None else True


@dataclass
class ExpectedBundle:
    """A bundle as it should stand; until it is `closed`, no other one of its product can be bought.

    `ended` is whether the timer at the end of its validity has run.
    """

    owner: User
    product: Product
    valid_to: datetime | None
    total: int
    left: int
    closed: bool = False
    ended: bool = False

    def pays(self, course_id: UUID, now: datetime) -> bool:
        """Whether a credit can be spent on an hour of that course."""
        fits = self.product.course_id == course_id and self.product.duration_minutes in (None, MINUTES)
        return fits and self.left > 0 and not self.expired(now)

    def expired(self, now: datetime) -> bool:
        return self.valid_to is not None and self.valid_to <= now

    def move(self, credits: int) -> None:
        self.left += credits
        self.closed = self.closed or self.left == 0


@dataclass(kw_only=True)
class Terms:
    """The terms of a session, fixed when it is booked; `blocked` is the time that its mentor's calendar holds."""

    mentor_id: UUID
    start: datetime
    end: datetime
    blocked: Times
    window: int | None
    percent: int
    currency: str


@dataclass(kw_only=True)
class ExpectedBooking(Terms):
    """A person's draft, session or seat, and how it was paid."""

    mentee: User
    price: int
    bundle_id: UUID | None
    # When its session was made; None for a draft and for a seat, which nobody accepts.
    accepted: datetime | None = None

    def free_until(self) -> datetime:
        """Until when its mentee cancels without a fee: before the window, or within an hour of the acceptance."""
        before_window = self.start - timedelta(hours=self.window or 0)
        return before_window if self.accepted is None else min(self.start, max(before_window, self.accepted + HOUR))

    def is_in_free_hour(self, now: datetime) -> bool:
        """Whether it costs nothing although the window has begun."""
        return self.start - timedelta(hours=self.window or 0) < now <= self.free_until()

    def cost(self, now: datetime, *, by_mentee: bool) -> tuple[bool, int, bool]:
        """Whether a cancellation is late, its fee, and whether a credit returns, by rules 4 and 5."""
        late = by_mentee and self.window is not None and now > self.free_until()
        fee = (Decimal(self.price) * self.percent / 100).quantize(Decimal(1), ROUND_HALF_UP) if late else Decimal(0)
        return late, int(fee), self.bundle_id is not None and (not late or self.percent == 0)

    def keeps(self, now: datetime) -> bool:
        """Whether its mentee would lose something by a cancellation."""
        _late, fee, returned = self.cost(now, by_mentee=True)
        return fee > 0 or (self.bundle_id is not None and not returned)


@dataclass(kw_only=True)
class ExpectedGroup(Terms):
    """A group as it should stand: its seats, and its waiting list with the ends of offers, both by person."""

    course_id: UUID
    capacity: int
    price: int
    prepaid: bool = False
    # Payments of seats that wait for them, by person.
    awaiting: dict[UUID, UUID] = field(default_factory=dict)
    seats: dict[UUID, ExpectedBooking] = field(default_factory=dict)
    left: list[tuple[UUID, ExpectedBooking]] = field(default_factory=list)
    line: dict[UUID, datetime | None] = field(default_factory=dict)
    cancelled: bool = False
    begun: bool = False

    def held(self, line: dict[UUID, datetime | None]) -> int:
        """How many seats are taken, wait for their payment, or are offered in that line."""
        return len(self.seats) + len(self.awaiting) + sum(until is not None for until in line.values())

    def offered(
        self, now: datetime, is_free: Callable[[UUID], bool], *, without: UUID | None = None
    ) -> dict[UUID, datetime | None]:
        """The line, without that person, after lapsed offers have ended and free seats were offered to who is free."""
        line = {who: until for who, until in self.line.items() if who != without and (until is None or until > now)}
        free = self.capacity - self.held(line)
        if self.start > now and not self.cancelled:
            for who in [who for who, until in line.items() if until is None and is_free(who)][: max(free, 0)]:
                line[who] = min(self.start, now + timedelta(minutes=POLICY.waitlist_offer_minutes))
        return line


def overlaps(one: Any, other: Any) -> bool:
    """Whether two half-open times have a moment in common."""
    return bool(one[0] < other[1] and other[0] < one[1])


def blocked_by(listing: Listing, start: datetime) -> Times:
    """The time that an hour of that listing takes of its mentor's calendar."""
    before, after = timedelta(minutes=listing.buffer_before_minutes), timedelta(minutes=listing.buffer_minutes)
    return start - before, start + HOUR + after
