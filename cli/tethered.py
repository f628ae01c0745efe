"""Become another program that the kernel ends when its parent dies: `python -m cli.tethered TERM -- program words…`.

The process manager starts every part through this, so that even its own kill -9 leaves nothing running for long.
"""

from __future__ import annotations

import os
import signal
import sys

from cli.ordinary_user import die_with_parent


def main() -> None:
    """Exec what follows the signal's name."""
    die_with_parent(signal.Signals[f"SIG{sys.argv[1]}"])
    os.execv(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
