"""Mail addresses to which a mail can be sent, each in one spelling."""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from typing import Any

import idna
from marshmallow import ValidationError, fields, validate

LONGEST = 254  # characters, RFC 5321 with erratum 1690
LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1


class MailAddress(fields.Email):
    """`local@domain` with a plain local part; a domain in other letters than ASCII is kept as its A-labels (RFC 5890).

    Quoted local parts are refused: `"ada"@example.org` is `ada@example.org` in another dress, and RFC 5321 (4.1.2)
    asks everybody to do without them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(max=LONGEST), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        given: str = super()._deserialize(value, attr, data, **kwargs)
        local, _, domain = given.rpartition("@")
        if not _plain(local) or not given.isprintable():
            raise self.make_error("invalid")
        address = f"{local}@{_in_ascii(domain)}"
        try:
            Address(addr_spec=address)
        except (MessageError, ValueError) as error:
            raise self.make_error("invalid") from error
        return address


def _plain(local: str) -> bool:
    return local.isascii() and len(local) <= LONGEST_LOCAL_PART and not set(local) & set(' "\\(),:;<>@[]')


def _in_ascii(domain: str) -> str:
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValidationError("Not a domain that mail can be sent to.") from error
    # UTS #46 would also write what is ASCII already in small letters, which nobody asked for.
    return domain if domain.isascii() else ascii_domain
