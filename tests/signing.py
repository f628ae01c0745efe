"""Signatures as the transport makes them."""

from workflows.webhooks.secrets import signatures, signer_of


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    return signatures([signer_of(secret)], webhook_id, timestamp, body)


def sign_with_each(secrets: tuple[str, ...] | list[str], webhook_id: str, timestamp: str, body: bytes) -> str:
    """The value of the header: a signature of every secret."""
    return signatures([signer_of(secret) for secret in secrets], webhook_id, timestamp, body)
