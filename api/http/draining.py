"""Draining of the API before it stops: a proxy in front gets all its answers, and takes its next requests elsewhere.

A server that merely stops closes kept connections and connections that have just come in. A request that a proxy sends
at that moment is lost, and one that changes something must not be sent twice.
"""

import ctypes
import os
import signal
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import RawValue
from pathlib import Path
from threading import Timer
from typing import Any

import structlog

log = structlog.get_logger("api.draining")

SO_ATTACH_FILTER = 26  # linux/socket.h; Python has no name for it
# A classic BPF program that drops the packet that asks for a connection, and no other: the flags of its TCP header have
# SYN without ACK. Handshakes that have begun end, and are accepted.
_DROP_SYN = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # A = flags
        (0x54, 0, 0, 0x12),  # A &= SYN | ACK
        (0x15, 0, 1, 0x02),  # unless A is SYN, skip one
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFF_FFFF),  # take
    )
)
_INSTRUCTION_BYTES = 8


class Drain:
    """The draining of one server: begun by its master process at SIGTERM, seen by its worker processes.

    From then on, no connection is accepted, and each answer closes its own. The server stops after so many seconds: by
    then, the proxy has closed those that were idle. A second SIGTERM stops it at once.

    Args:
        seconds: 0 to stop without draining.
        port: on which the server listens.
    """

    def __init__(self, seconds: int, port: int) -> None:
        self._seconds, self._port = seconds, port
        # In memory that the processes share; it only ever changes once.
        self._begun = RawValue("b", 0)

    @property
    def has_begun(self) -> bool:
        return bool(self._begun.value)

    def watch(self) -> None:
        """Drain before the present handler of SIGTERM stops the server; called by the main thread of the master."""
        stop: Any = signal.getsignal(signal.SIGTERM)
        if self._seconds:
            signal.signal(signal.SIGTERM, lambda number, _frame: self._begin(lambda: stop(number, None)))

    def _begin(self, stop: Callable[[], None]) -> None:
        if self.has_begun:
            stop()
            return
        self._begun.value = 1
        timer = Timer(self._seconds, stop)
        timer.daemon = True
        timer.start()

    def refuse_connections(self) -> None:
        """Have the sockets on which this process listens take no further connection; those that exist go on."""
        program = ctypes.create_string_buffer(_DROP_SYN)
        filtered = struct.pack("@HP", len(_DROP_SYN) // _INSTRUCTION_BYTES, ctypes.addressof(program))
        for number in (int(each.name) for each in Path("/proc/self/fd").iterdir()):
            # One that has been closed meanwhile, or has no port.
            with suppress(OSError):
                if not stat.S_ISSOCK(os.fstat(number).st_mode):
                    continue
                with socket.socket(fileno=os.dup(number)) as each:
                    listens = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    if listens and each.getsockname()[1] == self._port:
                        each.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtered)
        log.info("api.draining", seconds=self._seconds)
