"""Parts of `tutelage up` as forks of one process that has imported their code: they share the memory of their imports.

Python keeps 60 MB of imports in each part of the system, the same in all. A fork has them in its parent's pages, of
which the kernel copies those that are written to; a reference that is counted is a write. Each part makes after the
fork what no two may share: threads, sockets, connections, Celery's and Flask's applications in use. prometheus_client
opens files of its own in a fork.
"""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Collection, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from config.settings import settings

# The second word of the command of a part that is forked; its log, signal, module and arguments follow.
FORKED = "fork"
PRELOAD = "--preload"
# prometheus_client's variable: the folder of the counts that measured parts share.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Linux alone: its kernel ends forks with their parent, and other systems' libraries do not all outlive a fork.
CAN_FORK = sys.platform == "linux"
PRELOADED = (
    *("cli.main", "cli.processes", "cli.serve", "cli.streams"),
    *("workers.command", "workers.worker", "workers.sweep", "workers.maintain"),
    # Celery's worker imports these when it starts.
    *("celery.apps.worker", "celery.concurrency.thread", "celery.worker.consumer.delayed_delivery"),
    *("celery.worker.autoscale", "celery.worker.strategy", "celery.app.log", "celery.app.control"),
    *("celery.backends.base", "billiard.dummy", "billiard.pool"),
    *("workers.transports.mail", "workers.transports.webhooks", "workers.transports.calendars"),
)
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)


def preload() -> Collection[int]:
    """Import what the parts import, read the settings, and freeze it all; returns the descriptors that are open then.

    A module that cannot be imported is reported; the part that needs it fails as well, with a log of its own.
    """
    gc.disable()
    try:
        for module in PRELOADED:
            import_module(module)
        import_module("workflows.events.subscriptions").load()
        # Refused settings are refused again by each part.
        settings()
        import_module("infrastructure.celery_app").app.finalize()
        # For the first password, libpq's OpenSSL fills its tables: small pieces in 5 MB of pages.
        import_module("psycopg.pq").PGconn.connect_start(b"port=none").encrypt_password(b"-", b"-", b"scram-sha-256")
    except Exception:  # noqa: BLE001 - whatever a module raises
        traceback.print_exc()
    # A collection in a fork would write to each object, and so copy all pages. A collection before would leave gaps in
    # them, which the first objects of each fork would fill.
    gc.freeze()
    # Each call to supervisord leaves 6 KiB of garbage, and two of them come in a second (supervisor 4.3).
    gc.enable()
    return _descriptors()


def reset_signals() -> None:
    """Handle signals as a process that has just begun; called right after the fork."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_forked(manager: int, words: Sequence[str], kept: Collection[int]) -> NoReturn:
    """Be the process of a part, and exit as Python does; never return into the manager's frames.

    Args:
        manager: the parent's process id.
        words: the part's log, to which its output is appended, the signal that ends it when its parent dies, and its
            module, whose `main` is called, with its arguments.
        kept: the descriptors that stay open, beside the standard ones.
    """
    log, stop_signal, module, *arguments = words
    code: Any = 1
    try:
        for number in _descriptors() - {0, 1, 2, *kept}:
            os.close(number)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(getattr(signal, f"SIG{stop_signal}")))
        if os.getppid() != manager:
            os._exit(1)
        # The name that `ps -e` and `top` show.
        Path("/proc/self/comm").write_text(Path(log).stem)
        sys.argv = [module, *arguments]
        if METRICS_FOLDER not in os.environ:
            # A part that is not measured counts for itself alone. prometheus_client has chosen at its import, which was
            # before the fork. Flower as a fork takes 21 MB less (prometheus_client 0.26 has no public way to choose).
            values = import_module("prometheus_client.values")
            values.ValueClass = values.MutexValue  # type: ignore[attr-defined]
        import_module(module).main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # noqa: BLE001 - reported as at the end of every program
        sys.excepthook(type(error), error, error.__traceback__)
    _exit(code)


def _exit(code: Any) -> NoReturn:
    if isinstance(code, str):
        print(code, file=sys.stderr)
    # The two steps of Python's own end that matter here: non-daemon threads finish, and libraries write what they hold.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _descriptors() -> set[int]:
    """The open descriptors, without the listing's own."""
    return {int(path.name) for path in list(Path("/proc/self/fd").iterdir()) if path.exists()}
