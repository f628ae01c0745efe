"""Who is calling: a verified bearer token, or a trusted gateway's headers, become a claim; anything else is a 401."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import jwt
from werkzeug.datastructures import Headers

from config.settings import Settings
from workflows.errors import Unauthenticated
from workflows.identity.actor import Claim

CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
OPERATOR = "operator"
_MAX_NAME_CHARACTERS = 255
AnyHeaders = Mapping[str, str] | Headers


def verify_credentials(headers: AnyHeaders, settings: Settings) -> Claim:
    """The claim that a request's credentials make; a bearer token wins over the identity headers.

    Raises:
        Unauthenticated: there are none, or they are malformed, forged, expired or for another audience.
    """
    scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return _claim_by_token(token.strip(), settings)
    if _are_headers_trusted(headers, settings):
        return _claim_by_headers(headers)
    raise Unauthenticated("Send a bearer token in the Authorization header.")


def identifier(value: object) -> UUID | None:
    """The id that a text in its canonical form of 36 characters stands for; None for anything else."""
    return UUID(value) if isinstance(value, str) and CANONICAL_UUID.fullmatch(value) else None


def _claim_by_token(token: str, settings: Settings) -> Claim:
    claims = _verified(token, settings)
    roles = claims.get("roles", [])
    if not isinstance(roles, list):
        raise Unauthenticated("The token's roles must be a list.")
    subject = claims["sub"]
    if OPERATOR in roles:
        if not 1 <= len(subject) <= _MAX_NAME_CHARACTERS or not subject.isprintable():
            raise Unauthenticated("An operator's token must name the operator.")
        return Claim(operator=subject)
    mentor = claims.get("mentor_profile_id")
    return Claim(user_id=_id(subject), mentor_profile_id=None if mentor is None else _id(mentor))


def _verified(token: str, settings: Settings) -> dict[str, Any]:
    # A token never chooses its own algorithm: one family is accepted, the one that the secret was made for.
    try:
        return jwt.decode(
            token,
            settings.jwt_secret,
            algorithms=["HS256"],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            options={"require": ["exp", "sub"], "verify_aud": settings.jwt_audience is not None},
        )
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
        raise Unauthenticated(
            "The bearer token is malformed, forged, expired or not meant for this service."
        ) from error


def _are_headers_trusted(headers: AnyHeaders, settings: Settings) -> bool:
    if settings.identity_headers == "gateway":
        sent = headers.get("X-Gateway-Secret", "").encode("latin-1", "replace")
        # Without a secret no caller is the gateway, not even one that sends an empty header.
        return bool(settings.gateway_secret) and hmac.compare_digest(sent, str(settings.gateway_secret).encode())
    return settings.identity_headers == "open"


def _claim_by_headers(headers: AnyHeaders) -> Claim:
    user, mentor = headers.get("X-User-Id"), headers.get("X-Mentor-Profile-Id")
    if user is None and mentor is None:
        raise Unauthenticated("Send X-User-Id or X-Mentor-Profile-Id, or a bearer token.")
    return Claim(user_id=None if user is None else _id(user), mentor_profile_id=None if mentor is None else _id(mentor))


def _id(value: object) -> UUID:
    found = identifier(value)
    if found is None:
        raise Unauthenticated("The caller's ids must be UUIDs.")
    return found
