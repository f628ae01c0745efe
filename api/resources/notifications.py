"""In-app notifications, notification preferences and Web Push subscriptions of the caller."""

from typing import Any

from flask import request
from sqlalchemy import select

from api.audit.entries import expect_entry
from api.http.etags import WithHeaders, require_match, tag_of, tagged
from api.openapi.examples import MOMENT, example_of
from api.routes.blueprints import IF_MATCH, Area, accepts_headers, refuses, versioned
from api.routes.context import PERSON, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import notifications as shapes
from api.schemas.base import EmptyBody
from api.state import app_state
from config.vapid import Vapid, vapid
from models.people import users
from workflows.accounts.records import locale_of
from workflows.identity.access import require_recipient_user
from workflows.kernel.errors import Conflict
from workflows.kernel.language import Language, language_of
from workflows.notifications.preferences import (
    choices_of,
    lock_choices,
    preferences_of,
    replace_choices,
    switched_channels,
)
from workflows.notifications.push_subscriptions import BROWSERS, Browser, forget_browser, subscribe_browser
from workflows.notifications.records import (
    NOTIFICATIONS,
    Notification,
    count_unread,
    notification_query,
    read,
    read_all,
)
from workflows.notifications.switches import switched_off

notifications = Area(
    "Notifications", "In-app notifications, and the channels by which the caller wants each kind of notification."
)

NOTIFICATION = Subject(
    name="notification", query=notification_query, record=Notification, access=require_recipient_user
)


@notifications.route("/notifications")
@notifications.response(200, shapes.Notifications)
@list_route(PERSON, NOTIFICATIONS, shapes.NotificationFilters)
def list_notifications(context: RequestContext[None], *, unread: bool | None = None) -> dict[str, Any]:
    """List the caller's notifications, newest first."""
    return {"user_id": context.actor.user_id, "unread": unread}


@notifications.route("/notifications/unread-count")
@reads(PERSON)
@notifications.response(200, shapes.UnreadCount)
def get_unread_notification_count(context: RequestContext[None]) -> dict[str, int]:
    """Get the number of the caller's unread notifications."""
    return {"unread": count_unread(context.db, actor=context.actor)}


@notifications.route("/notifications/<id:notification_id>/read", methods=["POST"])
@changes(PERSON, NOTIFICATION, action="notification.read")
@notifications.arguments(EmptyBody, required=False, example={})
@notifications.response(200, shapes.Notification, example=example_of(shapes.Notification, readAt=MOMENT))
def mark_notification_read(context: RequestContext[Notification], _body: dict[str, Any]) -> WithHeaders[Notification]:
    """Mark a notification as read."""
    return tagged(read(context.db, notification=context.subject, now=context.now))


@notifications.route("/notifications/read-all", methods=["POST"])
@changes(PERSON, action="notifications.read", about="user")
@notifications.arguments(EmptyBody, required=False, example={})
@notifications.response(200, shapes.ReadCount)
def mark_all_notifications_read(context: RequestContext[None], _body: dict[str, Any]) -> dict[str, int]:
    """Mark all of the caller's notifications as read."""
    return {"read": read_all(context.db, actor=context.actor, now=context.now)}


@notifications.route("/notification-preferences")
@versioned
@reads(PERSON)
@notifications.response(200, shapes.NotificationPreferences)
def get_notification_preferences(context: RequestContext[None]) -> WithHeaders[dict[str, Any]]:
    """Get the caller's channels for each kind of notification."""
    found = context.db.execute(
        select(choices_of().label("choices")).where(users.c.id == context.actor.user_id)
    ).scalar_one()
    preferences = preferences_of(found or {}, switched_off(context.db))
    return shapes.shown_preferences(preferences, _language(context)), {"ETag": tag_of(preferences)}


@notifications.route("/notification-preferences", methods=["PUT"])
@refuses("stale")
@accepts_headers(IF_MATCH)
@changes(PERSON, action="notification_preferences.changed", about="user")
@notifications.arguments(
    shapes.NotificationPreferencesUpdate,
    example={"items": [{"kind": "session_created", "channels": {"email": False, "push": True}}]},
)
@notifications.response(200, shapes.NotificationPreferences)
def update_notification_preferences(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[dict[str, Any]]:
    """Replace the caller's notification preferences. Omitted kinds and channels get their defaults."""
    assert context.actor.user_id is not None
    before = lock_choices(context.db, context.actor.user_id)
    off = switched_off(context.db)
    require_match(request, preferences_of(before, off))
    after = replace_choices(
        context.db, user_id=context.actor.user_id, before=before, wanted=shapes.channels_by_kind(body)
    )
    expect_entry(context.db, data=switched_channels(before, after))
    preferences = preferences_of(after, off)
    return shapes.shown_preferences(preferences, _language(context)), {"ETag": tag_of(preferences)}


def _language(context: RequestContext[None]) -> Language:
    assert context.actor.user_id is not None
    return language_of(locale_of(context.db, context.actor.user_id))


push = Area("Web Push", "Browsers that show the caller's notifications, even while the application is closed.")

SUBSCRIPTION = Subject(name="push subscription", record=Browser, access=require_recipient_user)


@push.route("/push-subscriptions/key")
@refuses("push_off")
@reads(PERSON)
@push.response(200, shapes.PushKey)
def get_push_key(_context: RequestContext[None]) -> dict[str, str]:
    """Get the public key with which browsers subscribe."""
    return {"public_key": _vapid().public_key}


@push.route("/push-subscriptions", methods=["POST"])
@refuses("push_off")
@changes(PERSON, action="push_subscription.created")
@push.arguments(shapes.NewPushSubscription)
@push.response(201, shapes.PushSubscription)
def create_push_subscription(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[Browser]:
    """Subscribe a browser to the caller's notifications.

    A browser belongs to the last user who subscribed it. A user has at most 20; another one replaces the oldest.
    """
    _vapid()
    browser = subscribe_browser(
        context.db,
        actor=context.actor,
        endpoint=body["endpoint"],
        p256dh=body["keys"]["p256dh"],
        auth=body["keys"]["auth"],
        seal=app_state().sealer.seal,
        allowed=app_state().settings.webhook_allowed_networks,
    )
    return tagged(browser)


@push.route("/push-subscriptions")
@push.response(200, shapes.PushSubscriptions)
@list_route(PERSON, BROWSERS, shapes.PushFilters)
def list_push_subscriptions(context: RequestContext[None]) -> dict[str, Any]:
    """List the caller's push subscriptions, newest first."""
    return {"user_id": context.actor.user_id}


@push.route("/push-subscriptions/<id:subscription_id>", methods=["DELETE"])
@changes(PERSON, SUBSCRIPTION, action="push_subscription.deleted")
@push.response(204)
def delete_push_subscription(context: RequestContext[Browser]) -> None:
    """Delete a push subscription; pending notifications to it are not sent."""
    forget_browser(context.db, context.subject.id)


def _vapid() -> Vapid:
    settings = app_state().settings
    known = vapid(settings.vapid_private_key, settings.vapid_subject)
    if known is None:
        raise Conflict(code="push_off")
    return known
