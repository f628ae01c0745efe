"""The audit: what operators did to what belongs to others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select

from api.blueprints import Area
from api.calls import OPERATOR
from api.docs import examples_of_reviews as examples
from api.lists import NEWEST_FIRST, lists
from api.schemas import audit as shapes
from workflows.audit.entry import AuditEntry, entries_query
from workflows.identity.actor import Claim
from workflows.paging import Page

audit = Area("Audit", "What operators did, and why: written once, and never changed.")


@audit.route("/audit")
@audit.response(200, shapes.AuditEntries, example=examples.page(examples.AUDIT_ENTRY))
@lists(OPERATOR, AuditEntry, shapes.AuditFilters, NEWEST_FIRST)
def list_audit_entries(
    _claim: Claim,
    page: Page,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject_id: UUID | None = None,
) -> Select[Any]:
    """List the audit, the newest entry first."""
    return entries_query(page, actor=actor, action=action, subject_id=subject_id)
