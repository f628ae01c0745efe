"""Health, metrics, invariants, summary and the audit log, for operators and monitoring."""

from ipaddress import ip_address
from typing import Any

from flask import Response, request

from api.audit.entries import expect_entry
from api.errors import unavailable
from api.http.etags import WithHeaders, tagged
from api.refusals import SENTENCES
from api.routes.blueprints import Area, refuses
from api.routes.context import OPERATOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import operations as shapes
from api.schemas.analytics import Summary
from api.state import app_state
from config.metrics import CONTENT_TYPE, exposition, has_token
from models.sessions import SessionStatus
from workflows.analytics.summary import summary_of
from workflows.audit.log import AUDIT_ENTRIES, filters_of
from workflows.invariants import continuous
from workflows.kernel.errors import NotFound, Unauthenticated
from workflows.notifications.switches import Switches, all_switches, switch_kind, switches_query

operations = Area("Operations", "For operators and monitoring.")

NOTIFICATION_KIND = Subject(
    name="kind of notification", kind="notification_kind", query=switches_query, record=Switches, texts=("kind",)
)


@operations.route("/operations/invariants")
@reads(OPERATOR)
@operations.response(200, shapes.Invariants)
def get_invariants(context: RequestContext[None]) -> dict[str, object]:
    """Get the violations of the invariants: the known ones, and new ones among the latest changes.

    Everything is checked once a day, in the background; `tutelage invariants` does so at once.
    """
    findings = continuous.findings(context.db, newest=continuous.NEWEST_CHANGES)
    ok = not any(finding.violations for finding in findings)
    return {"ok": ok, "items": findings, "looked_through_at": continuous.looked_through_at(context.db)}


@operations.route("/operations/notification-kinds")
@reads(OPERATOR)
@operations.response(200, shapes.NotificationKinds)
def list_notification_kinds(context: RequestContext[None]) -> dict[str, object]:
    """List the kinds of notification, and on which channels each is sent at all."""
    return {"items": all_switches(context.db)}


@operations.route("/operations/notification-kinds/<kind>", methods=["PUT"])
@changes(OPERATOR, NOTIFICATION_KIND, action="notification_kind.switched")
@operations.arguments(shapes.NotificationKindChannels, example={"mail": False, "push": True, "inApp": True})
@operations.response(200, shapes.NotificationKind)
def switch_notification_kind(context: RequestContext[Switches], body: dict[str, bool]) -> WithHeaders[Switches]:
    """Switch the channels of a kind of notification on or off for everybody.

    A channel that is off reaches nobody, from the next event on. One that is on leaves people their choices and the
    kind its defaults.
    """
    switches = switch_kind(context.db, switches=context.subject, any_version=context.any_version, **body)
    expect_entry(context.db, data={"kind": switches.kind, **body})
    return tagged(switches)


@operations.route("/metrics")
@refuses("unauthenticated", "not_found")
@operations.response(
    200,
    {"type": "string"},
    content_type=CONTENT_TYPE,
    description="Prometheus's text format.",
    example="# TYPE tutelage_sessions_created_total counter\ntutelage_sessions_created_total 160.0\n",
)
def get_metrics() -> Response:
    """Get metrics for Prometheus. METRICS_TOKEN, if set, is the bearer token."""
    _require_metrics_access()
    return Response(exposition(), content_type=CONTENT_TYPE)


@operations.route("/operations/summary")
@reads(OPERATOR)
@operations.response(200, Summary)
def get_operations_summary(context: RequestContext[None]) -> dict[str, object]:
    """Get sessions by status and by mentor, the share of accepted bookings that have a session, and overdue sessions.

    Overdue sessions are still in progress a day after their end: complete or void them.
    """
    found = summary_of(context.db, now=context.now)
    return {
        "sessions_by_status": [
            {"status": SessionStatus(status), "sessions": count} for status, count in sorted(found.statuses.items())
        ],
        "sessions_by_mentor": found.busiest,
        "conversion": {"sessions": found.sessions, "accepted_bookings": found.accepted_bookings, "rate": found.rate},
        "overdue_sessions": found.to_complete,
    }


@operations.route("/health/live")
@operations.response(200, shapes.Health)
def get_liveness() -> dict[str, str]:
    """Get whether the process is alive."""
    return {"status": "ok"}


@operations.route("/health/ready")
@refuses("unavailable")
@operations.response(200, shapes.Health)
def get_readiness() -> dict[str, str] | Response:
    """Get whether requests can be served: the database answers, is migrated and takes changes. Redis is not needed.

    The answer comes within two seconds, also where the database does not answer.
    """
    problem = app_state().readiness.problem()
    return {"status": "ok"} if problem is None else unavailable(problem)


audit = Area(
    "Audit",
    "Entries about each change and each refused access: actor, subject, origin and result. They are never changed.",
)


@audit.route("/audit")
@audit.response(200, shapes.AuditEntries)
@list_route(OPERATOR, AUDIT_ENTRIES, shapes.AuditFilters)
def list_audit_entries(_context: RequestContext[None], **filters: Any) -> dict[str, Any]:
    """List audit entries, newest first: of every change, and of accesses that were refused."""
    return filters_of(**filters)


def _require_metrics_access() -> None:
    """Admit the bearer of METRICS_TOKEN; without one, loopback in development."""
    settings = app_state().settings
    if settings.metrics_token is not None:
        if not has_token(request.headers.get("Authorization", ""), settings.metrics_token):
            raise Unauthenticated("Send METRICS_TOKEN as a bearer token.")
    elif settings.production or not _is_loopback(request.remote_addr):
        # Without a token the metrics are served at METRICS_PORT alone, if anywhere.
        raise NotFound(SENTENCES[404])


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        # A socket in the file system is a proxy's, and its clients can be anywhere.
        return False
