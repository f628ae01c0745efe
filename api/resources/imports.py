"""Imports: what a marketplace brings over from what it had before."""

from functools import partial
from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from api.http.bodies import body_of
from api.http.etags import WithHeaders, tagged
from api.routes.blueprints import Area, refuses, versioned
from api.routes.context import OPERATOR, RequestContext, Subject
from api.routes.declaration import UPLOAD_LIMIT_BYTES
from api.routes.loaders import changes, reads
from api.schemas import imports as shapes
from config.sealing import seal_text
from models.base import sql
from models.keys import KeyScope
from workflows.imports.uploads import Import, import_query, start_import

NDJSON = "application/x-ndjson"
_PULSE = sql("SELECT 1")
_BODY = {
    "required": True,
    "description": "One JSON object a line, at most 64 MB; docs/import.md has the types and their fields.",
    "content": {
        NDJSON: {
            "schema": {"type": "string", "format": "binary"},
            "example": '{"type": "user", "externalId": "1024", "email": "ada@example.org", "name": "Ada"}\n',
        }
    },
}

imports = Area("Imports", "People, offers and history, brought over from what a marketplace had before.")

IMPORT = Subject(name="import", query=import_query, record=Import)


@imports.route("/imports", methods=["POST"])
@refuses("unsupported_media_type")
@changes(OPERATOR, action="import.started", scope=KeyScope.IMPORT, body_limit_bytes=UPLOAD_LIMIT_BYTES, about="import")
@imports.arguments(shapes.ImportQuery, location="query")
@imports.doc(requestBody=_BODY)
@imports.response(202, shapes.Import)
def create_import(context: RequestContext[None], query: dict[str, Any]) -> WithHeaders[Import]:
    """Import lines (NDJSON). They are stored, and carried out by a worker; GET the import to follow it.

    The same line again changes nothing. A line that is refused is among `errors`; the others are carried out.
    """
    if request.mimetype != NDJSON or request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"Send the lines as Content-Type: {NDJSON}, in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the lines as they are, without a Content-Encoding.")
    started = start_import(
        context.db,
        actor=context.actor,
        upload=shapes.read_upload(body_of(request), partial(context.db.execute, _PULSE)),
        seal=seal_text,
        now=context.now,
        **query,
    )
    return tagged(started, Location=f"/imports/{started.id}")


@imports.route("/imports/<id:import_id>")
@versioned
@reads(OPERATOR, IMPORT, scope=KeyScope.IMPORT)
@imports.response(200, shapes.Import)
def get_import(context: RequestContext[Import]) -> WithHeaders[Import]:
    """Get an import: how many of its lines are carried out, and which were refused."""
    return tagged(context.subject)
