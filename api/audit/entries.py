"""The audit entry of each request: of every change in its own transaction, of a refused access (403) in another."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace
from functools import cache, lru_cache
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from flask import Flask, Response, current_app, g, request
from sqlalchemy import Connection

from api.authentication.authenticator import identifier
from api.routes.blueprints import documentation_of
from api.routes.context import this_moment
from api.state import app_state
from workflows.audit.log import write_entries
from workflows.events.audit_entry import FORBIDDEN, NewEntry, Origin
from workflows.events.record import recorded

ADDRESS_HASH_BYTES = 16
_ADDRESS_PURPOSE = b"tutelage audit address "
_REQUEST_ID_PURPOSE = b"tutelage audit request id "
# UUIDs, and numbers of base 16 that are too long for one of a telephone: an entry outlives whom an id could tell of.
_IMPERSONAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64}", re.ASCII | re.IGNORECASE)


class Audited(NamedTuple):
    """What the audit calls a change, and the kind of what it is done to."""

    action: str
    subject_type: str


# Of routes that take something by POST and change nothing that is stored.
UNAUDITED = frozenset({"take_telemetry", "issue_demo_token"})
# Each route that changes something, by the name of its view.
AUDITED = {
    "accept_booking": Audited("booking.accepted", "booking"),
    "accept_group_session_offer": Audited("waitlist.offer_accepted", "booking"),
    "act_by_link": Audited("link.used", "booking"),
    "adjust_bundle": Audited("bundle.adjusted", "bundle_purchase"),
    "cancel_booking": Audited("booking.cancelled", "booking"),
    "cancel_series": Audited("series.cancelled", "series"),
    "cancel_session": Audited("session.cancelled", "session"),
    "cancel_unfinished_delivery": Audited("delivery.cancelled", "delivery"),
    "complete_session": Audited("session.completed", "session"),
    "create_booking": Audited("booking.requested", "booking"),
    "create_calendar_feed": Audited("calendar_feed.created", "calendar_feed"),
    "create_calendar_secret": Audited("calendar_secret.created", "user"),
    "create_course": Audited("course.created", "course"),
    "create_group_session_template": Audited("group_session_template.created", "group_session_template"),
    "create_hold": Audited("hold.created", "hold"),
    "create_individual_booking": Audited("booking.requested", "booking"),
    "create_listing": Audited("listing.created", "listing"),
    "create_mentor_profile": Audited("mentor_profile.created", "mentor_profile"),
    "create_product": Audited("product.created", "product"),
    "create_push_subscription": Audited("push_subscription.created", "push_subscription"),
    "create_review": Audited("review.submitted", "review"),
    "create_review_answer": Audited("review.answered", "review"),
    "create_session_booking": Audited("booking.requested", "booking"),
    "create_time_off": Audited("time_off.created", "time_off"),
    "create_user": Audited("user.created", "user"),
    "create_webhook_endpoint": Audited("webhook_endpoint.created", "webhook_endpoint"),
    "decline_booking": Audited("booking.declined", "booking"),
    "delete_calendar_feed": Audited("calendar_feed.deleted", "calendar_feed"),
    "delete_date": Audited("date_hours.deleted", "mentor_profile"),
    "delete_group_session_template": Audited("group_session_template.deleted", "group_session_template"),
    "delete_hold": Audited("hold.deleted", "hold"),
    "delete_me": Audited("user.deleted", "user"),
    "delete_push_subscription": Audited("push_subscription.deleted", "push_subscription"),
    "delete_time_off": Audited("time_off.deleted", "time_off"),
    "delete_webhook_endpoint": Audited("webhook_endpoint.deleted", "webhook_endpoint"),
    "join_group_session": Audited("seat.joined", "booking"),
    "join_group_session_waitlist": Audited("waitlist.joined", "booking"),
    "leave_group_session": Audited("seat.left", "booking"),
    "leave_group_session_waitlist": Audited("waitlist.left", "booking"),
    "mark_all_notifications_read": Audited("notifications.read", "user"),
    "mark_notification_read": Audited("notification.read", "notification"),
    "moderate_review": Audited("review.moderated", "review"),
    "ping_webhook_endpoint": Audited("webhook_endpoint.pinged", "webhook_endpoint"),
    "purchase_bundle": Audited("bundle.purchased", "bundle_purchase"),
    "record_session_attendance": Audited("session.attendance_recorded", "session"),
    "recover_webhook_endpoint": Audited("webhook_endpoint.recovered", "webhook_endpoint"),
    "report_session_no_show": Audited("session.no_show_reported", "session"),
    "resend_webhook_delivery": Audited("delivery.resent", "delivery"),
    "retry_dead_deliveries": Audited("deliveries.retried", "retry"),
    "retry_dead_delivery": Audited("delivery.retried", "delivery"),
    "rotate_webhook_secret": Audited("webhook_endpoint.secret_rotated", "webhook_endpoint"),
    "revoke_links": Audited("links.revoked", "user"),
    "schedule_group_sessions": Audited("group_sessions.scheduled", "group_session_template"),
    "send_webhook_example": Audited("webhook_endpoint.example_sent", "webhook_endpoint"),
    "start_session": Audited("session.started", "session"),
    "unsubscribe": Audited("notification_preferences.changed", "user"),
    "update_booking_rules": Audited("booking_rules.changed", "mentor_profile"),
    "update_course": Audited("course.changed", "course"),
    "update_date": Audited("date_hours.changed", "mentor_profile"),
    "update_group_session": Audited("group_session.changed", "booking"),
    "update_group_session_template": Audited("group_session_template.changed", "group_session_template"),
    "update_listing": Audited("listing.changed", "listing"),
    "update_me": Audited("user.changed", "user"),
    "update_mentor_profile": Audited("mentor_profile.changed", "mentor_profile"),
    "update_notification_preferences": Audited("notification_preferences.changed", "user"),
    "update_product": Audited("product.changed", "product"),
    "update_webhook_endpoint": Audited("webhook_endpoint.changed", "webhook_endpoint"),
    "update_weekly_hours": Audited("hours.changed", "mentor_profile"),
    "void_session": Audited("session.voided", "session"),
    "waive_session_fee": Audited("session.fee_waived", "session"),
}
# Of a refused look.
READ = "read"
# What the audit calls the subjects of paths; other names are theirs.
_SUBJECT_TYPES = {
    "bundle": "bundle_purchase",
    "date of a mentor": "mentor_profile",
    "group session": "booking",
    "mentor": "mentor_profile",
    "outside calendar": "calendar_feed",
    "template": "group_session_template",
    "webhook delivery": "delivery",
}


class _Route(NamedTuple):
    action: str
    # The kind of what is changed, and that of what the path names, where it names anything.
    subject_type: str | None
    in_path: str | None


def expect_entry(db: Connection, *, action: str | None = None, subject: tuple[str, UUID] | None = None) -> None:
    """Have the request's entry written with its first event about such a subject, which costs no statement more.

    An operator's is written at the end of the request, when the reason that it gives has been checked.

    Args:
        action: in place of the route's.
        subject: in place of what the path names.
    """
    entry = _entry()
    if action is not None:
        entry = replace(entry, action=action)
    if subject is not None:
        entry = replace(entry, subject_type=subject[0], subject_id=subject[1])
    g.audit = entry
    kept = recorded(db)
    kept.origin = entry.origin
    kept.expected = None if _is_operator() else entry


def complete_entry(response: Response) -> None:
    """Write the request's entry where it has changed something and none is written yet; called before the commit."""
    kept = g._get_current_object()
    if "db" not in kept or "Idempotent-Replayed" in response.headers or recorded(kept.db).audited:
        return
    entry: NewEntry = kept.get("audit") or _entry()
    if entry.subject_id is None:
        entry = _about_response(entry, response)
    if _is_operator():
        entry = replace(entry, reason=_reason())
    write_entries(kept.db, [entry])


