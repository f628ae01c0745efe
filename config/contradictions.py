"""Settings that do not go together, or whose check needs a library that few processes load."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from config.addresses import ANY_ORIGIN
from config.mail_server import mail_server


def contradictions(chosen: Any) -> Iterator[str]:
    """A sentence for each.

    Args:
        chosen: has the settings that were read, by their names, without those that were refused.
    """
    for check in _CHECKS:
        try:
            check(chosen)
        except AttributeError:
            # One of the settings has been refused already.
            continue
        except ValueError as error:
            yield str(error)


def _check_mail_server(chosen: Any) -> None:
    if chosen.smtp_url:
        mail_server(chosen.smtp_url)


def _check_where_mail_goes(chosen: Any) -> None:
    if chosen.smtp_url and chosen.mail:
        raise ValueError(f"MAIL={chosen.mail} sends no mail, and SMTP_URL sends it: set one of them.")
    if chosen.environment == "production" and not (chosen.smtp_url or chosen.mail):
        raise ValueError(
            "SMTP_URL must name a mail server in production; MAIL=files keeps mails as files in MAIL_FOLDER instead,"
            " where they count as sent, and MAIL=off sends none."
        )


def _check_vapid(chosen: Any) -> None:
    if chosen.vapid_private_key:
        # Its library takes 7 MB, which most processes do not need.
        import_module("config.vapid").vapid(chosen.vapid_private_key, chosen.vapid_subject)


def _check_stripe(chosen: Any) -> None:
    if ANY_ORIGIN in chosen.checkout_origins:
        raise ValueError("CHECKOUT_ORIGINS must name the origins to which people return, not *.")
    if not chosen.stripe_api_key:
        return
    if not chosen.stripe_webhook_secret:
        raise ValueError("STRIPE_API_KEY needs STRIPE_WEBHOOK_SECRET: without it, no payment would ever arrive.")
    if not chosen.checkout_origins:
        raise ValueError("STRIPE_API_KEY needs CHECKOUT_ORIGINS, the origins to which people return from the page.")
    if chosen.environment == "production" and not chosen.stripe_api_base.startswith("https://"):
        raise ValueError("STRIPE_API_BASE must begin with https:// in production: the key is sent there.")


def _check_identity_headers(chosen: Any) -> None:
    if chosen.identity_headers == "gateway" and not chosen.gateway_secret:
        raise ValueError("IDENTITY_HEADERS=gateway needs GATEWAY_SECRET, which the gateway sends with each request.")
    if chosen.identity_headers == "open" and chosen.environment == "production":
        raise ValueError("IDENTITY_HEADERS=open trusts every caller and is for development only.")


def _check_demo(chosen: Any) -> None:
    if chosen.component_demo != "tokens":
        return
    if chosen.environment == "production":
        raise ValueError("COMPONENT_DEMO=tokens signs everybody in and is for development only.")
    if chosen.jwt_public_key or chosen.jwt_jwks_url:
        raise ValueError(
            "COMPONENT_DEMO=tokens signs with JWT_SECRET, which verifies nothing beside JWT_PUBLIC_KEY or JWT_JWKS_URL."
        )


def _check_origins(chosen: Any) -> None:
    if ANY_ORIGIN in chosen.cors_origins and (chosen.cors_credentials or len(chosen.cors_origins) > 1):
        raise ValueError("CORS_ORIGINS=* must be alone, without CORS_CREDENTIALS: list the origins you trust.")


def _check_token_keys(chosen: Any) -> None:
    if chosen.jwt_public_key and chosen.jwt_jwks_url:
        raise ValueError("Set JWT_PUBLIC_KEY or JWT_JWKS_URL, not both.")
    shared = chosen.jwt_jwks_url and chosen.environment == "production"
    if shared and not (chosen.jwt_audience or chosen.jwt_issuer):
        raise ValueError(
            "JWT_JWKS_URL needs JWT_AUDIENCE or JWT_ISSUER in production: the identity provider signs tokens for its"
            " other applications with the same keys."
        )


_CHECKS: tuple[Callable[[Any], None], ...] = (
    _check_mail_server,
    _check_where_mail_goes,
    _check_vapid,
    _check_stripe,
    _check_identity_headers,
    _check_demo,
    _check_origins,
    _check_token_keys,
)
