"""One process at a time on a run directory."""

import os
import socket
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ktnas.errors import UserError

LOCK_NAME = "run.lock"


def this_process() -> dict[str, Any]:
    """Who holds a lock: process id and host."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def try_lock(run_dir: Path) -> FileLock | None:
    """Take the lock of a run; None when another process has it.

    The lock is the operating system's (``flock``): it ends with the process that holds it, however that ends.

    Raises:
        UserError: the directory cannot be made or written.
    """
    lock = FileLock(run_dir / LOCK_NAME)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        raise UserError(
            f"Cannot write in the run directory {run_dir}: {getattr(error, 'strerror', None) or error}. "
            "Name another one with hydra.run.dir=DIR, or change its permissions."
        ) from error
    return lock


def busy(run_dir: Path, holder: dict[str, Any] | None) -> UserError:
    """The error of the second process on a run; ``holder`` is the ``this_process`` of the first, if known."""
    if holder is None:
        who = "another process"
    else:
        who = f"process {holder['pid']} on {holder['host']}"
        if holder["host"] == socket.gethostname() and not alive(holder["pid"]):
            who += " (which has ended, but a process it started still holds the lock)"
    return UserError(
        f"The run directory {run_dir} is in use by {who}. Wait until it has finished or end it, then "
        f"continue the run with resume={run_dir}; or choose another directory with hydra.run.dir=DIR."
    )


def alive(pid: int) -> bool:
    """Whether this host has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
