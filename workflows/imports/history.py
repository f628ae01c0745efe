"""History of an import: bookings with their sessions, bundles and reviews.

A past session runs no effects: its measures are recorded with it, and its permit to review only with its review. A
session that lies ahead blocks its time and gets its reminders.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from models.base import sql
from models.bookings import BookingKind, BookingStatus, booking_participants, bookings
from models.bundles import BundleEntryKind, bundle_entries, bundle_purchases
from models.catalog import ProductKind
from models.payments import PaymentMode
from models.reviews import review_permits, reviews
from models.sessions import CancellationType, CancelledBy, OutcomeType, SessionStatus, session_id_of
from workflows.analytics.transition_times import record_metrics
from workflows.bookings.records import Booking
from workflows.bundles.ledger import validity_events
from workflows.bundles.records import Bundle
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingAccepted,
    BundlePurchased,
    ReviewSubmitted,
    SessionCancelled,
    SessionCreated,
    SessionImported,
    SessionTimeFreed,
)
from workflows.events.record import record
from workflows.identity.actor import SYSTEM
from workflows.imports.lines import Line, Status
from workflows.imports.work import CREATED, UNCHANGED, UPDATED, Found, Part, Results, Work, named
from workflows.kernel.constraints import mentee_taken
from workflows.kernel.errors import Conflict, DomainError, Invalid, InvalidTransition, NotFound
from workflows.kernel.locks import lock_mentors, lock_users
from workflows.notifications.reminders import reminders_to_set
from workflows.reviews.permits import OPEN_FOR
from workflows.reviews.records import Review
from workflows.sessions.actions import CreatedSession, create_all
from workflows.sessions.cancel import as_stored
from workflows.sessions.records import Session
from workflows.terms.cancellation import Quote
from workflows.terms.terms import TERM_NAMES

# People whose time is taken already, by a booking or by another person's hold.
_TAKEN = sql("""
SELECT part.number, part.is_mentor FROM jsonb_to_recordset(:parts) AS part(
    number integer, user_id uuid, holder_id uuid, begins timestamptz, ends timestamptz, may_overlap boolean,
    is_mentor boolean
)
JOIN person_busy b ON b.user_id = part.user_id AND b.busy && tstzrange(part.begins, part.ends)
WHERE NOT (b.may_overlap AND part.may_overlap)
  AND (b.expires_at IS NULL OR (b.expires_at > now() AND b.held_by_user_id IS DISTINCT FROM part.holder_id))
""").bindparams(bindparam("parts", type_=JSONB))
_BLOCK = sql("""
INSERT INTO person_busy (id, user_id, mentor_profile_id, busy, booking_id, may_overlap)
VALUES (:id, :user_id, :mentor_profile_id,
        tstzrange(CAST(:begins AS timestamptz), CAST(:ends AS timestamptz)), :booking_id, :may_overlap)
""")
_START = sql("UPDATE sessions SET status = 'in_progress', started_at = start_time WHERE id = ANY(:ids)")
_COMPLETE = sql(
    "UPDATE sessions SET status = 'completed', completed_at = least(end_time, CAST(:now AS timestamptz))"
    " WHERE id = ANY(:ids)"
)
_CANCEL = sql("""
UPDATE sessions SET status = 'cancelled', cancelled_at = least(sessions.start_time, CAST(:now AS timestamptz)),
    cancellation = ended.cancellation
