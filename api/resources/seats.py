"""Seats of group sessions: join and leave, and the waiting list of a full one."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify, request

from api.http.etags import WithHeaders, require_match
from api.resources.groups import GROUP, group_sessions, shown
from api.routes.blueprints import refuses
from api.routes.context import ANYONE, PERSON, RequestContext
from api.routes.loaders import changes
from api.schemas import groups as group_shapes
from api.schemas import seats as shapes
from api.schemas.base import EmptyBody
from api.schemas.sessions import quoted
from api.state import app_state
from workflows.accounts.actions import mentee_for
from workflows.groups.place import lock_place, read_group
from workflows.groups.records import Group, SeenGroup
from workflows.groups.seats import join, leave
from workflows.groups.waitlist import is_waiting, join_waitlist, leave_waitlist
from workflows.terms.withdrawals import use_withdrawal

# The application takes the area from here, with these routes in it.
__all__ = ["group_sessions"]

# Refusals of joining and of waiting for a seat that do not depend on the payment.
_CLOSED = ("not_a_group", "invalid_transition", "not_bookable", "already_joined")
_PAYING = ("not_found", "slot_taken", "bundle_unusable", "price_changed", "terms_changed")


@group_sessions.route("/group-sessions/<id:booking_id>/join", methods=["POST"])
@refuses("forbidden", *_CLOSED, "group_full", *_PAYING)
@changes(ANYONE, GROUP, action="seat.joined", limit="booking")
@group_sessions.arguments(
    shapes.Joining, required=False, example={"bundlePurchaseId": "01985f3c-1d2e-7f40-8a51-6b7c8d9e0f13"}
)
@group_sessions.response(200, group_shapes.GroupSession)
def join_group_session(context: RequestContext[Group], body: dict[str, Any]) -> Any:
    """Take a seat in a group session, for the group's price or with a bundle of its course.

    With `payment: before`, the seat is kept until its `payment` arrives: `joined` is false until then.
    The caller's time is blocked. Those for whom a seat of the waiting list is kept take that one. Operators name the
    person.
    """
    return _take(context, body, mentee_for(context.actor, body["student_id"]))


@group_sessions.route("/group-sessions/<id:booking_id>/leave", methods=["POST"])
@refuses("forbidden", "not_a_group", "invalid_transition", "not_cancellable")
@changes(ANYONE, GROUP, action="seat.left")
@group_sessions.arguments(shapes.Leaving, required=False, example={"reason": "I have fallen ill."})
@group_sessions.response(200, shapes.LeftGroupSession)
def leave_group_session(context: RequestContext[Group], body: dict[str, Any]) -> WithHeaders[shapes.LeftGroup]:
    """Leave a group session before it begins, by its cancellation policy, or a seat that awaits its payment.

    In time, the price is refunded or the session of the bundle comes back. Later, the fee of the policy is kept, which
    for a seat that was paid with a bundle is its session. A seat that an operator takes away costs no fee. The freed
    seat is kept for the first on the waiting list.
    """
    mentee_user_id = mentee_for(context.actor, body["student_id"])
    _require_present_version(context, mentee_user_id)
    use_withdrawal(context.db, context.actor, context.subject, limit=app_state().settings.max_withdrawals_per_day)
    left, cost = leave(
        context.db,
        actor=context.actor,
        group=context.subject,
        mentee_user_id=mentee_user_id,
        reason=body["reason"],
        now=context.now,
        policy=app_state().policy,
    )
    seen, headers = shown(context, left)
    return shapes.LeftGroup(**vars(seen), cancellation=quoted(cost)), headers


@group_sessions.route("/group-sessions/<id:booking_id>/waitlist", methods=["POST"])
@refuses(*_CLOSED, "seats_free", "slot_taken")
@changes(PERSON, GROUP, action="waitlist.joined")
@group_sessions.arguments(EmptyBody, required=False, example={})
@group_sessions.response(201, shapes.WaitlistEntry, description="At the end of the line.")
@group_sessions.alt_response(200, schema=shapes.WaitlistEntry, description="The caller is on the waiting list already.")
def join_group_session_waitlist(context: RequestContext[Group], _body: dict[str, Any]) -> tuple[Response, int]:
    """Wait for a seat in a full group session.

    A seat that becomes free is offered to the first in line, and kept for them until `offer.expiresAt`; then it is
    offered to the next. Who is busy at that time is refused as for a seat, and passed over if they become busy later.
    Repeated requests return the caller's entry as it is.
    """
    entry, is_new = join_waitlist(
        context.db, actor=context.actor, group=context.subject, now=context.now, policy=app_state().policy
    )
    return jsonify(shapes.shown_entry(entry)), 201 if is_new else 200


@group_sessions.route("/group-sessions/<id:booking_id>/waitlist", methods=["DELETE"])
@refuses("not_a_group")
@changes(PERSON, GROUP, action="waitlist.left")
@group_sessions.response(204)
def leave_group_session_waitlist(context: RequestContext[Group]) -> None:
    """Leave the waiting list; a seat that was kept for the caller is offered to the next. Idempotent."""
    assert context.actor.user_id is not None
    if is_waiting(context.db, context.subject, context.actor.user_id):
        use_withdrawal(context.db, context.actor, context.subject, limit=app_state().settings.max_withdrawals_per_day)
    leave_waitlist(context.db, actor=context.actor, group=context.subject, now=context.now, policy=app_state().policy)


@group_sessions.route("/group-sessions/<id:booking_id>/waitlist/accept-offer", methods=["POST"])
@refuses(*_CLOSED, "no_offer", *_PAYING)
@changes(PERSON, GROUP, action="waitlist.offer_accepted")
@group_sessions.arguments(
    shapes.TakenOffer, required=False, example={"bundlePurchaseId": "01985f3c-1d2e-7f40-8a51-6b7c8d9e0f13"}
)
@group_sessions.response(200, group_shapes.GroupSession)
def accept_group_session_offer(context: RequestContext[Group], body: dict[str, Any]) -> Any:
    """Take the seat that is kept for the caller, for the group's price or with a bundle of its course."""
    assert context.actor.user_id is not None
    return _take(context, body, context.actor.user_id, offered_only=True)


def _take(
    context: RequestContext[Group], body: dict[str, Any], mentee_user_id: UUID, *, offered_only: bool = False
) -> WithHeaders[SeenGroup]:
    _require_present_version(context, mentee_user_id)
    joined = join(
        context.db,
        actor=context.actor,
        group=context.subject,
        mentee_user_id=mentee_user_id,
        bundle_purchase_id=body["bundle_purchase_id"],
        answers=body["answers"],
        expected=body["expected"],
        now=context.now,
        policy=app_state().policy,
        offered_only=offered_only,
        pay_within=app_state().pay_within,
    )
    return shown(context, joined)


def _require_present_version(context: RequestContext[Group], mentee_user_id: UUID) -> None:
    """Require that nothing has moved in the group since If-Match was compared; from here on nothing does."""
    if not context.any_version:
        lock_place(context.db, context.subject, mentee_user_id)
        require_match(request, read_group(context.db, context.subject.id))
