"""What the person sees: each step as it happens, with its latency and who did it; plain lines where no terminal is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.text import Text

PLAIN_WIDTH = 120
NAME_WIDTH = 21
# Who acts on the demo's own side, besides the parts of the system.
SMTP_SINK = "smtp sink"
RECEIVER = "receiver"
DATABASE = "postgres"


class Show:
    """Prints; may be called from any thread."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, PLAIN_WIDTH)

    def act(self, title: str) -> None:
        """Begin a new part of the story."""
        self._console.print(Text(f"\n{title}", style="bold"), soft_wrap=True)

    def step(self, what: str, *, by: str, milliseconds: float | None = None) -> None:
        """One thing that has come out as promised.

        Args:
            by: the process that did it.
            milliseconds: how long it took; None where that means nothing.
        """
        took = "" if milliseconds is None else f"{milliseconds:,.0f} ms"
        line = Text.assemble(
            ("  ✓ " if self._console.is_terminal else "  ok ", "green"),
            (f"{took:>10}  ", "cyan"),
            (f"{by:<{NAME_WIDTH}}", "magenta"),
            what,
        )
        self._console.print(line, soft_wrap=True)

    def say(self, sentence: str) -> None:
        """A line of plain text."""
        self._console.print(Text(sentence), soft_wrap=True)

    def table(self, table: RenderableType) -> None:
        """A table, after an empty line."""
        self._console.print()
        self._console.print(table)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that something is being waited for; in a log there is nothing to see of it."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(what)):
            yield
