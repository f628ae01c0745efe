"""The table of events in docs/webhooks.md. `python -m tests.docs.event_table` writes it again."""

import re
from typing import Any

from tests.docs.pages import DOCS
from workflows.webhooks.messages import EventType, described_event_types

PAGE = DOCS / "webhooks.md"
BEGIN, END = "<!-- events: begin -->", "<!-- events: end -->"
_BLOCK = re.compile(f"{BEGIN}\n(.*?){END}", re.DOTALL)
_KINDS = {"uuid": "id", "date-time": "time", "string": "text", "integer": "number", "boolean": "yes or no"}


def written() -> str:
    (block,) = _BLOCK.findall(PAGE.read_text())
    return str(block)


def wanted() -> str:
    """The table as the code has it: every type, its meaning and the fields of its `data`."""
    rows = [f"| `{event.type}` | {event.description} | {_fields(event)} |\n" for event in described_event_types()]
    return "".join(["\n| type | when | `data` |\n", "|---|---|---|\n", *rows, "\n"])


def _fields(event: EventType) -> str:
    properties: dict[str, dict[str, Any]] = event.schema["properties"]["data"]["properties"]
    return ", ".join(f"`{name}` {_kind(schema)}" for name, schema in properties.items())


def _kind(schema: dict[str, Any]) -> str:
    types: str | list[str] = schema.get("type", "anything")
    several = types if isinstance(types, list) else [types]
    named = [_KINDS.get(str(schema.get("format", each)), each) for each in several if each != "null"]
    return " or ".join([*named, *(["null"] if "null" in several else [])])


if __name__ == "__main__":
    PAGE.write_text(_BLOCK.sub(lambda _: f"{BEGIN}\n{wanted()}{END}", PAGE.read_text()))
