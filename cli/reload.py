"""Start the parts that run our code again whenever that code changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from watchfiles import Change, watch

from cli.servers import ROOT
from cli.supervise import SILENCE
from cli.system import System

PACKAGES = ("api", "config", "models", "workers", "workflows")
SUFFIXES = (".py", ".j2", ".sql")


@contextmanager
def reloading(system: System) -> Iterator[None]:
    """Watch the code for the time of a `with` block."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(system, stop), name="reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(system: System, stop: threading.Event) -> None:
    parts = [part for part in system.plan.parts if part.reloads]
    for changes in watch(*(ROOT / package for package in PACKAGES), watch_filter=_is_code, stop_event=stop):
        changed = ", ".join(sorted(Path(path).name for _change, path in changes))
        click.echo(f"{changed} changed: starting our parts again.")
        try:
            system.restart(parts)
        except SILENCE as error:
            click.echo(f"Not every part could be started again: {error}")


def _is_code(_change: Change, path: str) -> bool:
    return path.endswith(SUFFIXES)
