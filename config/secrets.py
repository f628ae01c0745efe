"""The check of every secret in the settings."""

from collections.abc import Sequence

DEVELOPMENT_SECRET = "development-only-secret-not-for-production"  # noqa: S105 - production refuses it
MIN_SECRET_BYTES = 32  # as long as the hash that HS256 signs with (RFC 7518, section 3.2)
MIN_DIFFERENT_CHARACTERS = 5
RANDOM_TEXT = "`openssl rand -base64 48` makes one."


def require_secret(name: str, value: str, *, development: bool, advice: str = RANDOM_TEXT) -> str:
    """The secret without the blanks around it.

    Args:
        name: the variable, or a phrase that names it, with which the error message begins.
        development: whether the public secret from the source is accepted.
        advice: how to make a good one.

    Raises:
        ValueError: it is empty, short, a few characters over and over, or development's; the message never quotes it.
    """
    secret = value.strip()
    if not secret:
        raise ValueError(f"{name} must not be empty; {advice}")
    if DEVELOPMENT_SECRET in secret.lower():
        if development:
            return secret
        raise ValueError(f"{name} must be your own in production, not development's; {advice}")
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"{name} must hold at least {MIN_SECRET_BYTES} bytes; it has fewer. {advice}")
    if len(set(secret)) < MIN_DIFFERENT_CHARACTERS:
        raise ValueError(f"{name} must be random, not the same few characters repeated; {advice}")
    return secret


def optional_secret(name: str, value: str, *, development: bool, advice: str = RANDOM_TEXT) -> str | None:
    """The same for an optional secret: an empty value means unset, blanks alone do not."""
    return require_secret(name, value, development=development, advice=advice) if value else None


def require_keys(name: str, values: list[str], *, development: bool) -> tuple[str, ...]:
    """ENCRYPTION_KEYS or SIGNING_KEYS: at least one secret; the first is used, the others are still accepted.

    Raises:
        ValueError: there are none, or one of them is weak.
    """
    if not values:
        raise ValueError(f"{name} must hold at least one secret; {RANDOM_TEXT}")
    return tuple(
        require_secret(f"Entry {number} of {name}", value, development=development)
        for number, value in enumerate(values, start=1)
    )


def flower_logins(values: list[str], *, development: bool) -> tuple[str, ...]:
    """FLOWER_BASIC_AUTH, which Flower itself reads: `user:password`, several separated by commas.

    Raises:
        ValueError: one of them has no user, or its password is no secret.
    """
    for value in values:
        user, separator, password = value.partition(":")
        if not user.strip() or not separator:
            raise ValueError("FLOWER_BASIC_AUTH must read user:password.")
        require_secret("The password in FLOWER_BASIC_AUTH", password, development=development)
    return tuple(values)


def require_passphrases(passphrases: Sequence[str]) -> None:
    """Refuse keys that anybody could derive. Raises ValueError: there are none, or one is empty."""
    if not passphrases or not all(passphrase.strip() for passphrase in passphrases):
        raise ValueError("Nothing is sealed or signed with an empty passphrase.")
