"""Bookings: a mentee requests, a mentor decides."""

from typing import Any

from api.http.etags import WithHeaders, WithStatus, tag_of, tagged
from api.openapi.document import BOOKINGS_DESCRIPTION
from api.openapi.examples import SESSION_ID, example_of
from api.routes.blueprints import PREFER, STEPS, Area, accepts_headers, refuses, versioned
from api.routes.context import ANYONE, MENTOR, OPERATOR, PERSON, RequestContext, Subject, require_role
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES
from api.routes.lists import list_route, order_for_staff
from api.routes.loaders import changes, reads
from api.schemas import bookings as shapes
from api.schemas.base import EmptyBody, ListOrder
from api.schemas.seats import shown_cancellation
from api.schemas.sessions import BookedSession, MadeBooking, MadeIndividualBooking
from api.state import app_state
from models.bookings import BookingKind
from models.sessions import CancelledBy
from workflows.bookings.actions import accept, cancel, decline
from workflows.bookings.individual import IndividualRequest, book_individual
from workflows.bookings.records import ALL_BOOKINGS, BOOKINGS, NEXT_BOOKINGS, Booking, ListedBooking, booking_query
from workflows.bookings.request import request
from workflows.bookings.series import SeriesParties, series_parties_query, withdraw_drafts
from workflows.groups.records import Group
from workflows.groups.seats import leave
from workflows.identity.access import require_access, require_booking_canceller, require_mentor
from workflows.kernel.paging import PagedList
from workflows.sessions.cancel import cancel as cancel_session
from workflows.sessions.cancel import require_own_type, role_of
from workflows.sessions.records import accepted_session
from workflows.sessions.series import CancelledSeries, KeptBooking
from workflows.sessions.series import cancel_series as end_series
from workflows.terms.withdrawals import use_withdrawal

bookings = Area("Bookings", BOOKINGS_DESCRIPTION)
# 202 once it is accepted: its session follows.
Made = WithHeaders[Booking] | WithStatus[Booking]

BOOKING = Subject(name="booking", query=booking_query, record=Booking, access=require_access)
FOR_ITS_MENTOR = Subject(name="booking", query=booking_query, record=Booking, access=require_mentor)
TO_CANCEL = Subject(name="booking", query=booking_query, record=Booking, access=require_booking_canceller)
SERIES = Subject(name="series", query=series_parties_query, record=SeriesParties, access=require_access)


@bookings.route("/bookings", methods=["POST"])
@refuses(
    *("not_found", "beyond_horizon", "too_soon", "outside_hours", "booking_limit", "slot_taken", "not_bookable"),
    *("external_id_taken", "price_changed", "terms_changed"),
)
@changes(PERSON, action="booking.requested", limit="booking", body_limit_bytes=LARGE_BODY_LIMIT_BYTES)
@accepts_headers(PREFER)
@bookings.arguments(
    shapes.NewBooking,
    example=example_of(shapes.NewBooking, title="From engineer to manager", metadata={"source": "website"}),
)
@bookings.response(
    202,
    shapes.Booking,
    description="Accepted immediately (instant listing); the session will be at `Location`.",
    example=example_of(shapes.Booking, status="accepted", sessionId=SESSION_ID),
)
@bookings.alt_response(
    201,
    schema=MadeBooking,
    description="A draft, for the mentor to decide; or it awaits its payment; or, with `Prefer: wait`, it is accepted"
    " and its session was created in time.",
)
def create_booking(context: RequestContext[None], body: dict[str, Any]) -> Made:
    """Request a booking.

    Creates a draft for the mentor to decide or, for an instant listing, an accepted booking; with `payment: before`,
    one that awaits its payment (201). With `Prefer: wait=N`,
    the response for an accepted booking is 201 `{booking, session}` if the session exists in time.
    """
    booking = request(context.db, actor=context.actor, now=context.now, policy=app_state().booking_policy, **body)
    return _made(booking)


