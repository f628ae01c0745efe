"""Compile every module once, before the processes of a run import them all at the same time, each for itself."""

import importlib.util
import multiprocessing
import os
import py_compile
from contextlib import suppress
from pathlib import Path

from cli.plan import ROOT

FOLDERS = ("api", "bench", "cli", "config", "infrastructure", "migrations", "models", "tests", "workers", "workflows")


def compile_modules() -> None:
    """Write the missing compiled files; pytest has rewritten the assertions of test modules."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as processes:
        processes.map(_compile, [file for file in files if not _is_compiled(file)], chunksize=8)


def _is_compiled(file: Path) -> bool:
    compiled = file.parent.joinpath("__pycache__").glob(f"{file.stem}.*.pyc")
    return any(each.stat().st_mtime >= file.stat().st_mtime for each in compiled)


def _compile(file: Path) -> None:
    if file.name.startswith("test_") or file.name == "conftest.py":
        spec = importlib.util.find_spec(".".join(file.relative_to(ROOT).with_suffix("").parts))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Its loader compiles and then executes it: without builtins, that ends at the first import.
        vars(module)["__builtins__"] = {}
        with suppress(ImportError):
            spec.loader.exec_module(module)
    else:
        py_compile.compile(str(file), quiet=1)
