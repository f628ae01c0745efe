"""What monitors and operators ask: is it alive, is it ready, does it keep its promises."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy import text

from api.blueprints import Area, refuses
from api.context import OPERATOR, RequestContext
from api.errors import unavailable
from api.loaders import reads
from api.metrics_access import require_permission
from api.parts import parts
from api.revisions import is_migrated
from api.schemas import health as shapes
from api.schemas.analytics import Summary
from config.exposition import CONTENT_TYPE, exposition
from models.sessions import SessionStatus
from workflows.analytics.summary import summary_of
from workflows.invariants import check_all

operations = Area("Operations", "For operators and monitors.")


@operations.route("/operations/invariants")
@reads(OPERATOR)
@operations.response(200, shapes.Invariants)
def get_invariants(context: RequestContext[None]) -> Any:
    """Ask the database for violations of what must always be true."""
    findings = check_all(context.db)
    return {"ok": not any(finding.violations for finding in findings), "items": findings}


@operations.route("/metrics")
@refuses("unauthenticated", "not_found")
@operations.response(200, {"type": "string"}, content_type=CONTENT_TYPE, description="Prometheus's text format.")
def get_metrics() -> Any:
    """What has been counted and measured here, for Prometheus; METRICS_TOKEN is the bearer token, if there is one."""
    require_permission(request, parts().settings)
    return Response(exposition(), content_type=CONTENT_TYPE)


@operations.route("/operations/summary")
@reads(OPERATOR)
@operations.response(200, Summary)
def get_summary(context: RequestContext[None]) -> Any:
    """Tell how things stand: sessions by status, sessions by mentor, and how many accepted bookings have become one."""
    found = summary_of(context.db)
    return {
        "sessions_by_status": [
            {"status": SessionStatus(status), "sessions": count} for status, count in sorted(found.statuses.items())
        ],
        "sessions_by_mentor": found.busiest,
        "conversion": {
            "sessions": found.sessions,
            "accepted_bookings": found.accepted_bookings,
            "rate": found.rate,
        },
    }


@operations.route("/health/live")
@operations.response(200, shapes.Health)
def get_liveness() -> Any:
    """Whether this process answers at all."""
    return {"status": "ok"}


@operations.route("/health/ready")
@refuses("unavailable")
@operations.response(200, shapes.Health)
def get_readiness() -> Any:
    """Whether requests can be served: the database answers and is migrated. Redis does not matter for that."""
    # Not the request's transaction: a probe must not be run again, and has nothing to commit.
    with parts().engine.connect() as db:
        found = db.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
        revision = db.execute(text("SELECT version_num FROM alembic_version")).scalar() if found else None
    return {"status": "ok"} if is_migrated(revision) else unavailable("The database is not migrated yet.")
