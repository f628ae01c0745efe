"""Pages that the API serves to people: plain HTML, which works without JavaScript and loads nothing.

No cookie and no header proves who the reader is, only the signed address of the page, which no other site knows. So a
form needs no token against forged requests.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from enum import StrEnum
from hashlib import sha256

from flask import Response, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api import errors
from api.state import app_state
from workflows.kernel.errors import DomainError

HTML, JSON = "text/html", "application/json"
_ENVIRONMENT = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_PAGE = _ENVIRONMENT.get_template("page.html.j2")
# Our own text, and the only style that the policy admits.
_STYLE = Markup(_ENVIRONMENT.get_template("page.css.j2").render())  # noqa: S704 - no variable is put into it
# No scripts, no external resources and no framing, which clickjacking would need. The icon is an empty one: without it,
# browsers ask for a file.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; img-src data:;"
    " base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
)
_TITLES = {
    400: "This is not possible",
    403: "This is not possible",
    404: "This link does not work",
    409: "This is not possible",
    410: "This link has been used",
    412: "This has just been changed",
    413: "This is too long",
    415: "This is not possible",
    429: "This has been done too often",
    503: "Please try again in a moment",
}


class FieldKind(StrEnum):
    TEXTAREA = "textarea"
    CHECKBOX = "checkbox"
    CHOICES = "choices"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXTAREA
    hint: str = ""
    required: bool = False
    limit: int = 0  # of a text, in characters
    choices: Sequence[tuple[str, str]] = ()  # values with their labels
    value: str = ""  # what is entered or chosen; of a checkbox, whether it is empty
    error: str = ""  # what is wrong with it


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form that is sent to the address of its page."""

    submit: str
    fields: Sequence[Field] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    danger: bool = False  # whether what it does cannot be taken back
    leads_to: str | None = None  # the origin of another site that its answer leads to


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page; all of its text is escaped."""

    title: str
    alert: str = ""  # what went wrong, above the rest
    facts: Sequence[tuple[str, str]] = ()  # names with their values, which may have several lines
    paragraphs: Sequence[str] = ()
    form: Form | None = None
    besides: tuple[str, str] | None = None  # the words and the address of a link below the rest

    def with_errors(self, found: Mapping[str, str], entered: Mapping[str, str]) -> Page:
        """The page again, with what was entered and what is wrong with it.

        Args:
            found: a sentence for each field that is to blame.
        """
        assert self.form is not None
        fields = [
            replace(each, value=entered.get(each.name, ""), error=found.get(each.name, "")) for each in self.form.fields
        ]
        return replace(self, alert="Please check what you have entered.", form=replace(self.form, fields=fields))


def html_page(page: Page, status: int = 200) -> Response:
    """The answer that shows a page; it is not indexed, and as every answer neither kept nor named to other sites."""
    product = parseaddr(app_state().settings.mail_from)[0] or "Tutelage"
    answer = Response(
        _PAGE.render(page=page, style=_STYLE, product=product), status, content_type=f"{HTML}; charset=utf-8"
    )
    others = [page.form.leads_to] if page.form and page.form.leads_to else []
    answer.headers["Content-Security-Policy"] = _POLICY.format(forms=" ".join(["'self'", *others]))
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def refusal_page(
    error: Exception,
    *,
    default: str,
    title: str | None = None,
    advice: str = "",
    besides: tuple[str, str] | None = None,
) -> Response:
    """A refusal as a page for people and as JSON for programs, by what the request accepts.

    Args:
        default: which of the two for those that accept both.
        title: instead of the title by the status.
        advice: instead of the error's own sentence.
        besides: the words and the address of a link below it.
    """
    answer = errors.answer(error)
    offered = sorted([HTML, JSON], key=lambda each: each != default)
    if request.accept_mimetypes.best_match(offered, default=default) == HTML:
        sentence = advice or (error.message if isinstance(error, DomainError) else (answer.json or {})["message"])
        chosen = title or _TITLES.get(answer.status_code, "Something went wrong")
        page = html_page(Page(title=chosen, paragraphs=[sentence], besides=besides), answer.status_code)
        if "Retry-After" in answer.headers:
            page.headers["Retry-After"] = answer.headers["Retry-After"]
        answer = page
    answer.vary.add("Accept")
    return answer
