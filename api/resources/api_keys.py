"""Keys of machines: operators give a backend one, with the scopes that it needs."""

from datetime import timedelta
from typing import Any

from api.http.etags import WithHeaders, tagged
from api.http.headers import NOT_KEPT
from api.routes.blueprints import Area, refuses
from api.routes.context import OPERATOR_IN_PERSON, RequestContext, Subject
from api.routes.lists import list_route
from api.routes.loaders import changes
from api.schemas import api_keys as shapes
from api.schemas.base import ListQuery
from workflows.accounts.api_keys import API_KEYS, ApiKey, NewApiKey, create_api_key, delete_api_key, rotate_api_key
from workflows.kernel.errors import Invalid

api_keys = Area("API keys", "Keys of machines, such as the marketplace's backend.")

API_KEY = Subject(name="key", kind="api_key", record=ApiKey)


@api_keys.route("/api-keys", methods=["POST"])
@refuses("quota_reached")
@changes(OPERATOR_IN_PERSON, action="api_key.created", in_person=True)
@api_keys.arguments(shapes.NewApiKey)
@api_keys.response(201, shapes.ApiKeyWithText)
def create_key(context: RequestContext[None], body: dict[str, Any]) -> WithHeaders[NewApiKey]:
    """Create a key. Its text is in this response alone.

    Scopes: `read` what staff read; `act` for people, by the header `On-Behalf-Of`; confirm `payments`; read `events` in
    their order; `import` data; and `operations`, every other change that staff may make.
    """
    if body["expires_at"] is not None and body["expires_at"] <= context.now:
        raise Invalid("The key would have ended.", details={"expiresAt": ["must lie ahead"]})
    return tagged(create_api_key(context.db, actor=context.actor, **body), **NOT_KEPT)


@api_keys.route("/api-keys")
@api_keys.response(200, shapes.ApiKeys)
@list_route(OPERATOR_IN_PERSON, API_KEYS, ListQuery)
def list_keys(_context: RequestContext[None]) -> dict[str, Any]:
    """List the keys, newest first, without their texts."""
    return {}


@api_keys.route("/api-keys/<id:api_key_id>/rotate", methods=["POST"])
@changes(OPERATOR_IN_PERSON, API_KEY, action="api_key.rotated", in_person=True)
@api_keys.arguments(shapes.ApiKeyRotation, required=False, example={"graceHours": 24})
@api_keys.response(200, shapes.ApiKeyWithText)
def rotate_key(context: RequestContext[ApiKey], body: dict[str, Any]) -> WithHeaders[NewApiKey]:
    """Replace the text of a key; for `graceHours`, the one before works, too."""
    grace = timedelta(hours=body["grace_hours"])
    return tagged(rotate_api_key(context.db, api_key=context.subject, grace=grace, now=context.now), **NOT_KEPT)


@api_keys.route("/api-keys/<id:api_key_id>", methods=["DELETE"])
@changes(OPERATOR_IN_PERSON, API_KEY, action="api_key.deleted")
@api_keys.response(204)
def delete_key(context: RequestContext[ApiKey]) -> None:
    """Delete a key, which is refused from then on."""
    delete_api_key(context.db, api_key=context.subject)
