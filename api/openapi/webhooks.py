"""The webhooks of the OpenAPI document: the message of each event type, with its fields by name and type."""

from typing import Any

from workflows.events.event import Event, own_fields
from workflows.events.event_types import WebhookPinged, event_types
from workflows.webhooks.messages import camel, described_event_types, schema_of

ENVELOPE = "WebhookEnvelope"
_RECEIVED = {"2XX": {"description": "Received. Any other answer, or none, is followed by further attempts."}}


def add_webhooks(document: dict[str, Any]) -> None:
    """Add the section, and the components that it names."""
    components, webhooks = document["components"], document.setdefault("webhooks", {})
    properties = components["schemas"]["WebhookMessage"]["properties"]
    envelope = {name: shape for name, shape in properties.items() if name not in ("type", "data")}
    components["schemas"][ENVELOPE] = {"type": "object", "properties": envelope, "required": list(envelope)}
    types = {each.type: each.description for each in described_event_types()}
    types[WebhookPinged.type] = "A ping: an endpoint is active once it has answered one with 2xx."
    for event_type, described in types.items():
        message = f"{_camel(event_type)}Message"
        components["schemas"][message] = _message(event_type, components["schemas"])
        body = {"schema": {"$ref": f"#/components/schemas/{message}"}}
        webhooks[event_type] = {
            "post": {
                "summary": described,
                "requestBody": {"required": True, "content": {"application/json": body}},
                "responses": _RECEIVED,
            }
        }


def _message(event_type: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a message: the envelope of all messages, its type, and the fields of its event."""
    properties = schema_of(event_type)["properties"]
    own = {"type": properties["type"], "data": _data(event_types()[event_type], properties["data"], schemas)}
    envelope = {"$ref": f"#/components/schemas/{ENVELOPE}"}
    return {"allOf": [envelope, {"type": "object", "properties": own, "required": list(own)}]}


def _data(event: type[Event], whole: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of an event's fields, which names the schema of those that its kind of events shares."""
    kind = event.__mro__[1]
    names = [camel(name) for name in own_fields(kind)] if issubclass(kind, Event) and kind is not Event else []
    if not names:
        return whole
    part = {**whole, "properties": {name: whole["properties"][name] for name in names}, "required": names}
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    assert schemas.setdefault(kind.__name__, part) == part, f"{kind.__name__} is the name of two schemas"
    others = [name for name in whole["required"] if name not in names]
    if not others:
        return reference
    own = {"properties": {name: whole["properties"][name] for name in others}, "required": others}
    return {"allOf": [reference, {"type": "object", **own}]}


def _camel(event_type: str) -> str:
    return "".join(word.capitalize() for part in event_type.split(".") for word in part.split("_"))
