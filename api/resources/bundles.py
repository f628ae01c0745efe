"""Bundles: buying them, looking at their ledgers, and operators' adjustments."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from api.http.etags import WithHeaders, tagged
from api.resources.catalog import COURSE
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import ANYONE, OPERATOR, RequestContext, Subject, this_moment
from api.routes.lists import list_route
from api.routes.loaders import changes, reads
from api.schemas import bundles as shapes
from api.state import app_state
from workflows.accounts.actions import mentee_for
from workflows.bundles.adjust import adjust
from workflows.bundles.purchase import purchase
from workflows.bundles.records import BUNDLES, Bundle, BundleAtMoment, at_moment, bundle_query, with_ledger
from workflows.catalog.courses import Course
from workflows.identity.access import require_bundle_owner, require_user_id
from workflows.identity.actor import Actor

bundles = Area(
    "Bundles", "Sessions of a course that are bought together. Each credit pays for one, and the ledger has every move."
)

BUNDLE = Subject(name="bundle", kind="bundle_purchase", query=bundle_query, record=Bundle)
OWN_BUNDLE = replace(BUNDLE, access=require_bundle_owner)


@bundles.route("/bundles/courses/<id:course_id>/purchase", methods=["POST"])
@refuses("forbidden", "already_purchased", "external_id_taken", "price_changed")
@changes(ANYONE, COURSE, action="bundle.purchased", about="bundle_purchase")
@bundles.arguments(shapes.BundlePurchase)
@bundles.response(201, shapes.Bundle)
def purchase_bundle(context: RequestContext[Course], body: dict[str, Any]) -> Any:
    """Buy a bundle of a course.

    It is valid for the product's `validDays` of exactly 24 hours each, from now on. Where the product's `payment` is
    `before`, its credits can be spent once it is paid. The same product can be bought again when all credits have been
    used, or when the bundle has expired.
    """
    bundle = purchase(
        context.db,
        actor=context.actor,
        course_id=context.subject.id,
        mentee_user_id=mentee_for(context.actor, body.pop("student_id")),
        now=context.now,
        pay_within=app_state().pay_within,
        **body,
    )
    return _tagged(context, bundle, Location=f"/bundles/{bundle.id}")


@bundles.route("/bundles")
@refuses("forbidden")
@bundles.response(200, shapes.Bundles)
@list_route(ANYONE, BUNDLES, shapes.BundleFilters, seen_by=lambda _actor, bundle: at_moment(bundle, this_moment()))
def list_bundles(context: RequestContext[None], mentee_user_id: UUID | None = None, **filters: str) -> dict[str, Any]:
    """List the caller's bundles, newest first; operators see all, or the bundles of one mentee."""
    return {"mentee_user_id": _owner_of_list(context.actor, mentee_user_id), **filters}


@bundles.route("/bundles/<id:bundle_id>")
@versioned
@reads(ANYONE, OWN_BUNDLE)
@bundles.response(200, shapes.Bundle)
def get_bundle(context: RequestContext[Bundle]) -> WithHeaders[BundleAtMoment]:
    """Get a bundle with its ledger. Only its owner and operators find it."""
    return _tagged(context, context.subject)


@bundles.route("/bundles/<id:bundle_id>/adjust", methods=["POST"])
@refuses("bundle_unusable")
@changes(OPERATOR, BUNDLE, action="bundle.adjusted")
@bundles.arguments(shapes.BundleAdjustment)
@bundles.response(200, shapes.Bundle)
def adjust_bundle(context: RequestContext[Bundle], body: dict[str, Any]) -> Any:
    """Give or take credits of a bundle, or move the end of its validity.

    Credits for an expired bundle need another `validTo` (`bundle_unusable`). A purchase that was closed by its last
    credit or its expiry stays closed, so that the mentee may also buy another one.
    """
    adjusted = adjust(
        context.db,
        actor=context.actor,
        bundle=context.subject,
        any_version=context.any_version,
        now=context.now,
        **body,
    )
    return _tagged(context, adjusted)


def _owner_of_list(actor: Actor, mentee_user_id: UUID | None) -> UUID | None:
    owner = mentee_user_id or actor.user_id
    require_user_id(actor, owner, "Only operators see the bundles of others.")
    return owner


def _tagged(context: RequestContext[object], bundle: Bundle, **headers: str) -> WithHeaders[BundleAtMoment]:
    return tagged(with_ledger(context.db, bundle, context.now), **headers)
