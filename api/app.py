"""The Flask application factory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, Response, redirect, request
from flask.json.provider import DefaultJSONProvider
from sqlalchemy import Engine
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from api import errors
from api.audit import entries as audit
from api.audit.refused_accesses import RefusedAccesses
from api.authentication.acting import show_acting
from api.authentication.authenticator import Authenticator
from api.database import in_transaction
from api.http import bodies, requests
from api.http.client_addresses import client_address
from api.http.headers import AnswerHeaders
from api.http.waiting import with_session
from api.limits import hooks as rate_limit_hooks
from api.limits.rate_limits import RateLimits
from api.openapi.document import make_api
from api.pages import documentation
from api.readiness import Readiness, newest_revision
from api.resources import (
    action_links,
    analytics,
    api_keys,
    bookings,
    bundles,
    calendar,
    calendar_feeds,
    catalog,
    component,
    component_demo,
    imports,
    notifications,
    operated_deliveries,
    operations,
    payments,
    people,
    reviews,
    seats,
    sessions,
    streams,
    unsubscribing,
    webhooks,
)
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES
from api.state import EXTENSION, AppState, state_of
from config.sealing import Sealer, use_sealer
from config.settings import Settings
from config.settings import settings as settings_of_this_process
from infrastructure.celery_app import app as celery
from infrastructure.operator_policy import operator_policy
from infrastructure.transactions import Transactions, WakeupSink, metered
from infrastructure.wakeups import WakeupQueue
from models.engine import create
from workflows.events import subscriptions
from workflows.kernel.language import use_languages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AREAS = (
    people.users,
    api_keys.api_keys,
    people.mentors,
    catalog.courses,
    catalog.listings,
    bundles.bundles,
    payments.payments,
    calendar_feeds.availability,
    bookings.bookings,
    sessions.sessions,
    seats.group_sessions,
    streams.streams,
    reviews.reviews,
    calendar.calendar,
    notifications.notifications,
    notifications.push,
    unsubscribing.unsubscribing,
    action_links.action_links,
    webhooks.webhooks,
    webhooks.webhook_deliveries,
    analytics.analytics,
    imports.imports,
    operations.operations,
    operated_deliveries.operated_deliveries,
    operations.audit,
    component.component,
)


View = TypeVar("View", bound=Callable[..., object])


class Tutelage(Flask):
    """Flask application in which every request is one transaction, committed before the response."""

    def ensure_sync(self, func: View) -> View:
        """The view itself: none is a coroutine, and five decorators a route would check each time."""
        return func

    def dispatch_request(self) -> Response:
        """Run the view, commit, and only then wait for a session (`Prefer: wait`)."""
        return with_session(request, in_transaction(super().dispatch_request))

    def make_default_options_response(self) -> Response:
        response = super().make_default_options_response()
        if request.path in self.literal_paths:
            response.allow.clear()
            response.allow.update(self.literal_paths[request.path])
        return response

    @cached_property
    def literal_paths(self) -> dict[str, frozenset[str]]:
        """The paths without parameters and their methods, which are no ids of rules with parameters either."""
        methods: dict[str, frozenset[str]] = {}
        for rule in self.url_map.iter_rules():
            if not rule.arguments:
                methods[rule.rule] = methods.get(rule.rule, frozenset()) | (rule.methods or set())
        return methods

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve every route at the root and, with SCRIPT_NAME set, under /api, to the client that proxies name."""
        routes, trusted = super().wsgi_app, state_of(self).settings.trusted_proxies
        if trusted:
            forwarded = environ.get("HTTP_X_FORWARDED_FOR")
            environ["REMOTE_ADDR"] = client_address(environ.get("REMOTE_ADDR", ""), forwarded, trusted)
        return DispatcherMiddleware(routes, {"/api": routes})(environ, start_response)


def create_app(
    settings: Settings | None = None, engine: Engine | None = None, wakeups: WakeupSink | None = None
) -> Flask:
    """Make an application.

    Args:
        settings: this process's when left out.
        engine: one of its own, on the settings' database, when left out.
        wakeups: takes what a commit leaves to be looked at; a publisher thread when left out.
    """
    chosen = settings or settings_of_this_process()
    app = make_routes(chosen)
    app.extensions[EXTENSION] = make_state(chosen, engine, wakeups)
    return app


def make_routes(chosen: Settings) -> Flask:
    """Make an application without its state: neither thread nor connection, so that it outlives a fork."""
    app = Tutelage("api", static_folder=documentation.SWAGGER_ASSETS, static_url_path=documentation.SWAGGER_ASSETS_PATH)
    app.config.update(MAX_CONTENT_LENGTH=LARGE_BODY_LIMIT_BYTES, SEND_FILE_MAX_AGE_DEFAULT=3600)
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.sort_keys = False
    # A path with doubled slashes is 404, not a redirect.
    app.url_map.merge_slashes = False
    subscriptions.activate_policy(operator_policy(chosen))
    use_languages(chosen.default_locale, Path(chosen.templates_folder) if chosen.templates_folder else None)
    newest_revision()
    requests.register(app)
    audit.register(app)
    rate_limit_hooks.register(app)
    app.after_request(show_acting)
    app.before_request(partial(_require_route, app))
    app.before_request(bodies.limit_body)
    api = make_api(app)
    for area in AREAS:
        api.register_blueprint(area)
    app.register_blueprint(component.files)
    app.register_blueprint(component_demo.component_demo)
    app.register_blueprint(documentation.documentation)
    # Else `/api` would be a redirect to an address that is made of the Host header.
    app.add_url_rule("/", view_func=lambda: redirect("/docs"), endpoint="root", strict_slashes=False)
    # After flask-smorest, which registers a handler of its own.
    errors.register(app)
    return app


def _require_route(app: Tutelage) -> None:
    # Werkzeug matches a path that begins with several slashes as if there were one.
    if request.environ["PATH_INFO"].startswith("//"):
        raise NotFound
    # GET /sessions/book would be the session whose malformed id is "book", and 404.
    methods = app.literal_paths.get(request.path)
    if methods is not None and request.method not in methods:
        raise MethodNotAllowed(sorted(methods))


def make_state(settings: Settings, engine: Engine | None = None, wakeups: WakeupSink | None = None) -> AppState:
    """Make the state of one process after its fork: the engine, wake-ups and all that has threads or connections."""
    database = engine or metered(
        create(settings.database_url, pool_size=settings.database_pool_size, name="tutelage-api"), process="api"
    )
    taker = wakeups or WakeupQueue(celery)
    sealer = Sealer(settings.encryption_keys)
    use_sealer(sealer)
    stripe = None
    if settings.stripe_api_key:
        # Its library takes a second to import.
        from infrastructure.stripe_provider import StripeProvider  # noqa: PLC0415

        stripe = StripeProvider.of(settings)
    return AppState(
        settings=settings,
        headers=AnswerHeaders(settings),
        engine=database,
        wakeups=taker,
        transactions=Transactions(database, taker),
        readiness=Readiness(settings.database_url),
        sealer=sealer,
        authenticator=Authenticator(settings),
        rate_limits=RateLimits(settings),
        waiting_places=BoundedSemaphore(max(1, settings.api_threads // 2)),
        refused_accesses=RefusedAccesses(database),
        stripe=stripe,
    )