def register(app: Flask) -> None:
    """Have the refused accesses of this application written."""
    app.after_request(_note_refusal)


def _note_refusal(response: Response) -> Response:
    """Have a refused access written, in a transaction of its own; equal ones within a minute are one entry."""
    if response.status_code != HTTPStatus.FORBIDDEN:
        return response
    entry = replace(_entry(), result=FORBIDDEN)
    if entry.subject_id is None:
        subject_type, subject_id = _named_by_path()
        entry = replace(entry, subject_type=subject_type or entry.subject_type, subject_id=subject_id)
    app_state().refused_accesses.note(entry)
    return response


def _entry() -> NewEntry:
    """What is known of the request before its body is read."""
    kept = g._get_current_object()
    rule = request.url_rule
    route = _route_of(request.endpoint or "")
    subject_type, subject_id = route.subject_type, None
    if subject_type is None or route.in_path == subject_type:
        subject_type, subject_id = _named_by_path()
    elif subject_type == "user" and not _is_operator() and "actor" in kept:
        subject_id = kept.actor.user_id
    return NewEntry(
        origin=Origin(
            method=request.method,
            route=rule.rule if rule else None,
            address_hash=_hash_of(app_state().settings.signing_keys[0], request.remote_addr),
            request_id=_impersonal(kept.get("request_id")),
        ),
        occurred_at=this_moment(),
        actor=kept.get("actor_name", "anonymous"),
        action=route.action,
        subject_type=subject_type,
        subject_id=subject_id,
    )


