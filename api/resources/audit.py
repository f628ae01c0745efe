"""The audit: what operators did to what belongs to others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api import examples
from api.blueprints import Area
from api.context import OPERATOR, RequestContext
from api.lists import lists
from api.schemas import audit as shapes
from workflows.audit.entry import AUDIT_ENTRIES

audit = Area("Audit", "What operators did, and why: written once, and never changed.")


@audit.route("/audit")
@audit.response(200, shapes.AuditEntries, example=examples.page(examples.AUDIT_ENTRY))
@lists(OPERATOR, AUDIT_ENTRIES, shapes.AuditFilters)
def list_audit_entries(_context: RequestContext[None], **filters: str | UUID | None) -> dict[str, Any]:
    """List the audit, the newest entry first."""
    return filters
