"""The columns with encrypted values, which are encrypted again when a key is replaced, and their forms."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Table

from models.availability import calendar_feeds
from models.bookings import bookings
from models.groups import seat_answers
from models.idempotency import idempotency_keys
from models.imports import import_chunks
from models.notifications import push_subscriptions
from models.sessions import sessions
from models.webhooks import webhook_endpoints, webhook_secrets


class Form(StrEnum):
    """Form of a column's encrypted values."""

    TEXT = "text"
    TEXTS = "texts"  # a JSON array, each element encrypted separately
    HEADERS = "headers"  # a JSON object of {"sealed": …}
    BYTES = "bytes"


# The encrypted values of one row's column as rows of their own.
VALUES = {
    Form.TEXT: "SELECT {column}",
    Form.TEXTS: "SELECT jsonb_array_elements_text({column})",
    Form.HEADERS: "SELECT h.value ->> 'sealed' FROM jsonb_each({column}) AS h",
    Form.BYTES: "SELECT convert_from({column}, 'UTF8')",
}


@dataclass(frozen=True)
class SealedColumn:
    """One column of encrypted values."""

    column: Column[Any]
    form: Form

    @property
    def table(self) -> Table:
        table = self.column.table
        assert isinstance(table, Table)
        return table

    @property
    def values(self) -> str:
        """A select of the row's encrypted values."""
        return VALUES[self.form].format(column=f"{self.table.name}.{self.column.name}")

    def rewrite(self, stored: Any, value: Callable[[str], str]) -> Any:
        """The column's content once `value` has replaced each of its values; null stays null."""
        if stored is None:
            return None
        match self.form:
            case Form.TEXT:
                return value(stored)
            case Form.TEXTS:
                return [value(each) for each in stored]
            case Form.HEADERS:
                return {name: {"sealed": value(each["sealed"])} for name, each in stored.items()}
            case Form.BYTES:
                return value(stored.decode()).encode()


SEALED_COLUMNS = (
    SealedColumn(bookings.c.notes, Form.TEXT),
    SealedColumn(bookings.c.answers, Form.TEXT),
    SealedColumn(seat_answers.c.answers, Form.TEXT),
    SealedColumn(sessions.c.description, Form.TEXT),
    SealedColumn(sessions.c.notes, Form.TEXT),
    SealedColumn(sessions.c.feedback, Form.TEXT),
    SealedColumn(sessions.c.action_items, Form.TEXTS),
    SealedColumn(calendar_feeds.c.sealed_url, Form.TEXT),
    SealedColumn(push_subscriptions.c.sealed, Form.TEXT),
    SealedColumn(webhook_endpoints.c.headers, Form.HEADERS),
    SealedColumn(webhook_secrets.c.sealed_secret, Form.TEXT),
    SealedColumn(idempotency_keys.c.body, Form.BYTES),
    SealedColumn(import_chunks.c.sealed, Form.TEXT),
)
