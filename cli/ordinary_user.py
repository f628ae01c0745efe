"""Give up root before a server starts: PostgreSQL refuses to run as root, and Valkey has no need to."""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


class OrdinaryUserError(Exception):
    """The server cannot run as an ordinary user here; the message says what to do about it."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def own_folder(folder: Path) -> None:
    """Make a private folder (0700) that belongs to the user the server will run as.

    An existing folder keeps its owner, so that data made by an ordinary user stays theirs when root starts the server.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0 and folder.stat().st_uid == 0:
        nobody = _nobody()
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def become_owner_of(folder: Path, reads: Sequence[Path]) -> None:
    """Become the folder's owner for good, when this is root; nothing happens when it is an ordinary user.

    The folder, or the environment with the server's program, may lie below folders that only root may enter (a clone in
    `mktemp -d`, or /root). Opening those up would change what is not ours, so in that case alone the right to read and
    enter is kept (CAP_DAC_READ_SEARCH, as an ambient capability, which survives exec and leaves writing untouched).

    Args:
        folder: what the server writes to; it belongs to the user to become.
        reads: files that the server must be able to read.
    Raises:
        OrdinaryUserError: when the user may not enter, and the right to do so cannot be kept.
    """
    if os.geteuid() != 0:
        if folder.stat().st_uid != os.geteuid():
            raise OrdinaryUserError(
                f"{folder} belongs to another user: choose another --data-dir, or start as that user."
            )
        return
    owner = folder.stat()
    try:
        _prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    except OSError as error:
        raise OrdinaryUserError(
            f"Root cannot become another user here ({error}): start as an ordinary user."
        ) from error
    if _enters(folder, reads):
        return
    try:
        _keep_read_search()
    except OSError as error:
        raise OrdinaryUserError(
            f"Servers do not run as root, and user {owner.st_uid} may not enter {folder} or "
            f"{reads[0].parent} ({error}). Start as an ordinary user, or move both to an open folder such as /srv."
        ) from error


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to send this process a signal when its parent dies (Linux alone; elsewhere nothing happens).

    Must come after any change of user, which clears it. It survives exec.
    """
    _prctl(PR_SET_PDEATHSIG, signal_number)


def _enters(folder: Path, reads: Sequence[Path]) -> bool:
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK) and all(os.access(path, os.R_OK) for path in reads)


def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError as error:
        raise OrdinaryUserError("There is no user nobody to run the servers as: start as an ordinary user.") from error


def _keep_read_search() -> None:
    """Keep one capability of those that PR_SET_KEEPCAPS left as permitted, and drop every other."""
    if sys.platform != "linux":
        raise OSError("only Linux can keep the right to enter")
    bit = 1 << CAP_DAC_READ_SEARCH
    data = (_Data * 2)(_Data(bit, bit, bit), _Data(0, 0, 0))
    header = _Header(CAPABILITY_VERSION_3, 0)
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH)


def _prctl(option: int, first: int, second: int = 0) -> None:
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    if library.prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
