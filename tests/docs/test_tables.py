"""Tests of the tables in the documentation: each agrees with the code."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from api.refusals import CODE_OF_STATUS, REFUSALS
from cli.backup import DISCARDED
from cli.plan import PARTS, ROOT, TOGETHER
from config import telemetry
from config.mail_server import mail_server
from models.bookings import BOOKING_TRANSITIONS
from models.notifications import Channel
from models.personal import DELETED_ACCOUNT
from models.sessions import SESSION_TRANSITIONS
from tests.docs.pages import DOCS, table
from workers.routes import MAIL_IS_OFF
from workflows.accounts.api_keys import MAX_KEYS
from workflows.accounts.email_change import MAX_CHANGES_PER_DAY
from workflows.availability.changes import CHANGES_PER_DAY
from workflows.availability.dates import MAX_DATES
from workflows.availability.feeds import FEEDS_PER_DAY, MAX_FEEDS
from workflows.bookings.series import MAX_OCCURRENCES
from workflows.calendar import invitation
from workflows.catalog.listings import MAX_LISTINGS
from workflows.events.subscriptions import Effect, load
from workflows.groups.templates import MAX_TEMPLATES
from workflows.kernel import constraints, errors
from workflows.kernel.records import METADATA_LIMIT_BYTES
from workflows.notifications import mails, outdated, recipients, reminders
from workflows.notifications.deliveries import SENT_TOGETHER
from workflows.notifications.gathering import HELD_REASON
from workflows.notifications.kinds import OFFERED
from workflows.notifications.preferences import stopped_reason, switched_off_reason
from workflows.notifications.push_subscriptions import MAX_SUBSCRIPTIONS
from workflows.operators.deliveries import DEFAULT_REASON
from workflows.sessions.moving import PROPOSALS_PER_DAY
from workflows.sessions.time_off import MAX_TIME_OFF
from workflows.webhooks.actions import MAX_VALID_SECRETS
from workflows.webhooks.quotas import ENDPOINTS_PER_DAY, MAX_ENDPOINTS

NOTIFICATIONS = DOCS / "notifications.md"
SESSIONS = DOCS / "sessions.md"
_LINK = re.compile(r"\[(.*?)\]\(.*?\)")
_KINDS = ("kind", "event", "recipients", "default channels")
CODES = {code: (int(status), when) for status, code, when in table(SESSIONS, "status", "code", "when")}
KINDS: dict[str, type[errors.DomainError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DomainError)
}


def test_the_table_of_errors_has_every_code_that_is_raised_and_no_other() -> None:
    assert set(CODES) == {*_raised(), *_of_constraints(), *CODE_OF_STATUS.values()}


@pytest.mark.parametrize("code", CODES)
def test_the_table_of_errors_has_status_and_sentence_of_each_code(code: str) -> None:
    status, when = CODES[code]
    assert status == REFUSALS[code].status
    assert _LINK.sub(r"\1", when).startswith(REFUSALS[code].when.replace("`", ""))


def test_a_code_with_one_sentence_is_raised_without_another() -> None:
    for call, file in _refusals():
        is_bare = not call.args and all(keyword.arg != "message" for keyword in call.keywords)
        if _code_of(call, file) in errors.SENTENCES:
            assert is_bare, f"{file}:{call.lineno} says another sentence than `SENTENCES`"


def test_the_table_of_effects_is_the_list_of_effects() -> None:
    """The names are stored with every delivery: a row changes only with a migration of deliveries and catalogues."""
    written = {(row[0], row[1], row[2]) for row in table(SESSIONS, "event", "effect", "queue", "what it does")}
    written |= {(event, f"notifications.{kind}", "notifications") for kind, event, *_ in table(NOTIFICATIONS, *_KINDS)}
    effects: list[Any] = [*load().database_effects(), *load().outbound_effects()]
    assert written == {
        (_event(effect) if isinstance(effect, Effect) else "(outbound)", effect.name, effect.queue)
        for effect in effects
    }, "Write a new effect's row in docs/sessions.md, or a new notification's in docs/notifications.md."


def test_the_table_of_states_has_every_step_of_both_machines() -> None:
    steps: dict[str, set[tuple[str, str]]] = {"booking": set(), "session": set()}
    subject = ""
    for named, before, after, _who in table(SESSIONS, "", "from", "to", "by whom"):
        subject = named or subject
        if before != "(none)":
            steps[subject].add((before, after))
    assert steps == {"booking": _steps(BOOKING_TRANSITIONS), "session": _steps(SESSION_TRANSITIONS)}


@pytest.mark.parametrize(("page", "header"), [("running", "what it is for"), ("architecture", "talks to")])
def test_the_tables_of_processes_have_every_process(page: str, header: str) -> None:
    last = {"running": "how many", "architecture": "may be killed at any time, since"}[page]
    names = ", ".join(row[0] for row in table(DOCS / f"{page}.md", "process", header, last)).split(", ")
    workers = {part.name for part in PARTS if part.queue}
    written = {name for name in names if name not in ("worker-*", "five")} | (workers if "worker-*" in names else set())
    replacing = {TOGETHER.name} if page == "running" else set()
    assert written == {part.name for part in PARTS} | replacing


def test_the_table_of_metrics_has_every_metric_with_its_labels() -> None:
    metrics = []
    for each in vars(telemetry).values():
        # prometheus_client 0.24 shows the names of labels publicly on samples alone, of which there may be none.
        if hasattr(each, "_labelnames"):
            (family,) = each.collect()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            metrics.append((name, ", ".join(each._labelnames)))
    rows = table(DOCS / "metrics.md", "metric", "labels", "what it counts or measures")
    assert [(name, labels) for name, labels, _meaning in rows] == metrics


def test_the_table_of_notifications_has_kinds_and_default_channels() -> None:
    channels = {kind: chosen for kind, _event, _who, chosen in table(NOTIFICATIONS, *_KINDS)}
    assert set(channels) == set(OFFERED)
    for kind, offered in OFFERED.items():
        assert channels[kind].startswith("all" if Channel.EMAIL in offered.channels else "no mail"), kind
        assert ("always" in channels[kind]) is bool(offered.always), kind


def test_the_table_of_mails_has_every_reason_why_one_is_not_sent() -> None:
    said: dict[str, set[str]] = {"pending": set(), "dead": set(), "done": set(), "cancelled": set(), "none": set()}
    for found, *_ in table(NOTIFICATIONS, "the person's mail.send", "why", "what to do"):
        said[re.split(r"\W", found)[0]].update(re.findall(r'"(.+?)"', found))
    switched_off = {reason("…", Channel.EMAIL) for reason in (stopped_reason, switched_off_reason)}
    named = {MAIL_IS_OFF, DEFAULT_REASON, DISCARDED, DELETED_ACCOUNT, *switched_off, *_cancels(mails, recipients)}
    is_outdated = _cancels(outdated, reminders, invitation)
    assert named - is_outdated <= said["cancelled"] <= named | is_outdated, "The rest belongs to “any other”."
    assert said["done"] == {SENT_TOGETHER.format(id="…").removesuffix(".")}
    assert any(HELD_REASON.startswith(reason.removesuffix("…")) for reason in said["pending"])


def test_every_documented_form_of_smtp_url_is_valid() -> None:
    forms = [row[0] for row in table(NOTIFICATIONS, "SMTP_URL", "means")]
    assert [mail_server(form).host for form in forms] == ["host"] * 4


def test_the_table_of_quotas_has_the_limits_of_the_code() -> None:
    rows = table(DOCS / "quotas.md", "what", "of", "at most", "refused with")
    limits = [int(number) for row in rows if (number := row[2].split()[0].replace(",", "")).isdigit()]
    assert limits == [
        *(MAX_LISTINGS, MAX_TEMPLATES, MAX_TIME_OFF, MAX_DATES, CHANGES_PER_DAY),
        *(PROPOSALS_PER_DAY, MAX_FEEDS, FEEDS_PER_DAY, 4),
        *(
            MAX_KEYS,
            METADATA_LIMIT_BYTES // 1024,
            MAX_ENDPOINTS,
            ENDPOINTS_PER_DAY,
            MAX_VALID_SECRETS,
            MAX_SUBSCRIPTIONS,
        ),
        *(MAX_CHANGES_PER_DAY, MAX_OCCURRENCES),
    ]


def _cancels(*modules: ModuleType) -> set[str]:
    """The sentences with which modules cancel a delivery, but for those that a function makes."""
    found: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Cancel":
                match node.args[0]:
                    case ast.Constant(value=str(sentence)):
                        found.add(sentence)
                    case ast.Name(id=name):
                        found.add(getattr(module, name))
    return found


def _event(effect: Effect) -> str:
    return "every event" if effect.event.type == "*" else effect.event.type


def _steps(transitions: Mapping[Any, frozenset[Any]]) -> set[tuple[str, str]]:
    return {(str(before), str(after)) for before, follow in transitions.items() for after in follow}


def _of_constraints() -> set[str]:
    return {meaning().code for meaning in constraints._MEANINGS.values()}


def _raised() -> set[str]:
    return {_code_of(call, file) for call, file in _refusals()}


def _refusals() -> Iterator[tuple[ast.Call, Path]]:
    """Each refusal that is made anywhere, with its file."""
    folders = ("workflows", "infrastructure", "workers", "api")
    for file in [path for folder in folders for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                yield node, file


def _code_of(call: ast.Call, file: Path) -> str:
    """The code that it is given, or else its kind's."""
    assert isinstance(call.func, ast.Name)
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if not given:
        return KINDS[call.func.id].default_code
    assert isinstance(given[0], ast.Constant), f"{file}:{call.lineno} makes a code that cannot be looked up"
    return str(given[0].value)
