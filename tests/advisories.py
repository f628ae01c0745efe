"""`make check`: known vulnerabilities of the pinned dependencies, looked up by pip-audit where its service answers.

Without a network, or when the service is slow, it says so and passes: nothing about the code is wrong then.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.plan import ROOT

# Development's lock holds production's as well.
LOCK = ROOT / "requirements-dev.lock"
STAMP = ROOT / ".venv" / ".audited"
LIMIT_SECONDS = 20.0
STAMP_SECONDS = 24 * 3600.0
# Known advisories that do not concern us: the id and why. An entry that is no longer found is reported.
IGNORED: Mapping[str, str] = {}

# The whole of standard output; None when it took too long.
Audit = Callable[[Sequence[str], float], str | None]


def main(audit: Audit | None = None, *, stamp: Path = STAMP, ignored: Mapping[str, str] = IGNORED) -> int:
    """Look the dependencies up, print what is found, and return the exit code: 1 for a vulnerability.

    Args:
        audit: runs a command for so many seconds at most; a process when left out.
        stamp: where it is kept that this lock was found good, which holds for a day.
    """
    digest = hashlib.sha256(LOCK.read_bytes() + repr(sorted(ignored)).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and time.time() - stamp.stat().st_mtime < STAMP_SECONDS:
        print("pip-audit: this lock was looked up within the last day.")
        return 0
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    output = (audit or _run)([*command, "--format", "json", "--progress-spinner", "off"], LIMIT_SECONDS)
    try:
        dependencies = json.loads(output or "")["dependencies"]
    except (ValueError, LookupError):
        print(f"pip-audit: skipped, since its service did not answer within {LIMIT_SECONDS:.0f} seconds.")
        return 0
    found = _advisories(dependencies)
    for advisory in sorted(found.keys() - ignored.keys()):
        print(f"pip-audit: {found[advisory]}")
    for advisory in sorted(ignored.keys() - found.keys()):
        print(f"pip-audit: {advisory} is ignored and no longer found: remove it from {Path(__file__).name}.")
    if found.keys() ^ ignored.keys():
        return 1
    print(f"pip-audit: no known vulnerability in {len(dependencies)} packages.")
    if stamp.parent.exists():
        stamp.write_text(digest)
    return 0


def _advisories(dependencies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        advisory["id"]: f"{package['name']} {package['version']} has {advisory['id']}"
        f" ({', '.join(advisory['aliases']) or 'no other name'}), corrected in"
        f" {', '.join(advisory['fix_versions']) or 'no version'}"
        for package in dependencies
        for advisory in package.get("vulns", ())
    }


def _run(command: Sequence[str], seconds: float) -> str | None:
    try:
        return subprocess.run(command, cwd=ROOT, timeout=seconds, capture_output=True, text=True, check=False).stdout
    except subprocess.TimeoutExpired:
        return None


if __name__ == "__main__":
    sys.exit(main())
