"""Accounts of people whom the identity provider knows and the database does not: made of a token's claims."""

from datetime import UTC, datetime
from typing import Any

import structlog
from marshmallow import ValidationError
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api.schemas.people import NewUser
from api.state import app_state
from workflows.accounts.actions import register_newcomer, update_by_claims
from workflows.identity.actor import ACCOUNT_CLAIMS, Actor, Claim, authenticate
from workflows.kernel.clock import zone
from workflows.kernel.errors import Invalid, Unauthenticated

log = structlog.get_logger(__name__)

_NEW_USER = NewUser()


def authenticate_or_provision(db: Connection, claim: Claim) -> Actor:
    """As `authenticate`; claims that have changed change the account, and where there is none, one may be made of them.

    Raises:
        Unauthenticated: there is no such account, and none can be made.
    """
    try:
        actor = authenticate(db, claim)
    except Unauthenticated:
        if not claim.may_provision or claim.mentor_profile_id is not None:
            raise
        _register(db, claim)
        return _registered(db, claim)
    if any(claim.account) and claim.account_digest != actor.claims_digest:
        issued_at = _issued_at(claim)
        if actor.claims_at is None or actor.claims_at <= issued_at:
            assert actor.user_id is not None
            update_by_claims(
                db,
                user_id=actor.user_id,
                digest=claim.account_digest,
                issued_at=issued_at,
                **_usable(claim.account),
            )
            log.info("user.changed_by_claims", user_id=actor.user_id)
    return actor


def _issued_at(claim: Claim) -> datetime:
    # Tokens without `iat` are ordered by their ends.
    return datetime.fromtimestamp((claim.claims or {}).get("iat") or claim.expires_at or 0, UTC)


def _usable(said: list[Any]) -> dict[str, str | None]:
    """The values that an account can hold; None for others."""
    found: dict[str, str | None] = {}
    for name, value in zip(ACCOUNT_CLAIMS, said, strict=True):
        try:
            found[name] = None if value is None else str(_NEW_USER.fields[name].deserialize(value))
            # JSON can hold half of a surrogate pair, which is no text.
            (found[name] or "").encode()
        except (ValidationError, UnicodeEncodeError):
            found[name] = None
    return found


def _register(db: Connection, claim: Claim) -> None:
    claims = claim.claims or {}
    if claims.get("email_verified") is not True:
        raise Unauthenticated("There is no account for you yet, and the token's mail address is not a verified one.")
    usable = _usable(claim.account)
    locale = usable.pop("locale")
    given = {**usable, "timeZone": _time_zone(claims.get("zoneinfo"))}
    try:
        account: dict[str, Any] = _NEW_USER.load(given)
    except ValidationError as error:
        lacking = " and ".join(sorted(error.normalized_messages()))
        raise Unauthenticated(
            f"There is no account for you yet, and the token has no usable {lacking} to make one."
        ) from error
    named: dict[str, Any] = {
        "id": claim.user_id or uuid7(),
        "external_id": claim.external_id,
        "locale": locale or app_state().settings.default_locale,
        "claims_digest": claim.account_digest,
        "claims_at": _issued_at(claim),
    }
    register_newcomer(db, **named, **account)


def _registered(db: Connection, claim: Claim) -> Actor:
    try:
        actor = authenticate(db, claim)
    except Unauthenticated as error:
        raise Unauthenticated(
            "There is no account for you yet, and another one has your mail address; ask an operator."
        ) from error
    log.info("user.provisioned", user_id=actor.user_id)
    return actor


def _time_zone(name: object) -> str:
    """The time zone of the claim, UTC where it is none; people can change it later."""
    try:
        return zone(name).key if isinstance(name, str) else "UTC"
    except Invalid:
        return "UTC"
