"""Publish a listing, and change one: what a mentor offers, for how much, by which policies."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, update
from uuid_utils.compat import uuid7

from models.catalog import listings
from workflows.catalog.listing import Listing, owner_of
from workflows.errors import Forbidden, Stale
from workflows.identity.actor import Actor


def publish_listing(db: Connection, *, actor: Actor, offer: dict[str, Any]) -> Listing:
    """Write a listing of the acting mentor.

    Args:
        offer: columns of `listings` by name; what is left out takes the database's default.

    Raises:
        Forbidden: the caller does not act as a mentor.
    """
    if actor.mentor_profile_id is None:
        raise Forbidden("Only a mentor publishes listings.")
    row = db.execute(
        insert(listings)
        .values(id=uuid7(), mentor_profile_id=actor.mentor_profile_id, **offer)
        .returning(*Listing.columns())
    ).one()
    return Listing.of(row)


def change_listing(
    db: Connection, *, actor: Actor, listing: Listing, changes: dict[str, Any], any_version: bool = False
) -> Listing:
    """Change an offer for the bookings to come; what is booked already keeps its time and price.

    Args:
        listing: as the caller saw it.
        changes: columns of `listings` by name.
        any_version: the caller decided on no version in particular; what others change meanwhile stays, column by
            column.

    Raises:
        Forbidden: another mentor's listing.
        Stale: somebody changed it since `listing` was read.
    """
    owner_of(actor, listing)
    if not changes:
        return listing
    change = update(listings).where(listings.c.id == listing.id).values(**changes).returning(*Listing.columns())
    if not any_version:
        change = change.where(listings.c.version == listing.version)
    row = db.execute(change).one_or_none()
    if row is None:
        raise Stale("The listing has changed since it was read; read it again.")
    return Listing.of(row)
