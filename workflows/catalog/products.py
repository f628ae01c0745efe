"""Products: what is sold for a course, by the session, as a bundle or as a seat in a group."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert
from uuid_utils.compat import uuid7

from models.catalog import ProductKind, products
from models.payments import PaymentMode
from workflows.identity.access import require_operator
from workflows.identity.actor import Actor
from workflows.kernel.errors import Invalid
from workflows.kernel.paging import PagedList, narrowed
from workflows.kernel.records import ExternalRecord
from workflows.kernel.transitions import VersionedRecord, update_record

_OPERATORS_ONLY = "Only an operator can change the products of a course."


@dataclass(frozen=True, kw_only=True)
class Product(VersionedRecord, ExternalRecord):
    """What is sold for a course; the price in minor units.

    `session_count` is how many sessions it pays for, and `duration_minutes` how long each of them is; None for any.
    `valid_days` is how long a bundle lasts; None for no end. An inactive product is no longer sold.
    """

    table = products

    course_id: UUID
    kind: ProductKind
    title: str
    session_count: int
    duration_minutes: int | None
    price_amount: int
    price_currency: str
    valid_days: int | None
    payment_mode: PaymentMode
    active: bool
    created_at: datetime


def product_query(course_id: UUID, product_id: UUID) -> Select[Any]:
    """The product of that id, active or not, if it is of that course."""
    return Product.query().where(products.c.id == product_id, products.c.course_id == course_id)


def products_query(*, active: bool | None = None) -> Select[Any]:
    """Products; only those that are on sale, where `active` is given."""
    return narrowed(Product.query(), (active, lambda: products.c.active if active else ~products.c.active))


PRODUCTS = PagedList(Product, rows=products_query, of=("course_id",))


def create_product(
    db: Connection,
    *,
    actor: Actor,
    course_id: UUID,
    kind: ProductKind,
    session_count: int | None = None,
    valid_days: int | None = None,
    **columns: Any,
) -> Product:
    """Put a product on sale for a course.

    Args:
        session_count: required for a bundle; of every other kind it is one.
        valid_days: of a bundle alone; None for no end.
        columns: further columns of `products` by name.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: a bundle without a number of sessions, or another kind with several sessions or a validity.
    """
    require_operator(actor, _OPERATORS_ONLY)
    if kind is ProductKind.BUNDLE and session_count is None:
        raise Invalid("Say how many sessions the bundle has.", details={"sessionCount": ["Required for a bundle."]})
    if kind is not ProductKind.BUNDLE and session_count not in (None, 1):
        raise Invalid("Only a bundle has several sessions.", details={"sessionCount": ["Must be 1 for this kind."]})
    _require_bundle(kind, valid_days)
    values = {"kind": kind, "session_count": session_count or 1, "valid_days": valid_days, **columns}
    row = db.execute(
        insert(products).values(id=uuid7(), course_id=course_id, **values).returning(*Product.columns())
    ).one()
    return Product.of(row)


def change_product(
    db: Connection, *, actor: Actor, product: Product, changes: dict[str, Any], any_version: bool = False
) -> Product:
    """Change title, price or validity of a product for future purchases, or take it off sale.

    Args:
        changes: columns of `products` by name; the others as of `update_record`.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: a validity for what is no bundle.
        Stale: it has changed since `product` was read.
    """
    require_operator(actor, _OPERATORS_ONLY)
    _require_bundle(product.kind, changes.get("valid_days"))
    return update_record(db, product, changes, subject="product", any_version=any_version)


def _require_bundle(kind: ProductKind, valid_days: int | None) -> None:
    if kind is not ProductKind.BUNDLE and valid_days is not None:
        raise Invalid("Only a bundle has a validity.", details={"validDays": ["Must be null for this kind."]})
