"""A run's results, written into docs/: the table of its figures, the arithmetic past one machine, and plots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from textwrap import fill

from bench.machine import ROOT, lines_of_code
from bench.measures import OF_A_LIFE
from bench.results import Results, Row, process_names, shown

PAGE = ROOT / "docs" / "performance.md"
SCALING = ROOT / "docs" / "scaling.md"
FIGURES = ROOT / "docs" / "performance.json"
BEGIN, END = "<!-- {name}: written by make bench -->", "<!-- end of {name} -->"

SESSIONS_A_DAY = 10_000_000
SECONDS_A_DAY = 86_400
PEAK = 3  # the busiest minute's rate over the day's average
MAX_BUSY_SHARE = 0.6  # how busy a core may be at that peak
CORES_OF_A_PRIMARY = 32
ACCEPTS_A_SECOND = (10, 100, 1_000, 10_000)
LEAST = 2  # of each process, so that one may fail
GIBIBYTE = 1024**3


def publish(
    results: Results, product: str, page: Path = PAGE, figures: Path = FIGURES, scaling: Path = SCALING
) -> None:
    """Write the figures beside the page, and what follows from them into both pages, between their markers."""
    figures.write_text(results.as_json())
    text = page.read_text()
    text = between(text, "figures", figures_table(results, product))
    if (arithmetic := arithmetic_of(results, product)) is not None:
        text = between(text, "arithmetic", arithmetic.as_markdown())
        table = capacity_table(_milliseconds(results, product), arithmetic.wal_bytes, arithmetic.stored_bytes)
        scaling.write_text(between(scaling.read_text(), "capacity", table))
    page.write_text(text)


def between(text: str, name: str, content: str) -> str:
    """Replace the text between the markers of that name.

    Raises:
        ValueError: the markers are not there.
    """
    begin, end = BEGIN.format(name=name), END.format(name=name)
    before, found, rest = text.partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ValueError(f"The page has no place for {name}, between {begin} and {end}.")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def figures_table(results: Results, product: str) -> str:
    """The medians of every row, as tables in Markdown, with the machine and the commit."""
    where = results.machine
    changed = ", with changes that are not committed" if where.changed else ""
    run = (
        f"Run of {where.at[:10]}, commit {where.commit}{changed}: {where.cores} cores ({where.processor}),"
        f" {where.memory_gib:g} GiB, {where.system}, Python {where.python}, load {where.load_before:g} before the run;"
        f" medians of {results.rounds} rounds and their spread."
    )
    lines = [fill(run, 118), "", f"| | {product} | beside it | ratio | aim |", "|---|---|---|---|---|"]
    lines += [line for row in results.samples for line in _row_lines(results, row, product)]
    lines += ["", *(f"{fill(note, 118)}\n" for note in results.notes)] if results.notes else []
    lines += ["", "Lines of code, blank ones and comments included:", "", "| | lines |", "|---|---|"]
    lines += [f"| {name} | {count:,} |" for name, count in lines_of_code().items()]
    if results.processor_ms:
        lines += ["", "Processor milliseconds a life, by process:", "", *_process_lines(results)]
    return "\n".join(lines)


def _row_lines(results: Results, row: Row, product: str) -> Iterator[str]:
    summaries = {summary.contender: summary for summary in results.summaries(row)}
    own = summaries.pop(row.subject or product, None)
    named = f"{row.subject}: " if row.subject else ""
    mine = f"{named}{shown(own.median)} ± {own.spread_percent:.0f}%" if own else ""
    if not summaries:
        yield f"| {row.name} ({row.unit}) | {mine} | | | |"
    for place, (name, summary) in enumerate(summaries.items()):
        title = f"{row.name} ({row.unit})" if not place else ""
        ratio = results.ratio(row, row.subject or product, name)
        aim = row.aim(name)
        bound = f"{'≥' if row.more_is_better else '≤'} {aim:g} ×" if aim else ""
        other = f"{name}: {shown(summary.median)} ± {summary.spread_percent:.0f}%"
        yield f"| {title} | {mine if not place else ''} | {other} | {f'{ratio:.2f} ×' if ratio else ''} | {bound} |"


def _process_lines(results: Results) -> Sequence[str]:
    titles = list(results.processor_ms)
    lines = [f"| | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    for name in process_names(results):
        cells = [results.processor_ms[title].get(name) for title in titles]
        lines.append(f"| {name} | {' | '.join(f'{median(cell):.1f}' if cell else '' for cell in cells)} |")
    totals = [sum(median(values) for values in results.processor_ms[title].values()) for title in titles]
    return [*lines, f"| all | {' | '.join(f'{total:.0f}' for total in totals)} |"]


@dataclass(frozen=True)
class Arithmetic:
    """The needs of ten million sessions a day, from the measured cost of one life."""

    life_ms: float  # processor milliseconds of all processes
    postgres_ms: float  # PostgreSQL's among them
    commits: float  # transactions of a life
    rows_written: float  # rows inserted and updated
    wal_bytes: float  # written to the write-ahead log
    stored_bytes: float  # by which the database grew, indexes included

    @property
    def peak_lives(self) -> float:
        """A second, in the busiest minute."""
        return SESSIONS_A_DAY / SECONDS_A_DAY * PEAK

    def cores(self, milliseconds: float) -> float:
        """How many cores the peak needs for something that costs so much a life."""
        return self.peak_lives * milliseconds / 1000 / MAX_BUSY_SHARE

    @property
    def primaries(self) -> int:
        """How many PostgreSQL primaries of CORES_OF_A_PRIMARY cores the peak needs."""
        return max(1, -int(-self.cores(self.postgres_ms) // CORES_OF_A_PRIMARY))

    def as_markdown(self) -> str:
        """As a table."""
        day = SESSIONS_A_DAY
        average = day / SECONDS_A_DAY
        programs = self.life_ms - self.postgres_ms
        rows = {
            "lives a second: average, and at a peak of three times that": f"{average:,.0f}, {self.peak_lives:,.0f}",
            "HTTP requests a second at the peak, five a life": f"{self.peak_lives * 5:,.0f}",
            "commits a second at the peak": f"{self.peak_lives * self.commits:,.0f} ({self.commits:.0f} a life)",
            "rows written a day": f"{day * self.rows_written / 1e6:,.0f} million ({self.rows_written:.0f} a life)",
            "write-ahead log a day, and at the peak": f"{day * self.wal_bytes / GIBIBYTE:,.0f} GiB,"
            f" {self.peak_lives * self.wal_bytes / 1e6:,.1f} MB/s ({self.wal_bytes / 1024:,.0f} KiB a life)",
            "stored a day, indexes included": f"{day * self.stored_bytes / GIBIBYTE:,.0f} GiB"
            f" ({self.stored_bytes / 1024:,.0f} KiB a life)",
            "cores for API and workers at the peak, 60% busy": f"{self.cores(programs):,.0f}"
            f" ({programs:.0f} ms a life)",
            "cores for PostgreSQL at the peak, 60% busy": f"{self.cores(self.postgres_ms):,.0f}"
            f" ({self.postgres_ms:.0f} ms a life)",
            f"primaries of {CORES_OF_A_PRIMARY} such cores": f"{self.primaries}",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def capacity_table(milliseconds: Mapping[str, float], wal_bytes: float, stored_bytes: float) -> str:
    """The needs of each rate of accepts, of which each is one whole life.

    Args:
        milliseconds: of processor time that a life costs each process.
        wal_bytes: written to the log by a life.
        stored_bytes: by which a life makes the database grow.
    """

    def busy(name: str, rate: int) -> float:
        return rate * milliseconds[name] / 1000 / MAX_BUSY_SHARE

    def processes(name: str) -> list[str]:
        # A process of Python keeps at most one core busy.
        return [f"{max(LEAST, ceil(busy(name, rate))):,}" for rate in ACCEPTS_A_SECOND]

    def a_day(size_bytes: float) -> list[str]:
        return [f"{rate * SECONDS_A_DAY * size_bytes / GIBIBYTE:,.0f} GiB" for rate in ACCEPTS_A_SECOND]

    workers = [name for name in milliseconds if name.startswith("worker-")]
    cores = {name: [busy(name, rate) for rate in ACCEPTS_A_SECOND] for name in ("postgres", "valkey")}
    rows = {
        "processes of the API (`API_WORKERS` of all machines)": processes("api"),
        **{f"`{name}`": processes(name) for name in workers},
        "cores of PostgreSQL": [f"{max(1, ceil(each)):,}" for each in cores["postgres"]],
        f"primaries of {CORES_OF_A_PRIMARY} cores": [
            f"{ceil(each / CORES_OF_A_PRIMARY):,}" for each in cores["postgres"]
        ],
        "cores of Redis, which uses one": [f"{each:.2f}" for each in cores["valkey"]],
        "write-ahead log a day": a_day(wal_bytes),
        "stored a day": a_day(stored_bytes),
    }
    head = f"| accepts a second | {' | '.join(f'{rate:,}' for rate in ACCEPTS_A_SECOND)} |"
    lines = [f"| {name} | {' | '.join(values)} |" for name, values in rows.items()]
    return "\n".join([head, "|---|" + "---|" * len(ACCEPTS_A_SECOND), *lines])


def _milliseconds(results: Results, product: str) -> dict[str, float]:
    """Of a life by four clients, by process."""
    return {name: median(values) for name, values in results.processor_ms.get(f"{product}, 4 clients", {}).items()}


def arithmetic_of(results: Results, product: str) -> Arithmetic | None:
    """From the lives of a run by four clients; None where it measured none."""
    milliseconds = _milliseconds(results, product)
    of_life = {
        row.name.removeprefix(OF_A_LIFE): median(values[product])
        for row, values in results.samples.items()
        if row.name.startswith(OF_A_LIFE) and product in values
    }
    if not milliseconds or not of_life:
        return None
    return Arithmetic(
        life_ms=sum(milliseconds.values()),
        postgres_ms=milliseconds["postgres"],
        commits=of_life["commits"],
        rows_written=of_life["rows inserted"] + of_life["rows updated"],
        wal_bytes=of_life["write-ahead log"] * 1024,
        stored_bytes=of_life["stored"] * 1024,
    )