@bookings.route("/bookings/individual", methods=["POST"])
@refuses(
    *("forbidden", "not_found", "mentor_does_not_teach", "no_listing", "no_mentor_free", "not_bookable"),
    *("beyond_horizon", "too_soon", "outside_hours", "booking_limit"),
    *("slot_taken", "bundle_unusable", "no_such_time", "external_id_taken", "price_changed", "terms_changed"),
)
@changes(ANYONE, action="booking.requested", limit="booking", body_limit_bytes=LARGE_BODY_LIMIT_BYTES)
@accepts_headers(PREFER)
@bookings.arguments(
    shapes.NewIndividualBooking,
    example=example_of(
        shapes.NewIndividualBooking, notes="Eigenvalues, please.", recurrence={"count": 3, "onConflict": "skip"}
    ),
)
@bookings.response(
    202,
    shapes.IndividualBooking,
    description="Accepted; the session will be at `Location`.",
    example=example_of(shapes.IndividualBooking, status="accepted", sessionId=SESSION_ID),
)
@bookings.alt_response(
    201,
    schema=MadeIndividualBooking,
    description="It awaits its payment; or, with `Prefer: wait`, it is accepted and its session was created in time.",
)
def create_individual_booking(context: RequestContext[None], body: IndividualRequest) -> Made:
    """Book an individual session of a course.

    The mentor is named, or chosen: of those who are free, the one with the fewest accepted minutes in that week. It is
    paid by a product's price or by a credit of a bundle; without either, by the course's only product that fits. With
    `recurrence`, it is repeated at the same wall-clock time with the same mentor, each session paid on its own.
    """
    booking, series = book_individual(
        context.db, actor=context.actor, wanted=body, now=context.now, policy=app_state().booking_policy
    )
    return _made(booking if series is None else shapes.BookingOfSeries(**vars(booking), series=series))


def _in_order(context: RequestContext[Any], filters: dict[str, Any]) -> PagedList[ListedBooking]:
    if context.actor.operator:
        return ALL_BOOKINGS[order_for_staff(filters)]
    return NEXT_BOOKINGS if filters.get("order") is ListOrder.ASC else BOOKINGS


@bookings.route("/bookings")
@bookings.response(200, shapes.Bookings)
@list_route(ANYONE, _in_order, shapes.BookingFilters)
def list_bookings(
    context: RequestContext[None],
    *,
    role: str | None = None,
    order: object = None,  # noqa: ARG001
    **filters: Any,
) -> dict[str, Any]:
    """List the caller's bookings as mentee, mentor or both, latest start first unless `order` is `asc`.

    With `menteeUserId`, the bookings of that mentee with the caller as mentor. Staff, who name no `role`, list
    everyone's, and with `updatedSince` the least recently changed first.
    """
    if role is not None:
        require_role(context.actor, PERSON)
    if context.actor.operator:
        return filters
    if not filters.keys().isdisjoint(("q", "mentor_profile_id")):
        require_role(context.actor, OPERATOR)
    with_mentee = filters.get("with_user_id") is not None
    if role == "mentor" or with_mentee:
        require_role(context.actor, MENTOR)
    return {
        "mentee_user_id": context.actor.user_id if role != "mentor" and not with_mentee else None,
        "mentor_profile_id": context.actor.mentor_profile_id if role != "mentee" or with_mentee else None,
        **filters,
    }


@bookings.route("/bookings/<id:booking_id>")
@versioned
@reads(ANYONE, BOOKING)
@bookings.response(200, shapes.Booking)
def get_booking(context: RequestContext[Booking]) -> WithHeaders[Booking] | WithHeaders[Group]:
    """Get a booking; a group's booking with its seats."""
    booking = context.subject
    if booking.kind is not BookingKind.GROUP:
        return tagged(booking)
    group = Group.of(context.db.execute(Group.by_id(booking.id)).one())
    # If-Match is about the booking's own version.
    return group, {"ETag": tag_of(booking)}


@bookings.route("/bookings/<id:booking_id>/accept", methods=STEPS)
@refuses("invalid_transition", "outside_hours", "slot_taken")
@changes(MENTOR, FOR_ITS_MENTOR, action="booking.accepted")
@accepts_headers(PREFER)
@bookings.arguments(EmptyBody, required=False, example={})
@bookings.response(
    202,
    shapes.Booking,
    description="Accepted; the session will be at `Location`.",
    example=example_of(shapes.Booking, status="accepted", sessionId=SESSION_ID),
)
@bookings.alt_response(
    201, schema=BookedSession, description="Accepted, and the session was created in time (`Prefer: wait`)."
)
@bookings.alt_response(
    200, schema=shapes.Booking, description="Accepted once it is paid (`payment: before`); its payment is awaited."
)
def accept_booking(context: RequestContext[Booking], _body: dict[str, Any]) -> Made:
    """Accept a booking request, as its mentor.

    The response has the session's id; the session itself is created by a durable task.
    """
    state = app_state()
    booking = accept(
        context.db,
        actor=context.actor,
        booking=context.subject,
        now=context.now,
        mentee_overlap=state.settings.mentee_overlap,
        pay_within=state.pay_within,
    )
    return _made(booking, waiting=200)


@bookings.route("/bookings/<id:booking_id>/decline", methods=STEPS)
@refuses("invalid_transition")
@changes(MENTOR, FOR_ITS_MENTOR, action="booking.declined")
@bookings.arguments(shapes.GivenReason, required=False, example={"reason": "I am travelling that week."})
@bookings.response(
    200,
    shapes.Booking,
    example=example_of(shapes.Booking, status="declined", declineReason="I am travelling that week."),
)
def decline_booking(context: RequestContext[Booking], body: dict[str, Any]) -> WithHeaders[Booking]:
    """Decline a booking request, as its mentor. The mentee is notified."""
    return tagged(decline(context.db, actor=context.actor, booking=context.subject, now=context.now, **body))