FROM jsonb_to_recordset(:ended) AS ended(id uuid, cancellation jsonb) WHERE sessions.id = ended.id
""").bindparams(bindparam("ended", type_=JSONB))
_RELEASE = sql("DELETE FROM person_busy WHERE booking_id = ANY(:ids)")
_OPEN_BUNDLES = sql("""
SELECT mentee_user_id, product_id FROM bundle_purchases
WHERE mentee_user_id = ANY(:mentee_ids) AND product_id = ANY(:product_ids) AND closed_at IS NULL
""")
_REVIEWS = sql("SELECT session_id, rating FROM reviews WHERE session_id = ANY(:session_ids)")
_PERMITS = sql("SELECT session_id, withdrawn_at FROM review_permits WHERE session_id = ANY(:session_ids)")
_RATE = sql("""
UPDATE mentor_profiles SET rating_sum = rating_sum + rated.rating, review_count = review_count + rated.reviews
FROM jsonb_to_recordset(:rated) AS rated(id uuid, rating integer, reviews integer) WHERE mentor_profiles.id = rated.id
""").bindparams(bindparam("rated", type_=JSONB))


@dataclass(frozen=True)
class Outcome:
    """A booking that is new, or whose session has ended since, and how it went."""

    booking_id: UUID
    session_id: UUID
    status: Status
    price_amount: int
    price_currency: str
    is_new: bool


def carry_bookings(work: Work, lines: Sequence[Line]) -> Results:
    """Make bookings and their sessions; a session that is still scheduled may end by a later import."""
    found = work.references(lines)
    if not work.dry_run:
        mentors = [each.mentor_profile_id for each in found["listing"].values()]
        people = [each.mentor_user_id for each in found["listing"].values()]
        people += [each.id for each in found["user"].values()]
        lock_mentors(work.db, mentors)
        lock_users(work.db, people)
        # Under the locks: an account may have been deleted before.
        found = work.references(lines)
    there = work.find("booking", [str(line.external_id) for line in lines])
    results: Results = {}
    new: dict[int, dict[str, Any]] = {}
    outcomes: dict[int, Outcome] = {}
    for line in lines:
        try:
            if (booking := there.get(str(line.external_id))) is not None:
                results[line.number], ended = _again(work, line, booking, found)
                if ended is not None:
                    outcomes[line.number] = ended
            else:
                new[line.number] = _booking(work, line, found)
                results[line.number] = CREATED
        except DomainError as refusal:
            results[line.number] = refusal
    parts = _parts(work, lines, new, found)
    not_free = _not_free(work, parts)
    results |= not_free
    new = {number: columns for number, columns in new.items() if number not in not_free}
    for line in lines:
        if line.number in new:
            outcomes[line.number] = _outcome(line, new[line.number])
            columns = new[line.number]
            shown = {"session_status": _STATUS[line.values["status"]], "completed_at": columns["end_time"]}
            work.remember(line, {**columns, **shown, "mentee_erased_at": None})
    if not work.dry_run:
        free = [part for number, of_line in parts.items() if number in new for part in of_line]
        _write_bookings(work, list(new.values()), free, list(outcomes.values()))
    return results


_STATUS = {
    Status.ACCEPTED: SessionStatus.SCHEDULED,
    Status.COMPLETED: SessionStatus.COMPLETED,
    Status.CANCELLED: SessionStatus.CANCELLED,
    Status.NO_SHOW: SessionStatus.CANCELLED,
}


def _booking(work: Work, line: Line, found: Mapping[str, Found]) -> dict[str, Any]:
    """The row of a new booking."""
    listing, mentee = named(found, "listing", line.values["listing"]), named(found, "user", line.values["mentee"])
    if listing.mentor_user_id == mentee.id:
        raise Invalid("mentee: Is the mentor of the listing.")
    starts: datetime = line.values["startTime"]
    ends = starts + timedelta(minutes=listing.duration_minutes)
    _require_time(work.now, line, starts, ends)
    created = line.values.get("createdAt", min(work.now, starts))
    if created > work.now:
        raise Invalid("createdAt: Lies ahead.")
    price = line.values.get("price", (listing.price_amount, listing.price_currency))
    booking_id = uuid7()
    return {
        "id": booking_id,
        "listing_id": listing.id,
        "mentor_profile_id": listing.mentor_profile_id,
        "mentee_user_id": mentee.id,
        "course_id": listing.course_id,
        "kind": BookingKind.INDIVIDUAL,
        "start_time": starts,
        "end_time": ends,
        "status": BookingStatus.ACCEPTED,
        "title": line.values.get("title"),
        "external_id": line.external_id,
        "metadata": line.values.get("metadata"),
        "session_id": session_id_of(booking_id),
        "created_at": created,
        **{name: getattr(listing, name) for name in TERM_NAMES},
        "price_amount": price[0],
        "price_currency": price[1],
        # Its price was paid elsewhere.
        "payment_mode": PaymentMode.NONE,
    }


def _require_time(now: datetime, line: Line, starts: datetime, ends: datetime) -> None:
    status = line.values["status"]
    if status is Status.ACCEPTED and ends <= now:
        raise Invalid("startTime: An accepted booking lies ahead; a past one is completed, cancelled or no_show.")
    if status in (Status.COMPLETED, Status.NO_SHOW) and starts > now:
        raise Invalid(f"startTime: Lies ahead; a booking is {status} once it has begun.")


def _again(work: Work, line: Line, booking: Any, found: Mapping[str, Found]) -> tuple[str, Outcome | None]:
    """The change of an existing booking by a line: none, or its session ends.

    Raises:
        Invalid: it has not begun, and is said to be over.
        Conflict: `external_id_taken` by a booking of another listing, person or time.
        InvalidTransition: what was paid or booked here is cancelled here.
    """
    listing, mentee = named(found, "listing", line.values["listing"]), named(found, "user", line.values["mentee"])
    # The line has the time before a move here.
    is_same_time = booking.reschedule_count > 0 or booking.start_time == line.values["startTime"]
    if not is_same_time or (booking.listing_id, booking.mentee_user_id) != (listing.id, mentee.id):
        raise Conflict(code="external_id_taken")
    status = line.values["status"]
    if status is Status.ACCEPTED or booking.session_status != SessionStatus.SCHEDULED:
        return UNCHANGED, None
    _require_time(work.now, line, booking.start_time, booking.end_time)
    if booking.bundle_purchase_id is not None or booking.payment_mode is not PaymentMode.NONE:
        raise InvalidTransition("This booking was paid here; end its session here.")
    price = booking.price_amount, booking.price_currency
    return UPDATED, Outcome(booking.id, booking.session_id, status, *price, is_new=False)


def _outcome(line: Line, columns: Mapping[str, Any]) -> Outcome:
    ids = columns["id"], columns["session_id"]
    return Outcome(*ids, line.values["status"], columns["price_amount"], columns["price_currency"], is_new=True)


def _parts(
    work: Work, lines: Sequence[Line], new: Mapping[int, Mapping[str, Any]], found: Mapping[str, Found]
) -> dict[int, tuple[Part, Part]]:
    """Whose time new bookings take that lie ahead, by line: the mentor's and the mentee's."""
    parts: dict[int, tuple[Part, Part]] = {}
    for line in lines:
        if line.number not in new or line.values["status"] is not Status.ACCEPTED:
            continue
        booking, listing = new[line.number], found["listing"][line.values["listing"]]
        starts, ends = booking["start_time"], booking["end_time"]
        before, after = (timedelta(minutes=booking[name]) for name in ("buffer_before_minutes", "buffer_minutes"))
        ids = booking["id"], listing.mentor_user_id, booking["mentor_profile_id"]
        mentor = Part(*ids, starts - before, ends + after, may_overlap=False)
        overlap = work.policy.mentee_overlap
        mentee = Part(booking["id"], booking["mentee_user_id"], None, starts, ends, may_overlap=overlap)
        parts[line.number] = (mentor, mentee)
    return parts


def _not_free(work: Work, parts: Mapping[int, tuple[Part, Part]]) -> dict[int, DomainError]:
    """Refusals of bookings whose people are busy then: by what is there, or by an earlier line."""
    asked = [
        {
            "number": number,
            "user_id": str(part.user_id),
            "holder_id": str(mentee.user_id),
            "begins": part.begins.isoformat(),
            "ends": part.ends.isoformat(),
            "may_overlap": part.may_overlap,
            "is_mentor": part is mentor,
        }
        for number, (mentor, mentee) in parts.items()
        for part in (mentor, mentee)
    ]
    rows = work.db.execute(_TAKEN, {"parts": asked}).all() if asked else []
    refused: dict[int, DomainError] = {row.number: _taken(row.is_mentor) for row in rows}
    for number, of_line in parts.items():
        if number in refused:
            continue
        for part in of_line:
            if not all(part.is_beside(other) for other in work.taken[part.user_id]):
                refused[number] = _taken(part.mentor_profile_id is not None)
                break
        else:
            for part in of_line:
                work.taken[part.user_id].append(part)
    return refused


def _taken(is_mentor: bool) -> Conflict:
    if not is_mentor:
        return mentee_taken()
    return Conflict("The mentor is already booked at this time; choose another time.", code="slot_taken")


def _write_bookings(
    work: Work, new: Sequence[Mapping[str, Any]], parts: Sequence[Part], outcomes: Sequence[Outcome]
) -> None:
    db, created = work.db, dict[UUID, CreatedSession]()
    if new:
        db.execute(insert(bookings), list(new))
        joined = [{"booking_id": each["id"], "user_id": each["mentee_user_id"]} for each in new]
        db.execute(insert(booking_participants), joined)
        created = create_all(db, [each["id"] for each in new])
    if parts:
        db.execute(_BLOCK, [{"id": uuid7(), **vars(part)} for part in parts])
    _end_sessions(work, outcomes)
    ahead = [each.session_id for each in outcomes if each.status is Status.ACCEPTED]
    sessions = Session.query().where(Session.table.c.id.in_([each.session_id for each in outcomes]))
    shown = {row.id: Session.of(row) for row in db.execute(sessions)}
    about: dict[str, Any] = {"actor": work.actor, "now": work.now}
    events: list[Event] = [
        SessionImported.about(shown[each.session_id], import_id=work.import_id, **about) for each in outcomes
    ]
    accepted = {each.session_id: each.booking_id for each in outcomes if each.status is Status.ACCEPTED}
    for session_id in ahead:
        session = created[accepted[session_id]]
        made = SessionCreated.about(session, actor=SYSTEM, now=work.now)
        events += [made] if work.notify else []
        events += reminders_to_set(made, session.reminder_minutes, policy=work.policy, now=work.now)
    if work.notify and ahead:
        query = Booking.query().where(bookings.c.id.in_(list(accepted.values())))
        events += [BookingAccepted.about(booking, **about) for booking in map(Booking.of, db.execute(query))]
    for each in outcomes:
        ended = shown[each.session_id]
        if each.status is not Status.ACCEPTED and ended.end_time > work.now:
            # Live updates take an import for a time that is busy.
            events.append(SessionTimeFreed.about(ended, **about))
            is_news = each.status is Status.CANCELLED and not each.is_new
            events += [_cancelled(ended, each, **about)] if work.notify and is_news else []
    if events:
        record(db, *events)


def _cancelled(session: Session, outcome: Outcome, **about: Any) -> Event:
    """The news of a session that is cancelled before its end: nobody owes anything for it."""
    return SessionCancelled.about(
        session,
        **about,
        cancelled_by=CancelledBy.OPERATOR,
        cancellation_type=CancellationType.OTHER,
        late=False,
        fee_amount=0,
        refund_amount=outcome.price_amount,
        currency=outcome.price_currency,
        credit_returned=None,
        credit_valid_to=None,
        started=False,
    )


def _end_sessions(work: Work, outcomes: Sequence[Outcome]) -> None:
    """Take sessions to their ends, step by step as the rules of their table want it."""
    db = work.db
    completed = [each.session_id for each in outcomes if each.status is Status.COMPLETED]
    if completed:
        db.execute(_START, {"ids": completed})
        db.execute(_COMPLETE, {"ids": completed, "now": work.now})
        record_metrics(db, completed)
    cancelled = [each for each in outcomes if each.status in (Status.CANCELLED, Status.NO_SHOW)]
    if cancelled:
        ended = [{"id": str(each.session_id), "cancellation": _cancellation(each)} for each in cancelled]
        db.execute(_CANCEL, {"ended": ended, "now": work.now})
    released = [each.booking_id for each in outcomes if not each.is_new]
    if released:
        db.execute(_RELEASE, {"ids": released})


def _cancellation(outcome: Outcome) -> dict[str, Any]:
    """The columns of an ended session: a mentee who did not come has paid the price, else all went back."""
    missed = outcome.status is Status.NO_SHOW
    price = outcome.price_amount
    quote = Quote(
        cancelled_by=CancelledBy.MENTEE if missed else CancelledBy.OPERATOR,
        allowed=True,
        late=missed,
        paid_amount=price,
        fee_amount=price if missed else 0,
        refund_amount=0 if missed else price,
        currency=outcome.price_currency,
        window_hours=None,
        late_fee_percent=100 if missed else 0,
        no_show_fee_percent=100 if missed else 0,
        free_until=None,
        credit_returned=None,
        credit_valid_to=None,
    )
    kind = OutcomeType.NO_SHOW if missed else CancellationType.OTHER
    return as_stored(quote, reason=None, kind=kind, refund_requested=not missed)


def carry_bundles(work: Work, lines: Sequence[Line]) -> Results:
    """Make bundles with the sessions that are left in them."""
    found = work.references(lines)
    if not work.dry_run:
        lock_users(work.db, [each.id for each in found["user"].values()])
        found = work.references(lines)
    there = _bundles_by_name(work, lines)
    pairs = {
        "mentee_ids": [each.id for each in found["user"].values()],
        "product_ids": [each.id for each in found["product"].values()],
    }
    taken = {(row.mentee_user_id, row.product_id) for row in work.db.execute(_OPEN_BUNDLES, pairs)}
    results: Results = {}
    new: list[dict[str, Any]] = []
    for line in lines:
        try:
            product = named(found, "product", line.values["product"])
            mentee = named(found, "user", line.values["mentee"])
            own = (mentee.id, product.id)
            if line.external_id in there:
                if there[line.external_id] != own:
                    raise Conflict(code="external_id_taken")
                results[line.number] = UNCHANGED
                continue
            bundle = _bundle(work, line, product, mentee)
            is_open, first = bundle["closed_at"] is None, work.unique.get(("bundle", own))
            if is_open and (own in taken or first is not None):
                raise Conflict(code="already_purchased")
            if is_open:
                work.unique["bundle", own] = line.external_id
            new.append(bundle)
            results[line.number] = CREATED
        except DomainError as refusal:
            results[line.number] = refusal
    if new and not work.dry_run:
        _write_bundles(work, new)
    return results


def _bundles_by_name(work: Work, lines: Sequence[Line]) -> dict[str | None, tuple[UUID, UUID]]:
    bundle = bundle_purchases.c
    query = select(bundle.external_id, bundle.mentee_user_id, bundle.product_id)
    rows = work.db.execute(query.where(bundle.external_id.in_([line.external_id for line in lines])))
    return {row.external_id: (row.mentee_user_id, row.product_id) for row in rows}


def _bundle(work: Work, line: Line, product: Any, mentee: Any) -> dict[str, Any]:
    if product.kind != ProductKind.BUNDLE:
        raise Invalid("product: Is no bundle.")
    remaining, valid_to = line.values["remainingSessions"], line.values.get("validTo")
    if valid_to is not None and valid_to <= work.now:
        raise Invalid("validTo: Must lie ahead.")
    return {
        "id": uuid7(),
        "mentee_user_id": mentee.id,
        "course_id": product.course_id,
        "product_id": product.id,
        "total_sessions": max(product.session_count, remaining),
        "remaining_sessions": remaining,
        "duration_minutes": product.duration_minutes,
        "price_amount": product.price_amount,
        "price_currency": product.price_currency,
        "valid_from": work.now,
        "valid_to": valid_to,
        "closed_at": None if remaining else work.now,
        "external_id": line.external_id,
        "metadata": line.values.get("metadata"),
    }


def _write_bundles(work: Work, new: Sequence[dict[str, Any]]) -> None:
    """The bundles, each with its purchase and what was used of it before."""
    work.db.execute(insert(bundle_purchases), list(new))
    entries = []
    for bundle in new:
        total, left = bundle["total_sessions"], bundle["remaining_sessions"]
        entry = {"bundle_purchase_id": bundle["id"], "actor": work.actor.name, "created_at": work.now}
        bought = {"kind": BundleEntryKind.PURCHASE, "credits": total, "balance": total, "reason": None}
        entries.append({"id": uuid7(), **entry, **bought})
        if left < total:
            used = {"kind": BundleEntryKind.ADJUST, "credits": left - total, "balance": left}
            entries.append({"id": uuid7(), **entry, **used, "reason": "Used before the import."})
    work.db.execute(insert(bundle_entries), entries)
    query = Bundle.query().where(bundle_purchases.c.id.in_([bundle["id"] for bundle in new]))
    made = [Bundle.of(row) for row in work.db.execute(query)]
    about: dict[str, Any] = {"actor": work.actor, "now": work.now}
    events: list[Event] = [
        event for bundle in made if bundle.remaining_sessions for event in validity_events(bundle, **about)
    ]
    if work.notify:
        events += [BundlePurchased.about(each, **about, status=each.status_at(work.now)) for each in made]
    if events:
        record(work.db, *events)


def carry_reviews(work: Work, lines: Sequence[Line]) -> Results:
    """Write reviews of completed sessions, each with its used permit, and count them for their mentors."""
    found = work.references(lines)
    if not work.dry_run:
        lock_mentors(work.db, [each.mentor_profile_id for each in found["booking"].values()])
        lock_users(work.db, [each.mentee_user_id for each in found["booking"].values() if each.mentee_user_id])
        found = work.references(lines)
    sessions = {"session_ids": [each.session_id for each in found["booking"].values() if each.session_id]}
    rated = {row.session_id: row.rating for row in work.db.execute(_REVIEWS, sessions)}
    withdrawn = {row.session_id for row in work.db.execute(_PERMITS, sessions) if row.withdrawn_at is not None}
    results: Results = {}
    new: list[tuple[Line, Any]] = []
    for line in lines:
        try:
            booking = named(found, "booking", line.values["booking"])
            session_id, rating = booking.session_id, line.values["rating"]
            _require_reviewable(work, line, booking, withdrawn)
            written = rated.setdefault(session_id, work.unique.get(("review", session_id)))
            if written is not None:
                if written != rating:
                    raise Conflict(code="already_reviewed")
                results[line.number] = UNCHANGED
                continue
            rated[session_id] = rating
            work.unique[("review", session_id)] = rating
            new.append((line, booking))
            results[line.number] = CREATED
        except DomainError as refusal:
            results[line.number] = refusal
    if new and not work.dry_run:
        _write_reviews(work, new)
    return results


def _require_reviewable(work: Work, line: Line, booking: Any, withdrawn: set[UUID]) -> None:
    if booking.mentee_erased_at is not None or booking.mentee_user_id is None:
        raise NotFound("The user has deleted their account.")
    if booking.session_status != SessionStatus.COMPLETED or booking.session_id in withdrawn:
        raise Conflict("This booking's session was not completed with its mentee.", code="review_not_open")
    if line.values["createdAt"] > work.now:
        raise Invalid("createdAt: Lies ahead.")


def _write_reviews(work: Work, new: Sequence[tuple[Line, Any]]) -> None:
    permits, written = [], []
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    for line, booking in new:
        parties = {
            "session_id": booking.session_id,
            "mentee_user_id": booking.mentee_user_id,
            "mentor_profile_id": booking.mentor_profile_id,
        }
        opened = booking.completed_at
        permits.append({"id": uuid7(), **parties, "unlocked_at": opened, "expires_at": opened + OPEN_FOR})
        said = {"rating": line.values["rating"], "comment": line.values.get("comment")}
        at = line.values["createdAt"]
        # Lists are in the order of ids.
        review_id = uuid7(nanoseconds=int(at.timestamp() * 1_000) * 1_000_000) if at.year >= 1970 else uuid7()
        written.append({"id": review_id, **parties, **said, "created_at": at})
        counts[booking.mentor_profile_id].update(rating=said["rating"], reviews=1)
    work.db.execute(upsert(review_permits).on_conflict_do_nothing(), permits)
    work.db.execute(insert(reviews), written)
    work.db.execute(_RATE, {"rated": [{"id": str(mentor), **count} for mentor, count in counts.items()]})
    if work.notify:
        about: dict[str, Any] = {"actor": work.actor, "now": work.now}
        query = Review.query().where(reviews.c.id.in_([each["id"] for each in written]))
        record(work.db, *(ReviewSubmitted.about(Review.of(row), **about) for row in work.db.execute(query)))
