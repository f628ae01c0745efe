"""Courses, and the listings that mentors offer."""

from dataclasses import replace
from typing import Any

from api.http.etags import WithHeaders, cacheable, tagged
from api.openapi.examples import example_of
from api.routes.blueprints import Area, refuses
from api.routes.context import MENTOR, OPERATOR, VISITOR, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import catalog as shapes
from api.schemas import support_options as support
from api.schemas.base import ExternalListQuery
from api.state import app_state
from workflows.catalog import courses as catalog
from workflows.catalog import products as sold
from workflows.catalog.listings import LISTINGS, Listing, change_listing, publish_listing
from workflows.catalog.products import PRODUCTS, Product, product_query
from workflows.groups.support_options import SupportOptions, support_options
from workflows.identity.access import require_mentor, require_on_sale
from workflows.kernel.paging import PagedList

listings = Area("Listings", "Offers of mentors: duration, price and policies.")

LISTING = Subject(name="listing", record=Listing)
OWN_LISTING = replace(LISTING, access=require_mentor)


def _as_seen(context: RequestContext[object], listing: Listing) -> Listing:
    return shapes.listing_as_seen_by(context.actor, listing)


@listings.route("/listings", methods=["POST"])
@refuses("not_found", "listing_exists", "currency_differs", "quota_reached", "external_id_taken")
@changes(MENTOR, action="listing.created")
@listings.arguments(
    shapes.NewListing,
    example=example_of(
        shapes.NewListing,
        description="An hour about your next step.",
        bookingMode="request",
        cancellation={"windowHours": 24, "lateFeePercent": 50},
        location={"kind": "address", "value": "12 Market Street, second bell"},
    ),
)
@listings.response(201, shapes.Listing)
def create_listing(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[Listing]:
    """Publish a listing.

    Defaults: `bookingMode` request, `earlyStartMinutes` 15 (null: any time), `minNoticeMinutes` 0,
    `bufferBeforeMinutes` 0, `bufferMinutes` 0, `cancellation` 24 hours and 50 percent (null: the mentee cannot cancel),
    `noShowFeePercent` 100, `reschedule` by agreement, 24 hours before the start and twice, `reminderMinutes` null (the
    operator's default; an empty list sends no reminders), `payment` the operator's default.
    """
    listing = publish_listing(context.db, actor=context.actor, offer=app_state().with_payment_mode(body))
    return tagged(listing, Location=f"/listings/{listing.id}")


@listings.route("/listings/<id:listing_id>", methods=["PATCH"])
@refuses("listing_exists", "currency_differs", "external_id_taken")
@changes(MENTOR, OWN_LISTING, action="listing.changed")
@listings.arguments(
    shapes.ListingChanges, example={"price": {"amount": 4500, "currency": "USD"}, "minNoticeMinutes": 120}
)
@listings.response(200, shapes.Listing)
def update_listing(context: RequestContext[Listing], body: dict[str, Any]) -> WithHeaders[Listing]:
    """Update a listing. Existing bookings keep their time and price."""
    changed = change_listing(
        context.db, actor=context.actor, listing=context.subject, changes=body, any_version=context.any_version
    )
    return tagged(changed)


@listings.route("/listings")
@cacheable
@listings.response(200, shapes.Listings)
@list_route(VISITOR, LISTINGS, shapes.ListingFilters, seen_by=_as_seen)
def list_listings(_context: RequestContext[None], **filters: Any) -> dict[str, Any]:
    """List active listings, newest first."""
    return filters


@listings.route("/listings/<id:listing_id>")
@cacheable
@reads(VISITOR, LISTING)
@listings.response(200, shapes.Listing)
def get_listing(context: RequestContext[Listing]) -> WithHeaders[Listing]:
    """Get a listing, active or not."""
    return tagged(_as_seen(context, context.subject))


courses = Area("Courses", "Subjects that mentors teach: a mentor offers a course with a listing of it.")

COURSE = Subject(name="course", record=catalog.Course)


@courses.route("/courses", methods=["POST"])
@refuses("external_id_taken")
@changes(OPERATOR, action="course.created")
@courses.arguments(shapes.NewCourse)
@courses.response(201, shapes.Course)
def create_course(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[catalog.Course]:
    """Create a course."""
    course = catalog.create_course(context.db, actor=context.actor, **body)
    return tagged(course, Location=f"/courses/{course.id}")


def _courses_list(_context: RequestContext[Any], filters: dict[str, Any]) -> PagedList[Any]:
    return catalog.FOUND_COURSES if filters.get("q") else catalog.COURSES


@courses.route("/courses")
@cacheable
@courses.response(200, shapes.Courses)
@list_route(VISITOR, _courses_list, shapes.CourseFilters)
def list_courses(_context: RequestContext[None], **filters: Any) -> dict[str, Any]:
    """List active courses, newest first; with `q`, the most relevant first.

    `skill`, `maxPrice`, `currency` and `durationMinutes` are about one offer: an active listing of the course for which
    all of them hold.
    """
    return filters


@courses.route("/courses/<id:course_id>")
@cacheable
@reads(VISITOR, COURSE)
@courses.response(200, shapes.Course)
def get_course(context: RequestContext[catalog.Course]) -> WithHeaders[catalog.Course]:
    """Get a course, active or not."""
    return tagged(context.subject)


@courses.route("/courses/<id:course_id>", methods=["PATCH"])
@refuses("external_id_taken")
@changes(OPERATOR, COURSE, action="course.changed")
@courses.arguments(shapes.CourseChanges, example={"active": False})
@courses.response(200, shapes.Course, example=example_of(shapes.Course, active=False))
def update_course(context: RequestContext[catalog.Course], body: dict[str, Any]) -> WithHeaders[catalog.Course]:
    """Update or deactivate a course. Its listings and bookings stay as they are."""
    changed = catalog.change_course(
        context.db, actor=context.actor, course=context.subject, changes=body, any_version=context.any_version
    )
    return tagged(changed)


PRODUCT = Subject(name="product", query=product_query, record=Product)
PRODUCT_ON_SALE = replace(PRODUCT, access=require_on_sale)


@courses.route("/courses/<id:course_id>/products", methods=["POST"])
@refuses("external_id_taken")
@changes(OPERATOR, COURSE, action="product.created", about="product")
@courses.arguments(
    shapes.NewProduct, example=example_of(shapes.NewProduct, kind="bundle", price={"amount": 18000, "currency": "USD"})
)
@courses.response(201, shapes.Product)
def create_product(context: RequestContext[catalog.Course], body: dict[str, Any]) -> WithHeaders[Product]:
    """Put a product on sale: a `single` session, a `bundle` of `sessionCount`, or a `group_seat`."""
    offered = app_state().with_payment_mode(body)
    product = sold.create_product(context.db, actor=context.actor, course_id=context.subject.id, **offered)
    return tagged(product, Location=f"/courses/{product.course_id}/products/{product.id}")


@courses.route("/courses/<id:course_id>/products")
@cacheable
@courses.response(200, shapes.Products)
@list_route(VISITOR, PRODUCTS, ExternalListQuery, within=COURSE)
def list_products(context: RequestContext[catalog.Course], **filters: str) -> dict[str, Any]:
    """List what is sold for a course, newest first; operators also see what is no longer sold."""
    return {"course_id": context.subject.id, "active": None if context.actor.operator else True, **filters}


@courses.route("/courses/<id:course_id>/products/<id:product_id>")
@cacheable
@reads(VISITOR, PRODUCT_ON_SALE)
@courses.response(200, shapes.Product)
def get_product(context: RequestContext[Product]) -> WithHeaders[Product]:
    """Get a product; only operators find one that is no longer sold."""
    return tagged(context.subject)


@courses.route("/courses/<id:course_id>/products/<id:product_id>", methods=["PATCH"])
@refuses("external_id_taken")
@changes(OPERATOR, PRODUCT, action="product.changed")
@courses.arguments(shapes.ProductChanges, example={"active": False})
@courses.response(200, shapes.Product, example=example_of(shapes.Product, active=False))
def update_product(context: RequestContext[Product], body: dict[str, Any]) -> WithHeaders[Product]:
    """Update or deactivate a product. Purchases stay as they are.

    Kind, number of sessions and duration are fixed: sell another product instead.
    """
    changed = sold.change_product(
        context.db, actor=context.actor, product=context.subject, changes=body, any_version=context.any_version
    )
    return tagged(changed)


@courses.route("/courses/<id:course_id>/support-options")
@cacheable
@reads(VISITOR, COURSE)
@courses.response(200, support.SupportOptions)
def get_support_options(context: RequestContext[catalog.Course]) -> SupportOptions:
    """Get what can be booked and bought for a course.

    Up to 100 mentors who teach it, the best-rated first, each with the listings of it; up to 100 products on sale; and
    the next 20 group sessions that can be joined, with the caller's own place in each.
    """
    return support_options(context.db, actor=context.actor, course=context.subject, now=context.now)
