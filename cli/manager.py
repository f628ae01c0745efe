"""`python -m cli.manager supervisord.conf PID`: supervisord, the process manager behind `tutelage up`.

It removes run.json when it ends, since a killed `up` cannot.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from supervisor import supervisord

from config.output import outlive_full_disk


def main() -> None:
    """Run until SIGTERM, which the kernel sends when the parent dies."""
    configuration, parent = sys.argv[1:]
    # For its own files and for the files of every part.
    os.umask(0o077)
    # supervisord reports failed writes of its log to standard error, and an error there would end it.
    outlive_full_disk()
    try:
        if os.getppid() == int(parent):
            os.chdir(Path(configuration).parent)
            supervisord.main(["--nodaemon", "--silent", "--configuration", configuration])
    finally:
        (Path(configuration).parent / "run.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
