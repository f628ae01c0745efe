"""Run another module that the kernel ends when its parent dies: `python -m cli.tethered TERM -- module words…`.

The process manager starts every part through this, so that even its own kill -9 leaves nothing running for long. It
stays the same process: a second Python would have to start, and to look for its modules, all over again.
"""

from __future__ import annotations

import runpy
import signal
import sys

from cli.ordinary_user import die_with_parent
from config.collecting import postpone_collecting


def main() -> None:
    """Become the module that is named behind the signal."""
    die_with_parent(signal.Signals[f"SIG{sys.argv[1]}"])
    postpone_collecting()
    module = sys.argv[3]
    sys.argv = sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