@cache
def _route_of(endpoint: str) -> _Route:
    view = current_app.view_functions.get(endpoint)
    loader = (documentation_of(view).get("loader") if view else None) or {}
    subject = loader.get("subject")
    in_path = _SUBJECT_TYPES.get(subject.name, subject.name.replace(" ", "_")) if subject else None
    known = AUDITED.get(endpoint.rpartition(".")[2])
    return _Route(known.action, known.subject_type, in_path) if known else _Route(READ, None, in_path)


def _named_by_path() -> tuple[str | None, UUID | None]:
    in_path = _route_of(request.endpoint or "").in_path
    ids = [each for each in (request.view_args or {}).values() if isinstance(each, UUID)]
    return (in_path, ids[-1]) if in_path and ids else (None, None)


def _about_response(entry: NewEntry, response: Response) -> NewEntry:
    """The entry about what the response shows; or else about what the path names."""
    shown = response.get_json(silent=True) if response.is_json else None
    if isinstance(shown, dict):
        inner = shown.get("booking")
        found = identifier((inner if isinstance(inner, dict) else shown).get("id"))
        if found is not None:
            return replace(entry, subject_id=found)
    subject_type, subject_id = _named_by_path()
    return entry if subject_id is None else replace(entry, subject_type=subject_type, subject_id=subject_id)


def _is_operator() -> bool:
    actor = g.get("actor")
    return actor is not None and actor.operator


def _reason() -> str | None:
    # As the route's schema has read it: a route that takes no reason has none, whatever was sent.
    reason: str | None = g.get("reason")
    return reason


@lru_cache(maxsize=4096)
def _impersonal(request_id: str | None) -> str | None:
    """The id as it is where it cannot tell of a person, else a keyed hash of it."""
    if request_id is None or _IMPERSONAL_ID.fullmatch(request_id):
        return request_id
    key = app_state().settings.signing_keys[0].encode()
    return hmac.digest(key, _REQUEST_ID_PURPOSE + request_id.encode(), "sha256").hex()[:32]


def _hash_of(key: str, address: str | None) -> bytes | None:
    # A socket in the file system has no address.
    if address is None:
        return None
    return hmac.digest(key.encode(), _ADDRESS_PURPOSE + address.encode(), "sha256")[:ADDRESS_HASH_BYTES]
