"""Templates of group sessions: a weekly time that a mentor offers to several mentees; the record, the list, changes."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, exists, insert, or_, select
from uuid_utils.compat import uuid7

from models.base import sql
from models.catalog import ProductKind, courses, listings, products
from models.groups import group_session_templates
from models.payments import PaymentMode
from models.people import mentor_profiles
from workflows.identity.access import require_mentor_id, require_mentor_or_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid, NotFound
from workflows.kernel.locks import lock_calendar
from workflows.kernel.paging import PagedList, narrowed
from workflows.kernel.records import ExternalRecord
from workflows.kernel.transitions import VersionedRecord, update_record
from workflows.terms.terms import Terms

# Of a mentor: none is ever deleted, since groups name them.
MAX_TEMPLATES = 500
_COUNT = sql("SELECT count(*) FROM group_session_templates WHERE mentor_profile_id = :mentor_profile_id")


@dataclass(frozen=True, kw_only=True)
class GroupTemplate(VersionedRecord, ExternalRecord, Terms):
    """A mentor's weekly group: `weekday` (0 for Monday) and `start_time` are wall-clock time in `time_zone` (IANA).

    `product_id` is the course's product from which the price of a seat was taken, None for a price of the template's
    own. No group can be scheduled by an inactive template.
    """

    table = group_session_templates

    mentor_profile_id: UUID
    course_id: UUID | None
    product_id: UUID | None
    title: str
    weekday: int
    start_time: time
    time_zone: str
    duration_minutes: int
    capacity: int
    questions: list[dict[str, Any]]
    active: bool
    created_at: datetime
    # Terms that templates do not have as columns.
    buffer_before_minutes: int = 0
    reminder_minutes: list[int] | None = None


def templates_query(*, active: bool | None = None) -> Select[Any]:
    """Templates; those that can be scheduled, or the others."""
    template = group_session_templates.c
    return narrowed(GroupTemplate.query(), (active, lambda: template.active if active else ~template.active))


TEMPLATES = PagedList(GroupTemplate, rows=templates_query, equal=("mentor_profile_id", "course_id"))


def create_template(
    db: Connection, *, actor: Actor, mentor_profile_id: UUID | None = None, columns: dict[str, Any]
) -> GroupTemplate:
    """Write a template of the acting mentor or, by an operator, of the mentor named.

    Args:
        columns: of `group_session_templates` by name; what is left out takes the database's default, and the price that
            of the course's only active product for a group seat, with its payment.

    Raises:
        Forbidden: the caller is no mentor, or another mentor than the one named.
        NotFound: no such active mentor or course.
        Invalid: an operator names no mentor; `mentor_does_not_teach` the course; there is no price.
        Conflict: `quota_reached`, the mentor has as many as there may be.
    """
    mentor_id = mentor_profile_id or actor.mentor_profile_id
    if mentor_id is None:
        raise Invalid("As an operator, name the mentor.", details={"mentorProfileId": ["Required for operators."]})
    require_mentor_id(actor, mentor_id, "A mentor makes templates of their own only.")
    course_id: UUID | None = columns.get("course_id")
    require_teaches(db, mentor_id, course_id)
    lock_calendar(db, mentor_id)
    # In a statement of its own: its snapshot must be younger than the lock.
    if db.scalar(_COUNT, {"mentor_profile_id": mentor_id}) >= MAX_TEMPLATES:
        raise Conflict(
            f"A mentor has at most {MAX_TEMPLATES} templates, inactive ones included; change one that is not needed.",
            code="quota_reached",
        )
    if columns.get("price_amount") is None:
        seat = _price_of_seat(db, course_id, columns["duration_minutes"])
        _require_payment_of(seat["payment_mode"], columns)
        columns = {**columns, **seat}
    row = db.execute(
        insert(group_session_templates)
        .values(id=uuid7(), mentor_profile_id=mentor_id, **columns)
        .returning(*GroupTemplate.columns())
    ).one()
    return GroupTemplate.of(row)


def change_template(
    db: Connection, *, actor: Actor, template: GroupTemplate, changes: dict[str, Any], any_version: bool = False
) -> GroupTemplate:
    """Change a template for groups that are scheduled from now on; those already scheduled stay as they are.

    Args:
        template: as the caller saw it.
        changes: columns of `group_session_templates` by name; the price may be None for that of the course's product,
            which is taken again too where the course or the duration changes, with its payment.
        any_version: the caller decided on no version in particular; concurrent changes of other columns stay.

    Raises:
        Forbidden: another mentor's template.
        NotFound: no such active mentor or course.
        Invalid: `mentor_does_not_teach` the course; there is no price.
        Stale: it has changed since `template` was read.
    """
    require_mentor_or_operator(actor, template)
    course_id: UUID | None = changes.get("course_id", template.course_id)
    if course_id != template.course_id or changes.get("active"):
        require_teaches(db, template.mentor_profile_id, course_id)
    duration: int = changes.get("duration_minutes", template.duration_minutes)
    moved = (course_id, duration) != (template.course_id, template.duration_minutes)
    if changes.get("price_amount") is not None:
        changes = {**changes, "product_id": None}
    elif "price_amount" in changes or (moved and template.product_id is not None):
        seat = _price_of_seat(db, course_id, duration)
        _require_payment_of(seat["payment_mode"], changes)
        changes = {**changes, **seat}
    elif template.product_id is not None:
        _require_payment_of(template.payment_mode, changes)
    return update_record(db, template, changes, subject="template", any_version=any_version)


def _require_payment_of(product: PaymentMode, columns: dict[str, Any]) -> None:
    if columns.get("payment_mode", product) is not product:
        raise Invalid(
            "The price of a seat is the product's, and is paid as the product says; give a price to change that.",
            details={"payment": [f"must be {product}, or left out"]},
        )


def require_teaches(db: Connection, mentor_profile_id: UUID, course_id: UUID | None) -> None:
    """Refuse a mentor who is not active, or has no active listing of the course; None for no course.

    Raises:
        NotFound: no such active mentor or course.
        Invalid: `mentor_does_not_teach`.
    """
    listing, mentor = listings.c, mentor_profiles.c
    teaches = exists().where(
        listing.mentor_profile_id == mentor_profile_id, listing.course_id == course_id, listing.active
    )
    known = exists().where(courses.c.id == course_id, courses.c.active)
    row = db.execute(
        select(known.label("course"), teaches.label("teaches")).where(mentor.id == mentor_profile_id, mentor.active)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such active mentor.")
    if course_id is None:
        return
    if not row.course:
        raise NotFound("There is no such active course.")
    if not row.teaches:
        raise Invalid("This mentor does not teach this course.", code="mentor_does_not_teach")


def _price_of_seat(db: Connection, course_id: UUID | None, duration_minutes: int) -> dict[str, Any]:
    product = products.c
    fits = or_(product.duration_minutes.is_(None), product.duration_minutes == duration_minutes)
    found = db.execute(
        select(product.id, product.price_amount, product.price_currency, product.payment_mode)
        .where(product.course_id == course_id, product.active, product.kind == ProductKind.GROUP_SEAT, fits)
        .limit(2)
    ).all()
    if len(found) != 1:
        raise Invalid(
            "Give the price of a seat: the course does not have exactly one active product for a group seat of this"
            " duration.",
            details={"price": ["Required: there is no single product to take it from."]},
        )
    (seat,) = found
    return {
        "product_id": seat.id,
        "price_amount": seat.price_amount,
        "price_currency": seat.price_currency,
        "payment_mode": seat.payment_mode,
    }
