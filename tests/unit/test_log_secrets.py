"""Tests of the search of log output for secrets: whatever holds one fails the run, in each of xdist's processes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from cli.plan import ROOT

BEGIN = """
import logging
from tests.log_secrets import remember_secret
def test_first():
    remember_secret("of-this-run-alone-and-long")
"""
LEAKS = {
    "a JWT on standard output": 'print("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4")',
    "a webhook's secret in a log": 'logging.warning("made whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")',
    "a password in a file": '(tmp_path / "api.log").write_text("at postgresql://tutelage:pass-word@127.0.0.1/x")',
    "a signed link in a file": '(tmp_path / "log").write_text("GET /api/act/eyJhIjoxfQ.c2lnbmF0dXJl.x 200")',
    "what a test has remembered": 'print("the key is of-this-run-alone-and-long.")',
}
HARMLESS = 'print("eyJ and whsec_… and /act/<signed> and postgresql://127.0.0.1/x")'


def run(folder: Path, bodies: list[str], *options: str) -> tuple[int, str]:
    """Run a test of each of these bodies, test_0 and so on; gives the exit code and what the run said."""
    tests = [f"def test_{number}(tmp_path):\n    {body}\n" for number, body in enumerate(bodies)]
    (folder / "test_inner.py").write_text(BEGIN + "".join(tests))
    plugins = ["--disable-plugin-autoload", "-p", "xdist", "-p", "tests.log_secrets", "-p", "no:cacheprovider"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        *plugins,
        "--basetemp",
        str(folder / "temp"),
        *options,
    ]
    ended = subprocess.run(
        [*command, f"--rootdir={folder}", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # This run's own search is not to find it.
    shutil.rmtree(folder / "temp")
    return ended.returncode, ended.stdout


def test_a_secret_in_log_output_fails_the_run(tmp_path: Path) -> None:
    code, said = run(tmp_path, list(LEAKS.values()))
    assert code == 1
    _, _, found = said.partition("Log output holds secrets")
    for number, leak in enumerate(LEAKS):
        assert re.search(rf"test_{number}0?\b.*\[the secret\]", found), leak


def test_each_process_of_xdist_is_searched(tmp_path: Path) -> None:
    code, said = run(tmp_path, [LEAKS["a password in a file"]], "-n", "2")
    assert (code, "Log output holds secrets" in said) == (1, True)


def test_what_only_looks_like_one_is_no_secret(tmp_path: Path) -> None:
    code, said = run(tmp_path, [HARMLESS])
    assert code == 0, said
