"""Languages of readers: the texts of a catalogue (gettext), and dates and money as CLDR has them for a locale.

English texts are the keys of catalogues. A catalogue is `workflows/locales/<language>.po`, or a file of the operator.
Babel is imported where a language is first used: few processes write any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from babel import Locale
    from babel.dates import DateTimePattern
    from babel.messages import Catalog
    from babel.numbers import NumberPattern

SOURCE_LANGUAGE = "en"
CATALOGUES = files("workflows") / "locales"
CATALOGUE_SUFFIX = ".po"
# Users choose their locale freely, so that not all of them can be kept.
KEPT_LANGUAGES = 256
# Prices are the same for many bookings.
KEPT_AMOUNTS = 4096
_DECIMALS = re.compile(r"0\.0+")


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogues that is translated where it is shown."""
    return text


class Language:
    """The language of a reader.

    Args:
        locale: of dates and money; `de-AT` has the texts of `de`.
        catalogue: its texts.
    """

    def __init__(self, locale: Locale, catalogue: NullTranslations) -> None:
        self.locale, self.catalogue = locale, catalogue
        self._money_patterns: dict[str, NumberPattern] = {}  # by currency

    @property
    def tag(self) -> str:
        """Its BCP 47 tag, as HTML names a language."""
        return str(self.locale).replace("_", "-")

    def gettext(self, text: str, **values: object) -> str:
        """A text of ours in this language, with `values` in the place of `%(name)s`."""
        return self.catalogue.gettext(text) % values

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """A text in the form of the number `n`, which `%(n)s` stands for."""
        return self.catalogue.ngettext(one, many, n) % {"n": n, **values}

    def names(self, names: Sequence[str]) -> str:
        """Names in a sentence, such as `Ada and Grace`."""
        from babel.lists import format_list  # noqa: PLC0415

        joined: str = format_list(names, locale=self.locale)
        return joined

    def local_time(self, moment: datetime, time_zone: str) -> str:
        """The moment as a person reads it in their time zone, with the zone's name."""
        shown = self._time_pattern.apply(moment.astimezone(ZoneInfo(time_zone)), self.locale)
        return f"{shown} ({time_zone})"

    def money(self, amount: int, currency: str) -> str:
        """An amount with its currency, `$20.00`.

        Args:
            amount: in minor units of ISO 4217. (CLDR, and so Babel, counts other decimals for 13 currencies.)
        """
        return _money(self, amount, currency)

    def _written_money(self, amount: int, currency: str) -> str:
        decimals = _decimals_of(currency)
        if currency not in self._money_patterns:
            self._money_patterns[currency] = self._money_pattern(currency, decimals)
        value, pattern = Decimal(amount).scaleb(-decimals), self._money_patterns[currency]
        shown: str = pattern.apply(value, self.locale, currency=currency, currency_digits=False)
        return shown

    def _money_pattern(self, currency: str, decimals: int) -> NumberPattern:
        from babel.numbers import get_currency_symbol, parse_pattern  # noqa: PLC0415

        pattern = _DECIMALS.sub(f"0.{'0' * decimals}".rstrip("."), self.locale.currency_formats["standard"].pattern)
        # CLDR has a blank between letters and digits, which Babel leaves out.
        if get_currency_symbol(currency, locale=self.locale)[-1].isalpha():
            pattern = pattern.replace("¤#", "¤\xa0#").replace("¤0", "¤\xa00")
        return parse_pattern(pattern)

    @cached_property
    def _time_pattern(self) -> DateTimePattern:
        from babel.dates import parse_pattern  # noqa: PLC0415

        date, time = self.locale.date_formats["full"].pattern, self.locale.time_formats["short"].pattern
        return parse_pattern(self.locale.datetime_formats["full"].replace("{1}", date).replace("{0}", time))


@lru_cache(KEPT_AMOUNTS)
def _money(language: Language, amount: int, currency: str) -> str:
    return language._written_money(amount, currency)


# The operator's default, and the folder with their catalogues.
_chosen: tuple[str, Path | None] = (SOURCE_LANGUAGE, None)


def use_languages(default: str = SOURCE_LANGUAGE, folder: Path | None = None) -> None:
    """Use the operator's default locale and catalogues in this process from now on."""
    global _chosen
    _chosen = (default, folder)
    language_of.cache_clear()
    _catalogue.cache_clear()


@lru_cache(KEPT_LANGUAGES)
def language_of(tag: str | None) -> Language:
    """The language for a BCP 47 tag, or the default one where there is no catalogue for it."""
    default, folder = _chosen
    for wanted in (tag or default, default, SOURCE_LANGUAGE):
        for shorter in _shortened(wanted):
            catalogue, locale = _catalogue(shorter, folder), _locale(wanted)
            if catalogue is not None and locale is not None:
                return Language(locale, catalogue)
    raise LookupError(SOURCE_LANGUAGE)


def catalogue_files(folder: Path | None) -> dict[str, list[Traversable]]:
    """Our catalogues and the operator's by their tags; of one tag, the operator's first."""
    found: dict[str, list[Traversable]] = {}
    for place in ([folder] if folder else []) + [CATALOGUES]:
        for file in sorted(place.iterdir(), key=lambda each: each.name):
            if file.name.endswith(CATALOGUE_SUFFIX):
                found.setdefault(file.name.removesuffix(CATALOGUE_SUFFIX).lower(), []).append(file)
    return found


def read_catalogue(file: Traversable) -> Catalog:
    """The messages of a file; raises UnicodeDecodeError or PoFileError where it is none."""
    from babel.messages.pofile import read_po  # noqa: PLC0415

    with file.open("rb") as opened:
        return read_po(opened, abort_invalid=True)


def is_known(tag: str) -> bool:
    """Whether CLDR has a language for a tag."""
    return _locale(tag) is not None


@cache
def languages() -> tuple[str, ...]:
    """The tags for which there are texts."""
    return tuple(sorted({SOURCE_LANGUAGE, *catalogue_files(_chosen[1])}))


def _shortened(tag: str) -> Iterator[str]:
    """The tag and all that are shorter, as a look-up tries them (RFC 4647, section 3.4)."""
    subtags = tag.replace("_", "-").split("-")
    for length in range(len(subtags), 0, -1):
        yield "-".join(subtags[:length])


def _locale(tag: str) -> Locale | None:
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415

    for shorter in _shortened(tag):
        try:
            return Locale.parse(shorter, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return None


@cache
def _catalogue(tag: str, folder: Path | None) -> NullTranslations | None:
    from babel.messages.mofile import write_mo  # noqa: PLC0415

    found: NullTranslations | None = NullTranslations() if tag.lower() == SOURCE_LANGUAGE else None
    for file in reversed(catalogue_files(folder).get(tag.lower(), [])):
        compiled = BytesIO()
        write_mo(compiled, read_catalogue(file))
        compiled.seek(0)
        texts = GNUTranslations(compiled)
        if found is not None:
            texts.add_fallback(found)
        found = texts
    return found


@cache
def _decimals_of(currency: str) -> int:
    # Imported here: it reads its tables as it is imported, 2 MB that few processes need.
    from iso4217 import raw_table as iso_4217  # noqa: PLC0415

    # A currency that has been replaced since the price was set is no longer in the table.
    return int(str(iso_4217[currency]["CcyMnrUnts"])) if currency in iso_4217 else 2
