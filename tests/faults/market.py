"""The played market: what is paid, lapses, moves, is cancelled and given back, with a ledger of what must remain.

A seed decides on the plays and their order; each has a mentor's hour for itself, so that they need not know of one
another.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
from urllib3.exceptions import HTTPError

from tests.booking_system import FIRST_START_DAYS, Offer, Tutelage
from tests.eventually import eventually
from tests.faults.clients import Client, Record, Unanswered
from tests.load import Answer, Connection
from tests.participants import register
from tests.speaking import Caller
from tests.stripe_stand_in import API_KEY, WEBHOOK_SECRET, StripeStandIn, signed
from workers.outbound import LEASE

PRICE = 4000
SETUP_THREADS = 2
HALF_HOUR, HOUR, WEEK = timedelta(minutes=30), timedelta(hours=1), timedelta(weeks=1)
# After the lives that are no plays.
FIRST_PLAY = timedelta(days=FIRST_START_DAYS + 10)
# A client gives up an answer sooner than a stalled database lets the API answer, and asks again under its key.
TIMEOUT_SECONDS = 5
ORIGIN = "https://app.example.org"
PAGES = {"successUrl": f"{ORIGIN}/paid", "cancelUrl": f"{ORIGIN}/"}
TERMS: dict[str, Any] = {
    "durationMinutes": 30,
    "price": {"amount": PRICE, "currency": "USD"},
    "payment": "before",
    "earlyStartMinutes": None,
    "cancellation": {"windowHours": 8760, "lateFeePercent": 25},
    "reschedule": {"mode": "free", "windowHours": 24, "maxTimes": 2},
}
# The timer of a payment, moved to now: a day of the market lasts minutes.
_DUE_NOW = """
UPDATE deliveries SET due_at = now(), nudge_at = now()
WHERE effect = 'payments.lapse' AND state = 'pending' AND event_id IN (SELECT id FROM events WHERE subject_id = %s)
"""
_END_LEASES = """
UPDATE deliveries SET lease_until = now(), nudge_at = now() WHERE state = 'pending' AND lease_until < now() + %s
"""


def stripe_settings(stand_in: StripeStandIn) -> dict[str, str]:
    return {
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": stand_in.url,
        "CHECKOUT_ORIGINS": ORIGIN,
    }


@dataclass(frozen=True)
class Stall:
    """A mentor of the market, with what they sell, and a person who lives beside them."""

    offer: Offer  # for which a request is paid elsewhere
    prepaid: str  # the listing that is paid before
    taught: str  # the listing of the course


@dataclass(frozen=True)
class Play:
    """One play of the plan: what happens at whose stall, and in which of its hours."""

    name: str
    number: int
    seed: int


@dataclass
class Ledger:
    """What must remain of every play that came to its end."""

    plays: Counter[str] = field(default_factory=Counter)
    # By payment: its status, and what was charged and refunded.
    payments: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    # By booking: its status, its session's status, its start, and the people whose time it blocks.
    bookings: dict[str, tuple[str, str | None, datetime, int]] = field(default_factory=dict)
    # By bundle: its credits.
    bundles: dict[str, int] = field(default_factory=dict)
    # By group: who has a seat.
    seats: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Market:
    """Stalls with people, the course whose bundles they buy, and the plan of the day."""

    system: Tutelage
    stand_in: StripeStandIn
    seed: int
    plays: Sequence[str] = ()  # those that are played; all where none is named
    stalls: list[Stall] = field(default_factory=list)
    course: str = ""
    product: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    database_url: str = ""  # not through any fault between
    timeout_seconds: float = TIMEOUT_SECONDS  # of each request
    fails_refunds: bool = True  # whether the bank refuses some that Stripe has taken

    def open(self, mentors: int) -> None:
        """Let so many mentors open their stalls."""
        operator = self.system.operator
        self.course = operator.post("/courses", {"title": "Algebra"})["id"]
        bundle = {"kind": "bundle", "title": "Two sessions", "sessionCount": 2, "durationMinutes": 30, "validDays": 90}
        bundle |= {"price": {"amount": 2 * PRICE, "currency": "USD"}, "payment": "before"}
        self.product = operator.post(f"/courses/{self.course}/products", bundle)["id"]
        with ThreadPoolExecutor(SETUP_THREADS) as threads:
            self.stalls = list(threads.map(lambda _number: eventually(self._stall, "a stall"), range(mentors)))
        self.system.offers = [stall.offer for stall in self.stalls]

    def _stall(self) -> Stall | None:
        """A stall; None where a busy machine did not answer in time, and what was made of it is nobody's."""
        listing = {**TERMS, "title": "Half an hour", "bookingMode": "instant"}
        try:
            made = register(Caller(self.system.url), durationMinutes=60, payment="none")
            prepaid = made.mentor.post("/listings", listing)["id"]
            taught = made.mentor.post("/listings", {**listing, "title": "Algebra", "courseId": self.course})["id"]
        except (AssertionError, HTTPError):
            return None
        return Stall(Offer(made.mentor_profile_id, made.mentee_user_id, made.listing_id), prepaid, taught)

    def accepted(self) -> int:
        """How many bookings are accepted, in whichever server has the rows."""
        with psycopg.connect(self.database_url, autocommit=True) as db:
            row = db.execute("SELECT count(*) FROM bookings WHERE status = 'accepted'").fetchone()
        return int(row[0]) if row else 0

    def end_leases(self, before: float) -> None:
        """Let the time of leases pass that were taken before a moment on the monotonic clock."""
        with psycopg.connect(self.database_url, autocommit=True) as db:
            db.execute(_END_LEASES, [LEASE - timedelta(seconds=time.monotonic() - before)])

    def play(self, number: int) -> Play:
        """The play of this number, which the seed alone decides: each kind once before any comes again."""
        names = sorted(self.plays or PLAYS)
        round_, place = divmod(number, len(names))
        order = Random(f"{self.seed} {round_}").sample(names, len(names))
        return Play(order[place], number, Random(f"{self.seed} {number}").randrange(1 << 30))


