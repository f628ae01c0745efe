"""Keys of machines: they act as staff do, within their scopes."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from models.base import Timestamp, created, id_column, metadata
from models.personal import IMPERSONAL


class KeyScope(StrEnum):
    """The scopes of a key."""

    READ = "read"  # every read that staff have
    ACT = "act"  # act for a person, by `On-Behalf-Of`
    PAYMENTS = "payments"  # confirm payments
    EVENTS = "events"  # read the events in their order
    IMPORT = "import"  # bring data over
    OPERATIONS = "operations"  # every other change that staff may make


api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    Column("name", Text, nullable=False, info=IMPERSONAL),
    Column("scopes", ARRAY(Text), nullable=False, info=IMPERSONAL),
    # The first characters of the key, by which people recognise it.
    Column("prefix", Text, nullable=False, info=IMPERSONAL),
    # SHA-256: a key has 256 random bits, so that a slow hash would protect nothing more.
    Column("digest", LargeBinary, nullable=False, unique=True, info=IMPERSONAL),
    # The key before the last rotation, until its grace ends.
    Column("former_digest", LargeBinary, unique=True, info=IMPERSONAL),
    Column("former_until", Timestamp),
    # The operator, as the audit names them.
    Column("created_by", Text, nullable=False, info=IMPERSONAL),
    Column("last_used_at", Timestamp),
    Column("expires_at", Timestamp),
    Column("version", Integer, nullable=False, server_default=text("1"), info=IMPERSONAL),
    created(),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="name_length"),
    CheckConstraint(
        "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'act', 'payments', 'events', 'import', 'operations']",
        name="scopes",
    ),
    CheckConstraint("(former_digest IS NULL) = (former_until IS NULL)", name="former_until"),
)