@bookings.route("/bookings/<id:booking_id>/cancel", methods=STEPS)
@refuses("invalid_transition", "session_pending", "not_cancellable")
@changes(ANYONE, TO_CANCEL, action="booking.cancelled")
@bookings.arguments(shapes.BookingCancellation, required=False, example={"reason": "I have found another time."})
@bookings.response(
    200,
    shapes.CancelledBooking,
    example=example_of(shapes.CancelledBooking, status="cancelled", cancelReason="I have found another time."),
)
def cancel_booking(
    context: RequestContext[Booking], body: dict[str, Any]
) -> WithHeaders[Booking] | WithHeaders[shapes.BookingOfCancelledSession]:
    """Cancel a booking, as its mentee; while it awaits its payment, its mentor and operators can, too.

    A draft is withdrawn. A booking that was paid by a product or a bundle is cancelled as its session, by its policy;
    it stays accepted. A participant of a group leaves it. Any other accepted booking is refused: cancel its session
    instead.
    """
    booking, reason = context.subject, body["reason"]
    if not booking.awaits_payment:
        require_own_type(CancelledBy.MENTEE, body.get("type"))
    use_withdrawal(context.db, context.actor, context.subject, limit=app_state().settings.max_withdrawals_per_day)
    if booking.kind is BookingKind.GROUP:
        return _left(context, reason)
    if booking.session_id is None or (booking.product_id is None and booking.bundle_purchase_id is None):
        return tagged(cancel(context.db, actor=context.actor, booking=booking, reason=reason, now=context.now))
    session = accepted_session(context.db, booking.session_id)
    cancelled = cancel_session(context.db, actor=context.actor, session=session, now=context.now, **body)
    shown = vars(booking) | {"session_status": cancelled.status}
    return tagged(shapes.BookingOfCancelledSession(**shown, cancellation=cancelled.cancellation))


@bookings.route("/series/<id:series_id>/cancel", methods=["POST"])
@changes(ANYONE, SERIES, action="series.cancelled")
@bookings.arguments(
    shapes.SeriesCancellation, example={"from": "2030-05-11T00:00:00Z", "reason": "I have moved to another course."}
)
@bookings.response(200, shapes.CancelledSeries)
def cancel_series(context: RequestContext[SeriesParties], body: dict[str, Any]) -> CancelledSeries:
    """Cancel a series from a time on: each of its bookings as its session, by its own policy; drafts are withdrawn.

    The response tells which still stand, with the code that their own cancellation is refused with. What was cancelled
    before is in neither list.
    """
    series, from_time = context.subject, body.pop("from_time") or context.now
    require_own_type(role_of(context.actor, series), body.get("type"))
    use_withdrawal(context.db, context.actor, context.subject, limit=app_state().settings.max_withdrawals_per_day)
    # First, since bookings are locked before sessions: one whose payment arrives meanwhile is then accepted, and kept.
    withdrawn, left = withdraw_drafts(
        context.db, actor=context.actor, series=series, from_time=from_time, reason=body["reason"], now=context.now
    )
    ended = end_series(
        context.db,
        actor=context.actor,
        series_id=series.id,
        mentor_profile_id=series.mentor_profile_id,
        from_time=from_time,
        now=context.now,
        **body,
    )
    kept = [KeptBooking(booking_id, "forbidden") for booking_id in left]
    return CancelledSeries([*ended.cancelled, *withdrawn], [*ended.kept, *kept])


def _left(context: RequestContext[Booking], reason: str | None) -> WithHeaders[shapes.BookingOfLeftGroup]:
    actor, booking = context.actor, context.subject
    assert actor.user_id is not None
    left, cost = leave(
        context.db,
        actor=actor,
        group=Group.of(context.db.execute(Group.by_id(booking.id)).one()),
        mentee_user_id=actor.user_id,
        reason=reason,
        now=context.now,
        policy=app_state().policy,
    )
    shown = shapes.BookingOfLeftGroup(**vars(left), cancellation=shown_cancellation(cost))
    return shown, {"ETag": tag_of(booking)}


def _made(booking: Booking, *, waiting: int = 201) -> Made:
    """The answer about a booking: 202 once it is accepted, else `waiting`, without a session."""
    if booking.session_id is None:
        record, headers = tagged(booking, Location=f"/bookings/{booking.id}")
        return record, waiting, headers
    record, headers = tagged(booking, Location=f"/sessions/{booking.session_id}")
    return record, 202, headers
