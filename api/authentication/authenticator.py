"""Who is calling: a verified bearer token, a publishable key, or a trusted gateway's headers, become a claim; anything
else is a 401."""

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from time import time
from typing import Any
from uuid import UUID

from werkzeug.datastructures import Headers

from api.authentication.tokens import KeySource, TokenVerifier, key_source
from config.publishable_keys import PREFIX, name_of_key
from config.settings import Settings
from workflows.identity.actor import Claim
from workflows.kernel.errors import Invalid, Unauthenticated

CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
OPERATOR = "operator"
API_KEY_PREFIX = "tsk_"
_CALLER_HEADERS = ("Authorization", "X-User-Id", "X-Mentor-Profile-Id")
CREDENTIAL_HEADERS = (*_CALLER_HEADERS, "X-Gateway-Secret")
# Carries a publishable key where visitors read: a header of credentials would have browsers ask for permission first.
QUERY_KEY = "key"
# Names the person for whom staff act.
ON_BEHALF_OF = "On-Behalf-Of"
_EXTERNAL = "external:"
_MAX_NAME_CHARACTERS = 255
MAX_EXTERNAL_ID_CHARACTERS = 200
# Verifying a token takes 40 µs (HS256) to 100 µs (EdDSA) of processor time, finding it again 2 µs. That a key was
# withdrawn is noticed after as long.
MAX_VERIFIED = 4096
VERIFIED_SECONDS = 60.0
AnyHeaders = Mapping[str, str] | Headers


class Authenticator:
    """Reads credentials as the settings have them. `keys`: verify tokens; those of the settings when left out."""

    def __init__(self, settings: Settings, keys: KeySource | None = None) -> None:
        self._settings = settings
        self._tokens = TokenVerifier(settings, keys or key_source(settings))
        # By digest, until when they hold; no token is kept as it is.
        self._verified: dict[bytes, tuple[float, Claim]] = {}

    def claim_of(self, headers: AnyHeaders, query_keys: Sequence[str] = ()) -> Claim:
        """The claim that a request's credentials make; a bearer token or key wins over the identity headers.

        Without any, it is a visitor's where the catalogue is open.

        Args:
            query_keys: the publishable keys in its query, where the route takes them there.

        Raises:
            Unauthenticated: there are none, or they are malformed, forged, expired or for another audience.
            Invalid: the query has several keys, or one beside other credentials.
            ServiceUnavailable: the identity provider's keys have never been read.
        """
        scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
        token = token.strip()
        if query_keys:
            bearer = token if scheme.lower() == "bearer" else ""
            if set(query_keys) != {bearer} and any(name in headers for name in _CALLER_HEADERS):
                raise _invalid_key("Must not differ from the credentials in the headers; send one of them.")
            if len(query_keys) > 1:
                raise _invalid_key("Must be given once.")
            return self._claim_by_key(query_keys[0])
        if scheme.lower() == "bearer":
            if token.startswith(API_KEY_PREFIX):
                return Claim(key_digest=sha256(token.encode("utf-8", "replace")).digest())
            return self._claim_by_key(token) if token.startswith(PREFIX) else self._claim_by_token(token)
        if self._settings.open_catalogue and not any(name in headers for name in _CALLER_HEADERS):
            return Claim(visitor="")
        if _are_headers_trusted(headers, self._settings):
            return _claim_by_headers(headers)
        raise Unauthenticated("Send a bearer token in the Authorization header.")

    def _claim_by_key(self, key: str) -> Claim:
        # No secret: pages show it. So it is compared like any other word.
        if key not in self._settings.publishable_keys:
            raise Unauthenticated("There is no such publishable key.")
        return Claim(visitor=name_of_key(key))

    def _claim_by_token(self, token: str) -> Claim:
        digest, now = sha256(token.encode("utf-8", "replace")).digest(), time()
        found = self._verified.get(digest)
        if found is not None and now < found[0]:
            return found[1]
        until, claim = self._verify(token)
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[digest] = (min(until, now + VERIFIED_SECONDS), claim)
        return claim

    def _verify(self, token: str) -> tuple[float, Claim]:
        """Until when a token holds, in seconds since 1970, and its claim."""
        claims = self._tokens.claims_of(token)
        roles = claims.get("roles", [])
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise Unauthenticated("The token's roles must be a list of names.")
        subject = claims["sub"]
        if OPERATOR in roles:
            if not 1 <= len(subject) <= _MAX_NAME_CHARACTERS or not subject.isprintable():
                raise Unauthenticated("An operator's token must name the operator.")
            return claims["exp"], Claim(operator=subject, expires_at=claims["exp"])
        mentor = claims.get("mentor_profile_id")
        claim = Claim(
            **self._user_of(subject),
            mentor_profile_id=None if mentor is None else _id(mentor),
            claims=claims,
            may_provision=self._settings.jwt_provision_users,
            expires_at=claims["exp"],
        )
        return claims["exp"], claim

    def _user_of(self, subject: str) -> dict[str, Any]:
        if self._settings.jwt_subject == "id":
            return {"user_id": _id(subject)}
        if not 1 <= len(subject) <= MAX_EXTERNAL_ID_CHARACTERS or not subject.isprintable():
            raise Unauthenticated("The token's subject must be an external id of a user.")
        return {"external_id": subject}


def identifier(value: object) -> UUID | None:
    """The id that a text in its canonical form of 36 characters stands for; None for anything else."""
    return UUID(value) if isinstance(value, str) and CANONICAL_UUID.fullmatch(value) else None


def named_person(named: str) -> dict[str, Any]:
    """The arguments of `person_for` that `On-Behalf-Of` stands for: a user id, or `external:` and an external id.

    Raises:
        Invalid: it is neither.
    """
    # Headers are read as Latin-1 (PEP 3333); ids are UTF-8, whose bytes may be white space in Latin-1.
    named = named.strip(" \t").encode("latin-1", "replace").decode("utf-8", "replace")
    user_id, external_id = identifier(named), named.removeprefix(_EXTERNAL)
    if user_id is not None:
        return {"user_id": user_id}
    if not (named.startswith(_EXTERNAL) and external_id and "\0" not in named):
        raise Invalid(
            "The request does not fit; see details.",
            details={ON_BEHALF_OF: ["Must be a user's id, or external: and an external id."]},
        )
    return {"external_id": external_id}


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


def _invalid_key(reason: str) -> Invalid:
    return Invalid("The request does not fit; see details.", details={QUERY_KEY: [reason]})


def _id(value: object) -> UUID:
    found = identifier(value)
    if found is None:
        raise Unauthenticated("The caller's ids must be UUIDs.")
    return found
