"""Pages of the operator's own application: addresses in which `{id}` stands for the id of what a page is about."""

from __future__ import annotations

from urllib.parse import urlsplit

from environs import ValidationError, validate

ID = "{id}"
_EXAMPLE = f"such as https://app.example.org/bookings/{ID}."


def require_app_url(address: str) -> str:
    """The address, if it leads to a page of each id.

    Raises:
        ValidationError: it does not; with what would be right.
    """
    page = address.replace(ID, "id", 1)
    if ID not in address or "{" in page or "}" in page:
        raise ValidationError(f"Must hold {ID} once and no other placeholder, {_EXAMPLE}")
    try:
        validate.URL(schemes={"http", "https"}, require_tld=False)(page)
        parts = urlsplit(address)
    except (ValidationError, ValueError) as error:
        raise ValidationError(f"Must be an address that begins with https:// or http://, {_EXAMPLE}") from error
    if ID in parts.netloc:
        raise ValidationError(f"Must hold {ID} behind the name of the server, {_EXAMPLE}")
    return address
