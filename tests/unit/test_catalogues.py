"""Tests of the catalogues: every text in every language, with the same placeholders."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from babel.messages import Catalog, Message

from workflows.kernel.catalogues import catalogue_errors, untranslated, wrong_placeholders
from workflows.kernel.language import CATALOGUES, catalogue_files, language_of, read_catalogue, use_languages
from workflows.notifications.templating import template_errors

ROOT = Path(__file__).parents[2]
SOURCES = ("api", "workflows", "workers")
OURS = ("de",)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The texts that are in the code and the templates now."""
    found = tmp_path_factory.mktemp("texts") / "messages.pot"
    keywords = ("-k", "gettext_noop", "-k", "Kind:1")
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract", "-F", "pyproject.toml", *keywords]
    subprocess.run([*command, "-o", str(found), *SOURCES], cwd=ROOT, check=True, timeout=60)
    return read_catalogue(found)


def forms(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(cast(Sequence[str], value or ()))


def messages(catalogue: Catalog) -> dict[tuple[str, ...], Message]:
    return {tuple(forms(message.id)): message for message in catalogue if message.id}


def test_the_template_of_catalogues_has_the_texts_of_the_code(texts: Catalog) -> None:
    shipped = read_catalogue(CATALOGUES / "messages.pot")
    assert set(messages(shipped)) == set(messages(texts)), "run `make texts`"
    assert len(messages(texts)) > 300


@pytest.mark.parametrize("tag", OURS)
def test_every_text_is_translated(texts: Catalog, tag: str) -> None:
    (file,) = catalogue_files(None)[tag]
    translated = messages(read_catalogue(file))
    assert set(translated) == set(messages(texts)), "run `make texts`, and translate what is new"
    lacking = [text for text, message in translated.items() if not all(forms(message.string)) or message.fuzzy]
    assert lacking == []


@pytest.mark.parametrize("tag", OURS)
def test_every_translation_has_the_placeholders_of_its_text(tag: str) -> None:
    (file,) = catalogue_files(None)[tag]
    catalogue = read_catalogue(file)
    assert [(message.id, errors) for message, errors in catalogue.check()] == []
    for text, message in messages(catalogue).items():
        translation = tuple(forms(message.string))
        assert wrong_placeholders(text, translation) == set(), text
        # Blanks at the ends of a text join it to its neighbours.
        for form in translation:
            assert (form[:1].isspace(), form[-1:].isspace()) == (text[0][:1].isspace(), text[0][-1:].isspace()), text


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("de", "de"),
        ("de-AT", "de-AT"),
        ("DE_ch", "de-CH"),
        ("de-DE-u-co-phonebk", "de-DE"),
        ("de-XX", "de"),
        ("en-GB", "en-GB"),
        *((unknown, "en") for unknown in ("fr", "xx", "x", "", "-", "zh-TW", "de\n", None)),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_the_default(tag: str | None, found: str) -> None:
    language = language_of(tag)
    assert language.tag == found
    assert language.gettext("Unsubscribe") == ("Abbestellen" if found.startswith("de") else "Unsubscribe")


HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that an operator keeps catalogues in."""
    yield tmp_path
    use_languages()


def test_an_operators_catalogue_adds_a_language_and_replaces_single_texts(folder: Path) -> None:
    (folder / "fr.po").write_text(HEADER + 'msgid "Unsubscribe"\nmsgstr "Se désabonner"\n', encoding="utf-8")
    (folder / "de.po").write_text(HEADER + 'msgid "Unsubscribe"\nmsgstr "Abmelden"\n', encoding="utf-8")
    use_languages("fr", folder)
    assert catalogue_errors(folder) == []
    assert language_of("fr-CA").gettext("Unsubscribe") == language_of("xx").gettext("Unsubscribe") == "Se désabonner"
    assert language_of("fr").gettext("Sessions") == "Sessions"
    assert language_of("de").gettext("Unsubscribe") == "Abmelden"
    assert language_of("de").gettext("Sessions") == "Sitzungen"
    assert language_of("en").gettext("Unsubscribe") == "Unsubscribe"
    assert language_of("fr").ngettext("%(n)s day", "%(n)s days", 0) == "0 days"
    lacking = untranslated(folder)
    assert set(lacking) == {"fr.po"}
    assert "Sessions" in lacking["fr.po"]
    assert "Unsubscribe" not in lacking["fr.po"]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("klingon.po", "", "is for no language"),
        ("fr.po", 'msgid "x', "cannot be read"),
        ("fr.po", 'msgid "From %(time)s"\nmsgstr "De %(temps)s"\n', "placeholders"),
        ("fr.po", 'msgid "From %(time)s"\nmsgstr "De 100 % %(time)s"\n', "placeholders"),
        ("fr.po", 'msgid "From %(time)s"\nmsgstr "De"\n', "placeholders"),
    ],
)
def test_an_unusable_catalogue_is_an_error(folder: Path, name: str, text: str, complaint: str) -> None:
    (folder / name).write_text(HEADER + text, encoding="utf-8")
    (error,) = template_errors(folder)
    assert error.startswith(f"TEMPLATES_FOLDER: {name} ")
    assert complaint in error


@pytest.mark.parametrize(
    ("tag", "amount", "currency", "shown"),
    [
        ("en", 123456, "USD", "$1,234.56"),
        ("de", 123456, "EUR", "1.234,56\xa0€"),
        ("de-AT", 123456, "EUR", "€\xa01.234,56"),
        ("de", 500, "JPY", "500\xa0¥"),
        ("en", -1234567, "KWD", "-KWD\xa01,234.567"),
        # CLDR shows its amounts without the decimals that ISO 4217 has.
        ("en", 123456, "IQD", "IQD\xa0123.456"),
        ("en", 0, "XXY", "XXY\xa00.00"),
    ],
)
def test_money_has_all_its_decimals(tag: str, amount: int, currency: str, shown: str) -> None:
    assert language_of(tag).money(amount, currency) == shown
