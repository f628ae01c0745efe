"""Pages that the API serves to people: plain HTML, which works without JavaScript and loads nothing.

No cookie and no header proves who the reader is, only the signed address of the page, which no other site knows. So a
form needs no token against forged requests.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256

from flask import Response, g, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api import errors
from api.state import app_state
from config.brand import origin_of
from workflows.kernel.errors import DomainError
from workflows.kernel.language import SOURCE_LANGUAGE, Language, gettext_noop, language_of, languages
from workflows.notifications.texts import Brand

HTML, JSON = "text/html", "application/json"
_ENVIRONMENT = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLE = _ENVIRONMENT.get_template("page.css.j2")
_PAGE = _ENVIRONMENT.get_template("page.html.j2")
# No scripts, no external resources and no framing, which clickjacking would need. The icon is an empty one: without it,
# browsers ask for a file.
_POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; img-src {images}; base-uri 'none'; form-action {forms};"
    " frame-ancestors 'none'"
)
_TITLES = {
    400: gettext_noop("This is not possible"),
    403: gettext_noop("This is not possible"),
    404: gettext_noop("This link does not work"),
    409: gettext_noop("This is not possible"),
    410: gettext_noop("This link has been used"),
    412: gettext_noop("This has just been changed"),
    413: gettext_noop("This is too long"),
    415: gettext_noop("This is not possible"),
    429: gettext_noop("This has been done too often"),
    503: gettext_noop("Please try again in a moment"),
}


def page_language() -> Language:
    """The language of the reader of this page: of the user of its link, or as the browser asks."""
    locale: str | None = g.get("page_locale") or request.accept_languages.best_match(languages())
    return language_of(locale)


def gettext(text: str, **values: object) -> str:
    """A text of a page in its reader's language."""
    return page_language().gettext(text, **values)


@cache
def _style(brand: Brand) -> Markup:
    """Our own text, and the only style that the policy admits; the colours of a brand are checked as settings."""
    return Markup(_STYLE.render(brand=brand))  # noqa: S704


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
        return replace(
            self, alert=gettext("Please check what you have entered."), form=replace(self.form, fields=fields)
        )


def html_page(page: Page, status: int = 200) -> Response:
    """The answer that shows a page; it is not indexed, and as every answer neither kept nor named to other sites."""
    language, brand = page_language(), app_state().brand
    style = _style(brand)
    content = _PAGE.render(page=page, style=style, brand=brand, language=language, _=language.gettext)
    answer = Response(content, status, content_type=f"{HTML}; charset=utf-8")
    answer.headers["Content-Language"] = language.tag
    others = [page.form.leads_to] if page.form and page.form.leads_to else []
    answer.headers["Content-Security-Policy"] = _POLICY.format(
        style=b64encode(sha256(style.encode()).digest()).decode(),
        images=" ".join(["data:", *([origin_of(brand.logo_url)] if brand.logo_url else [])]),
        forms=" ".join(["'self'", *others]),
    )
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
        advice: instead of the error's own sentence, in the reader's language.
        besides: the words and the address of a link below it.
    """
    answer = errors.answer(error)
    offered = sorted([HTML, JSON], key=lambda each: each != default)
    if request.accept_mimetypes.best_match(offered, default=default) == HTML:
        said = error.message if isinstance(error, DomainError) else (answer.json or {})["message"]
        chosen = title or _TITLES.get(answer.status_code, gettext_noop("Something went wrong"))
        page = html_page(
            Page(title=gettext(chosen), paragraphs=[advice or _translated(said)], besides=besides), answer.status_code
        )
        if "Retry-After" in answer.headers:
            page.headers["Retry-After"] = answer.headers["Retry-After"]
        answer = page
    answer.vary.update(("Accept", "Accept-Language"))
    return answer


def _translated(sentence: str) -> str:
    """The sentence of a refusal; in another language, one general sentence for refusals that only programs get."""
    language = page_language()
    translated = language.catalogue.gettext(sentence)
    if translated == sentence and language.locale.language != SOURCE_LANGUAGE:
        return language.gettext("Sign in to the application to see what is possible.")
    return translated
