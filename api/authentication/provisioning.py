"""Accounts of people whom the identity provider knows and the database does not: made of a token's claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from marshmallow import ValidationError
from sqlalchemy import Connection

from api.schemas.people import NewUser
from workflows.accounts.actions import register_newcomer
from workflows.identity.actor import Actor, Claim, authenticate
from workflows.kernel.clock import zone
from workflows.kernel.errors import Invalid, Unauthenticated

log = structlog.get_logger(__name__)

_NEW_USER = NewUser()


def authenticate_or_provision(db: Connection, claim: Claim) -> Actor:
    """As `authenticate`; where the claim brings what an account needs, one is made first.

    Raises:
        Unauthenticated: there is no such account, and none can be made.
    """
    try:
        return authenticate(db, claim)
    except Unauthenticated:
        if claim.newcomer is None or claim.user_id is None or claim.mentor_profile_id is not None:
            raise
    register_newcomer(db, user_id=claim.user_id, **_account_of(claim.newcomer))
    try:
        actor = authenticate(db, claim)
    except Unauthenticated as error:
        raise Unauthenticated(
            "There is no account for you yet, and another one has your mail address; ask an operator."
        ) from error
    log.info("user.provisioned", user_id=claim.user_id)
    return actor


def _account_of(claims: Mapping[str, Any]) -> dict[str, str]:
    if claims.get("email_verified") is not True:
        raise Unauthenticated("There is no account for you yet, and the token's mail address is not a verified one.")
    given = {"email": claims.get("email"), "name": claims.get("name"), "timeZone": _time_zone(claims.get("zoneinfo"))}
    try:
        account: dict[str, str] = _NEW_USER.load(given)
    except ValidationError as error:
        lacking = " and ".join(sorted(error.normalized_messages()))
        raise Unauthenticated(
            f"There is no account for you yet, and the token has no usable {lacking} to make one."
        ) from error
    return account


def _time_zone(name: object) -> str:
    """That of the claim where it is one; people can change it later."""
    try:
        return zone(name).key if isinstance(name, str) else "UTC"
    except Invalid:
        return "UTC"
