"""Plots of a run, as SVG files for docs/: lives, what they cost, and requests and accepts a second."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import median
from textwrap import fill

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.machine import ROOT
from bench.measures import lives_row, plural, rate_row
from bench.results import Results, Row, process_names

FOLDER = ROOT / "docs" / "pictures"
CLIENTS = (1, 4, 16)
# A picture for readers with a dark screen as well.
STYLE = "@media (prefers-color-scheme: dark) { :root { filter: invert(0.93) hue-rotate(180deg) } }"


def draw(results: Results, folder: Path = FOLDER) -> None:
    """Write every plot for which the run has figures."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif"})
    if lives_row(4) in results.samples:
        figure, (left, right) = _panels("Whole lives of bookings")
        _bars(left, results, [lives_row(clients) for clients in CLIENTS], "lives a second until all effects are done")
        _stacks(right, results)
        _save(figure, folder / "performance-life.svg", results, "Whole lives of bookings", [lives_row(4)])
    rows = [rate_row(what, clients) for what in ("requests", "accepts") for clients in CLIENTS]
    if any(row in results.samples for row in rows):
        figure, (left, right) = _panels("The API alone, workers off")
        _bars(left, results, rows[:3], "requests a second")
        _bars(right, results, rows[3:], "accepts a second")
        _save(figure, folder / "performance-rates.svg", results, "Requests and accepts a second", rows)


def _panels(title: str) -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    return figure, (left, right)


def _bars(axes: Axes, results: Results, rows: Sequence[Row], title: str) -> None:
    """A group of bars for each number of clients, a bar for each contender, with the lowest and highest round."""
    contenders = list(dict.fromkeys(name for row in rows for name in results.samples.get(row, {})))
    width = 0.8 / max(1, len(contenders))
    for place, contender in enumerate(contenders):
        values = [results.samples.get(row, {}).get(contender, []) for row in rows]
        middles = [median(of_row) if of_row else 0.0 for of_row in values]
        below = [middle - min(of_row, default=middle) for middle, of_row in zip(middles, values, strict=True)]
        above = [max(of_row, default=middle) - middle for middle, of_row in zip(middles, values, strict=True)]
        at = [group + (place - (len(contenders) - 1) / 2) * width for group in range(len(rows))]
        axes.bar(at, middles, width, yerr=[below, above], label=contender, error_kw={"linewidth": 1})
    axes.set_xticks(range(len(rows)), [plural(clients) for clients in CLIENTS])
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)


def _stacks(axes: Axes, results: Results) -> None:
    """The cost of a life at four clients, by process, one bar for each contender."""
    titles = [title for title in results.processor_ms if title.endswith(plural(4))]
    colors = matplotlib.colormaps["tab20"]
    bottom = [0.0] * len(titles)
    for number, name in enumerate(process_names(results)):
        values = [median(results.processor_ms[title].get(name, [0.0])) for title in titles]
        axes.bar(titles, values, bottom=bottom, label=name, color=colors(number % 20))
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    axes.set_title("processor milliseconds a life, by process", fontsize=10)
    axes.legend(fontsize=7, reverse=True, bbox_to_anchor=(1, 1), loc="upper left")


def _save(figure: Figure, path: Path, results: Results, title: str, rows: Sequence[Row]) -> None:
    """Write the SVG with a title and a description in words, for those who do not see it."""
    told = [
        f"{row.name}: " + ", ".join(f"{name} {median(values):.3g}" for name, values in results.samples[row].items())
        for row in rows
        if row in results.samples
    ]
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    words = f"<title>{escape(title)}</title>\n<desc>{escape(fill('; '.join(told), 110))}</desc>\n<style>{STYLE}</style>"
    text = re.sub(r"(<svg [^>]*?)>", rf'\1 role="img">\n{words}', buffer.getvalue(), count=1)
    path.write_text(re.sub(r"[ \t]+$", "", text[text.index("<svg") :], flags=re.MULTILINE))
