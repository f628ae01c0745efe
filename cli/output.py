"""Output of commands: help whose summaries are whole, and records as a table, as paragraphs, or as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from textwrap import fill
from typing import ClassVar

import click

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON array, for programs.")
# More characters than a summary has, and more columns than a terminal.
_WHOLE_SUMMARY, _ANY_WIDTH = 1_000, 100_000
_MIN_TEXT_WIDTH = 24


class SummaryGroup(click.Group):
    """A group whose help has the whole summary of each command, wrapped at words; click cuts it at the line's end."""

    sections: ClassVar[Mapping[str, Sequence[str]]] = {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        in_sections = {name for names in self.sections.values() for name in names}
        rest = [name for name in self.list_commands(ctx) if name not in in_sections]
        for title, names in {"Commands": rest, **self.sections}.items():
            found = [(name, command) for name in names if (command := self.get_command(ctx, name)) is not None]
            if found:
                with formatter.section(title):
                    formatter.write_dl([(name, each.get_short_help_str(_WHOLE_SUMMARY)) for name, each in found])


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun, such as `1 entry` and `2 entries`."""
    return f"{number} {one if number == 1 else many}"


def print_records(records: Sequence[Mapping[str, object]], *, as_json: bool, title: str | None = None) -> None:
    """Print records that have the same keys: a table where it fits the terminal, else one paragraph a record.

    The last column is a text that may be wrapped; all others are whole.

    Args:
        as_json: print them as JSON, with the keys as they are; else the keys are the headings.
        title: of the table.
    """
    if as_json:
        click.echo(json.dumps(records, indent=2, default=str))
        return
    # Few commands need it.
    from rich.console import Console  # noqa: PLC0415
    from rich.measure import Measurement  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    if not records:
        console.print("None.")
        return
    table = Table(title=title)
    *others, last = records[0]
    for heading in others:
        table.add_column(heading, no_wrap=True)
    table.add_column(last, overflow="fold", min_width=_MIN_TEXT_WIDTH)
    for record in records:
        table.add_row(*map(_text, record.values()))
    if Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).minimum <= console.width:
        console.print(table, highlight=False)
    else:
        click.echo("\n\n".join(_paragraph(record, console.width) for record in records))


def echo_labelled(label: str, sentence: str) -> None:
    """Print a line that begins with a label; on a terminal its words are wrapped below the sentence's first."""
    if sys.stdout.isatty():
        width = max(get_terminal_size().columns, len(label) + _MIN_TEXT_WIDTH)
        click.echo(_filled(sentence, width, label))
    else:
        click.echo(f"{label}{sentence}")


def _paragraph(record: Mapping[str, object], width: int) -> str:
    """One value a line; the words of a long one are wrapped below its first."""
    shown = {heading: text for heading, value in record.items() if (text := _text(value))}
    indent = max(map(len, shown)) + 2
    whole = max(width, indent + _MIN_TEXT_WIDTH)
    return "\n".join(_filled(text, whole, f"{heading}:".ljust(indent)) for heading, text in shown.items())


def _filled(text: str, width: int, label: str) -> str:
    """The text after its label, wrapped at words below its first."""
    return fill(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
