"""Imports: data that a marketplace brings over, in chunks until each has been carried out."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, created, id_column, metadata
from models.personal import IMPERSONAL, kept

MAX_ERRORS = 1_000
_PASSING = "encrypted; deleted once it is carried out, after a week at the latest"

imports = Table(
    "imports",
    metadata,
    id_column(),
    # The operator or the key, as the audit names them.
    Column("actor", Text, nullable=False, info=IMPERSONAL),
    Column("dry_run", Boolean, nullable=False, info=IMPERSONAL),
    Column("notify", Boolean, nullable=False, info=IMPERSONAL),
    Column("lines", Integer, nullable=False, info=IMPERSONAL),
    Column("created", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("updated", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("unchanged", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("refused", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    # The first refused lines: [{"line", "code", "message"}, …]. Messages quote external ids alone.
    Column(
        "errors",
        JSONB,
        nullable=False,
        server_default=text("'[]'"),
        info=kept("ids of the marketplace's own, deleted after a week"),
    ),
    Column("finished_at", Timestamp),
    Column("expires_at", Timestamp, nullable=False, server_default=text("now() + interval '7 days'")),
    created(),
    CheckConstraint("created >= 0 AND updated >= 0 AND unchanged >= 0 AND refused >= 0", name="counters"),
    CheckConstraint("created + updated + unchanged + refused <= lines", name="no_line_twice"),
    CheckConstraint("finished_at IS NULL OR created + updated + unchanged + refused = lines", name="finished_at"),
    CheckConstraint("jsonb_typeof(errors) = 'array' AND jsonb_array_length(errors) <= 1000", name="errors"),
    Index("ix_imports_expires_at", "expires_at"),
)

# Of an upload, lines of one type, in the order in which they are carried out; deleted in the transaction that does so.
import_chunks = Table(
    "import_chunks",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, info=IMPERSONAL),
    Column("type", Text, nullable=False, info=IMPERSONAL),
    # [[number of the line, its JSON], …] as JSON.
    Column("sealed", Text, nullable=False, info=kept(_PASSING)),
    created(),
    CheckConstraint("number >= 0", name="number"),
)
