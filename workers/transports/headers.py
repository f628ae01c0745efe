"""The headers of a webhook: a partner's own wishes first, then ours, which nobody overrides."""

from __future__ import annotations

from collections.abc import Mapping

from workflows.webhooks.headers import is_ours, wrong


class HeaderRefused(ValueError):
    """No header that can be sent; the message does not hold its value."""


def headers_of(
    custom: Mapping[str, str], *, authority: str, webhook_id: str, timestamp: str, signature: str
) -> dict[str, str]:
    """All headers but the length.

    Args:
        custom: the endpoint's own; those that are ours to set are left out.

    Raises:
        HeaderRefused: what should not have been stored, and would perhaps not stay within its line.
    """
    return _own(custom) | {
        "host": authority,
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "Tutelage",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }


def _own(custom: Mapping[str, str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for name, value in custom.items():
        if is_ours(name):
            continue
        why = wrong(name, value)
        if why is not None:
            raise HeaderRefused(why)
        own[name.lower()] = value
    return own