@dataclass
class Trader(Client):
    """A client that plays the market's plays, each to its end, and enters what must remain."""

    market: Market
    play: Play = field(default_factory=lambda: Play("", 0, 0))
    random: Random = field(default_factory=Random)
    stall: Stall = field(init=False)
    start: datetime = field(init=False)

    def next(self, number: int) -> None:
        """Play the play of this number.

        Raises:
            Unanswered: a step was refused, or never answered with success.
        """
        self.play = self.market.play(number)
        self.random = Random(self.play.seed)
        self.stall = self.market.stalls[number % len(self.market.stalls)]
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = midnight + FIRST_PLAY + number * HOUR
        try:
            PLAYS[self.play.name](self)
        except Unanswered as error:
            raise Unanswered(f"play {number}, {self.play.name}: {error}") from None
        self.market.ledger.plays[self.play.name] += 1

    def next_slot(self) -> tuple[Offer, str]:
        return self.stall.offer, self.start.isoformat()

    # People

    @property
    def mentor(self) -> dict[str, str]:
        return self.stall.offer.as_mentor

    @property
    def mentee(self) -> dict[str, str]:
        return self.stall.offer.as_mentee

    def _people(self) -> list[dict[str, str]]:
        """Three people, who live beside this stall and the next ones."""
        stalls = self.market.stalls
        return [stalls[(self.play.number + each) % len(stalls)].offer.as_mentee for each in range(3)]

    @property
    def staff(self) -> dict[str, str]:
        return dict(self.system.operator.identity)

    # Steps

    def _book(self, start: datetime | None = None, *, person: Mapping[str, str] | None = None) -> dict[str, Any]:
        body = {"listingId": self.stall.prepaid, "startTime": (start or self.start).isoformat()}
        booking: dict[str, Any] = self.do("POST", "/bookings", person or self.mentee, body).json()
        if booking["status"] != "awaiting_payment":
            raise Unanswered(f"a booking that is paid before was {booking['status']} at once")
        return booking

    def _charge(self, payment: dict[str, Any], person: Mapping[str, str]) -> Callable[[], None]:
        """Pay at Stripe's page; what is returned tells of it."""
        url = self.do("POST", f"/payments/{payment['id']}/checkout", person, PAGES).json()["url"]
        told = self.market.stand_in.pay(url)

        def tell() -> None:
            for _ in range(self.random.choice((1, 1, 2))):
                body, signature = signed(told)
                self.ask("POST", "/payments/stripe", {"Stripe-Signature": signature}, json.loads(body))

        return tell

    def _pay(self, payment: dict[str, Any], person: Mapping[str, str] | None = None) -> None:
        self._charge(payment, person or self.mentee)()

    def _lapse(self, payment: dict[str, Any], person: Mapping[str, str] | None = None) -> None:
        """Let its time pass, and wait until it has lapsed."""

        def move() -> bool:
            try:
                with psycopg.connect(self.market.database_url, autocommit=True) as db:
                    db.execute(_DUE_NOW, [payment["id"]])
            except psycopg.OperationalError:
                return False
            return True

        eventually(move, "a moved clock")
        path = f"/payments/{payment['id']}"
        self.ask("GET", path, person or self.mentee, until=lambda answer: answer.json()["status"] == "lapsed")

    def _session(self, booking_id: str) -> str:
        """The id of the session of a booking that was given, as soon as it can be read."""
        booking = self.ask("GET", f"/bookings/{booking_id}", self.mentee).json()
        if booking["status"] != "accepted":
            raise Unanswered(f"booking {booking_id} is {booking['status']} after its payment")
        session_id = str(booking["sessionId"])
        self.ask("GET", f"/sessions/{session_id}", self.mentee, pending=("session_pending",))
        return session_id

    def _cancel(self, session_id: str, by: Mapping[str, str]) -> int:
        """Cancel a session; what goes back of its price."""
        cancelled = self.do("POST", f"/sessions/{session_id}/cancel", by, {"reason": "Ill"}).json()
        return int(cancelled["cancellation"]["refund"]["amount"])

    def _at_once(
        self, path: str, people: Sequence[dict[str, str]], body: object = None, *, refusals: tuple[str, ...]
    ) -> list[tuple[dict[str, str], Answer]]:
        """What each of these people is answered who ask for the same at one moment."""

        def ask(person: dict[str, str]) -> tuple[dict[str, str], Answer]:
            rival = replace(self, connection=Connection(self.system.url, timeout_seconds=self.market.timeout_seconds))
            try:
                return person, rival.do("POST", path, person, body, refusals=refusals)
            finally:
                rival.connection.close()

        with ThreadPoolExecutor(len(people)) as threads:
            return list(threads.map(ask, people))

    def _fail_refund(self, payment: dict[str, Any]) -> None:
        """Have the bank refuse a refund that Stripe has taken, and an operator send it again."""
        path, stand_in = f"/payments/{payment['id']}", self.market.stand_in

        def sent(answer: Answer) -> bool:
            return bool(answer.json()["refunds"][0]["status"] == "done")

        reference = self.ask("GET", path, self.staff, until=sent).json()["refunds"][0]["reference"]
        (refund,) = [each for each in stand_in.refunds if each["id"] == reference]
        body, signature = signed(stand_in.fail(refund))
        self.ask("POST", "/payments/stripe", {"Stripe-Signature": signature}, json.loads(body))
        dead = f"/operations/deliveries?state=dead&effect=payments.refund&subjectId={payment['id']}"
        found = self.ask("GET", dead, self.staff, until=lambda answer: bool(answer.json()["items"]))
        self.do("POST", f"/operations/deliveries/{found.json()['items'][0]['id']}/retry", self.staff)

    def _hold_session(self, session_id: str) -> None:
        self.do("POST", f"/sessions/{session_id}/start", self.mentor)
        self.do("POST", f"/sessions/{session_id}/complete", self.mentor)

    # What must remain

    def _keep(self, booking_id: str, session: str | None = "scheduled", start: datetime | None = None) -> None:
        blocks = 2 if session in ("scheduled", "in_progress", "completed") else 0
        status = "cancelled" if session is None else "accepted"
        self.market.ledger.bookings[booking_id] = (status, session, start or self.start, blocks)

    def _keep_payment(self, payment: dict[str, Any], status: str = "paid", *, charged: int = -1, refunded: int) -> None:
        amount = payment["amount"]["amount"] if charged < 0 else charged
        self.market.ledger.payments[payment["id"]] = (status, amount, refunded)

    # Plays

    def request(self) -> None:
        """A whole life, as without the market."""
        self.live()

    def paid(self) -> None:
        """Booked, paid, and then held, cancelled by either party, or refunded by staff afterwards, at once or later."""
        booking = self._book()
        payment, refunded, ended = booking["payment"], 0, "completed"
        self._pay(payment)
        session = self._session(booking["id"])
        match self.random.choice(("held", "refunded", "refunded later", "mentee", "mentor")):
            case "held":
                self._hold_session(session)
            case "refunded" | "refunded later" as how:
                self._hold_session(session)
                refunded = 1500
                refund = {"amount": {"amount": refunded, "currency": "USD"}, "reason": "Goodwill"}
                self.do("POST", f"/payments/{payment['id']}/refunds", self.staff, refund)
                if how == "refunded later" and self.market.fails_refunds:
                    self._fail_refund(payment)
            case "mentee":
                refunded, ended = self._cancel(session, self.mentee), "cancelled"
            case "mentor":
                refunded, ended = self._cancel(session, self.mentor), "cancelled"
                if refunded != PRICE:
                    raise Unanswered(f"a mentor's cancellation gives {refunded} back")
        self._keep(booking["id"], ended)
        self._keep_payment(payment, refunded=refunded)

    def unpaid(self) -> None:
        """Booked and not paid in time: its time is another's then, and late money goes back."""
        first, second = self._people()[:2]
        booking = self._book(person=first)
        tell = self._charge(booking["payment"], first) if self.random.random() < 0.5 else None
        self._lapse(booking["payment"], first)
        again = self._book(person=second)
        if tell:
            tell()
        self._pay(again["payment"], second)
        late = PRICE if tell else 0
        self._keep(booking["id"], None)
        self._keep_payment(booking["payment"], "paid" if tell else "lapsed", charged=late, refunded=late)
        self._keep(again["id"])
        self._keep_payment(again["payment"], refunded=0)

    def withdrawn(self) -> None:
        """Booked, and cancelled while it waits; or waived by staff."""
        booking, waived = self._book(), self.random.random() < 0.5
        if waived:
            self.do("POST", f"/payments/{booking['payment']['id']}/waive", self.staff, {"reason": "A voucher"})
            self._session(booking["id"])
        else:
            by = self.random.choice((self.mentee, self.mentor))
            self.do("POST", f"/bookings/{booking['id']}/cancel", by)
        self._keep(booking["id"], "scheduled" if waived else None)
        self._keep_payment(booking["payment"], "waived" if waived else "cancelled", charged=0, refunded=0)

    def rivals(self) -> None:
        """Two people want one time at one moment: one gets it, also while the answers are lost."""
        body = {"listingId": self.stall.prepaid, "startTime": self.start.isoformat()}
        answers = self._at_once("/bookings", self._people()[:2], body, refusals=("slot_taken",))
        given = [(person, answer.json()) for person, answer in answers if answer.status == 201]
        if len(given) != 1:
            raise Unanswered(f"{len(given)} of two people got {self.start} of {self.stall.prepaid}")
        ((person, booking),) = given
        self._pay(booking["payment"], person)
        self._keep(booking["id"])
        self._keep_payment(booking["payment"], refunded=0)

    def moved(self) -> None:
        """Held for a moment, booked, paid, and moved by its mentee or by staff; the old time is free again."""
        hold = {"listingId": self.stall.prepaid, "startTime": self.start.isoformat()}
        self.do("POST", f"/mentors/{self.stall.offer.mentor_id}/holds", self.mentee, hold)
        other = self._people()[1]
        self.do("POST", "/bookings", other, hold, refusals=("slot_taken",), refused=True)
        booking = self._book()
        self._pay(booking["payment"])
        session = self._session(booking["id"])
        by = self.random.choice((self.mentee, self.staff))
        to = self.start + HALF_HOUR
        self.do("POST", f"/sessions/{session}/reschedule", by, {"startTime": to.isoformat()})
        again = self._book(person=other)
        self._pay(again["payment"], other)
        self._keep(booking["id"], start=to)
        self._keep_payment(booking["payment"], refunded=0)
        self._keep(again["id"])
        self._keep_payment(again["payment"], refunded=0)

    def blocked(self) -> None:
        """A mentor blocks a person, who gets nothing until the block is lifted."""
        path = f"/mentors/{self.stall.offer.mentor_id}/blocks"
        person = self._newcomer()
        self.do("POST", path, self.mentor, {"userId": person["X-User-Id"]})
        body = {"listingId": self.stall.prepaid, "startTime": self.start.isoformat()}
        self.do("POST", "/bookings", person, body, refusals=("not_bookable",), refused=True)
        self.do("DELETE", f"{path}/{person['X-User-Id']}", self.mentor)
        booking = self._book(person=person)
        self._pay(booking["payment"], person)
        self._keep(booking["id"])
        self._keep_payment(booking["payment"], refunded=0)

    def series(self) -> None:
        """Two weeks at once under one payment; one of them is cancelled, before or after it is paid."""
        start = self.start + HALF_HOUR
        who = {"mentorProfileId": self.stall.offer.mentor_id, "listingId": self.stall.prepaid}
        body: dict[str, Any] = {**who, "title": "Algebra"}
        body |= {"scheduledAt": start.isoformat(), "recurrence": {"count": 2}}
        made = self.do("POST", "/sessions/book", self.mentee, body).json()
        payment = made["booking"]["payment"]
        first, second = (each["bookingId"] for each in made["series"]["made"])
        if before := self.random.random() < 0.5:
            self.do("POST", f"/bookings/{second}/cancel", self.mentee)
        self._pay(payment)
        self._session(first)
        if not before:
            self._cancel(self._session(second), self.mentor)
        self._keep(first, start=start)
        self._keep(second, None if before else "cancelled", start=start + WEEK)
        self._keep_payment(payment, refunded=PRICE)

    def group(self) -> None:
        """Two seats for three people: one is paid, one lapses or is given up, and goes to who waits.

        The group may move while that one awaits its payment.
        """
        group = self._scheduled()
        path = f"/group-sessions/{group}"
        answers = self._at_once(f"{path}/join", self._people(), refusals=("group_full",))
        # Who came too late is third.
        answers.sort(key=lambda each: each[1].status)
        if [answer.status for _person, answer in answers] != [200, 200, 409]:
            raise Unanswered(f"{path}: {[answer.status for _person, answer in answers]} for two seats")
        (first, one), (second, other), (third, _refusal) = answers
        payments = [one.json()["payment"], other.json()["payment"]]
        self.do("POST", f"{path}/waitlist", third)
        self._pay(payments[0], first)
        if self.random.random() < 0.5:
            session = self.ask("GET", path, self.mentor).json()["sessionId"]
            to = {"startTime": (self.start + HALF_HOUR).isoformat()}
            self.do("POST", f"/sessions/{session}/reschedule", self.mentor, to, pending=("session_pending",))
        tell, lapses = self._charge(payments[1], second), self.random.random() < 0.5
        if lapses:
            self._lapse(payments[1], second)
        else:
            self.do("POST", f"{path}/leave", second)
        tell()
        taken = self.do("POST", f"{path}/waitlist/accept-offer", third, pending=("no_offer",)).json()["payment"]
        self._pay(taken, third)
        seats, back, all_back = {first["X-User-Id"], third["X-User-Id"]}, 0, False
        match self.random.choice(("kept", "left", "cancelled")):
            case "left":
                left = self.do("POST", f"{path}/leave", first).json()
                back = left["cancellation"]["refund"]["amount"]
                seats.remove(first["X-User-Id"])
            case "cancelled":
                session = self.ask("GET", path, self.mentor).json()["sessionId"]
                self.do(
                    "POST", f"/sessions/{session}/cancel", self.mentor, {"reason": "Ill"}, pending=("session_pending",)
                )
                # Who took part in it stays to be seen.
                back, all_back = PRICE, True
        self.market.ledger.seats[group] = seats
        self._keep_payment(payments[0], refunded=back)
        self._keep_payment(payments[1], refunded=PRICE)
        self._keep_payment(taken, refunded=back if all_back else 0)

    def bundle(self) -> None:
        """A bundle is bought and paid, or not; its credits pay for sessions, and one comes back."""
        person = self._newcomer()
        bought = self.do(
            "POST", f"/bundles/courses/{self.market.course}/purchase", person, {"productId": self.market.product}
        ).json()
        bundle, payment = bought["id"], bought["payment"]
        if self.random.random() < 0.3:
            self._lapse(payment, person)
            if (status := self.ask("GET", f"/bundles/{bundle}", person).json()["status"]) != "expired":
                raise Unanswered(f"bundle {bundle} is {status} without its payment")
            self._keep_payment(payment, "lapsed", charged=0, refunded=0)
            return
        body: dict[str, Any] = {"courseId": self.market.course, "mentorProfileId": self.stall.offer.mentor_id}
        body |= {"durationMinutes": 30, "bundlePurchaseId": bundle}
        early = {**body, "startTime": self.start.isoformat()}
        self.do("POST", "/bookings/individual", person, early, refusals=("bundle_unusable",), refused=True)
        self._pay(payment, person)
        booked = [
            self.do("POST", "/bookings/individual", person, {**body, "startTime": start.isoformat()}).json()
            for start in (self.start, self.start + HALF_HOUR)
        ]
        self.ask("GET", f"/sessions/{booked[0]['sessionId']}", person, pending=("session_pending",))
        self.do("POST", f"/sessions/{booked[0]['sessionId']}/cancel", self.mentor, {"reason": "Ill"})
        self.market.ledger.bundles[bundle] = 1
        self._keep_payment(payment, refunded=0)
        self._keep(booked[0]["id"], "cancelled")
        self._keep(booked[1]["id"], start=self.start + HALF_HOUR)

    def _scheduled(self) -> str:
        """The id of a group of two seats in this play's hour."""
        begins = {"weekday": self.start.weekday(), "startTime": f"{self.start:%H:%M}", "timeZone": "UTC"}
        template = {**TERMS, **begins, "title": "Exercises", "capacity": 2}
        made = self.do("POST", "/group-session-templates", self.mentor, template).json()["id"]
        day = self.start.date().isoformat()
        path = f"/group-session-templates/{made}/schedule"
        return str(self.do("POST", path, self.mentor, {"from": day, "to": day}).json()["made"][0]["bookingId"])

    def _newcomer(self) -> dict[str, str]:
        body = {"email": f"{uuid4().hex}@people.example.org", "name": "Ada Lovelace"}
        return {"X-User-Id": self.do("POST", "/users", self.staff, body).json()["id"]}


PLAYS: dict[str, Callable[[Trader], None]] = {
    play.__name__: play
    for play in (
        Trader.request,
        Trader.paid,
        Trader.unpaid,
        Trader.withdrawn,
        Trader.rivals,
        Trader.moved,
        Trader.blocked,
        Trader.series,
        Trader.group,
        Trader.bundle,
    )
}


def trading(market: Market) -> Callable[[Record], Trader]:
    """Makes clients of a crowd that play the market's plan."""

    def make(record: Record) -> Trader:
        connection = Connection(market.system.url, timeout_seconds=market.timeout_seconds)
        return Trader(market.system, record, connection, market)

    return make
