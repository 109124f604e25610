"""Runs one search again and again, each time in a process of its own that is killed on the way.

``python killer.py``: reads JSON lines, the arguments of ``Killer.send``, and answers each with a line: the
signal that ended the search, negative, or 0; 2 after a ``UserError``, 1 after anything else. Imports once and
forks for each search.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ktnas.api import search
from ktnas.errors import UserError
from ktnas.record.ledger import read_ledger


class Killer:
    """The process that starts searches and kills them.

    Args:
        directory: that it works in, where the modules are that it imports.
    """

    def __init__(self, directory: Path) -> None:
        path = os.pathsep.join([str(directory), str(Path(__file__).parents[2]), *sys.path])
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"PYTHONPATH": path},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(
        self,
        search: dict[str, Any],
        kill: int | None = None,
        after: float = 0.0,
        attempt: str = "",
        group: bool = False,
        file_size: int | None = None,
    ) -> None:
        """Start a search.

        Args:
            search: arguments of ``ktnas.search``.
            kill: evaluations in the ledger when it is killed, or None to let it be.
            after: seconds to wait then.
            attempt: what the environment variable ATTEMPT holds.
            group: kill its whole process group instead of the process.
            file_size: bytes that no file may exceed, for the operating system to refuse what comes after.
        """
        assert self.process.stdin is not None
        order = {
            "search": search, "kill": kill, "after": after, "attempt": attempt, "group": group,
            "file_size": file_size,
        }  # fmt: skip
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def wait(self) -> int:
        """How the search ended."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the process; workers that searches have left behind may hold its pipes a while longer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def killer_in(directory: Path) -> Iterator[Killer]:
    """A ``Killer`` that ends with the block."""
    killer = Killer(directory)
    try:
        yield killer
    finally:
        killer.close()


def recorded(run_dir: Path) -> int:
    """Evaluations of a run that may not have begun yet."""
    try:
        return len(read_ledger(run_dir).evaluations)
    except UserError:
        return 0


def attempt(order: dict[str, Any]) -> int:
    os.environ["ATTEMPT"] = order["attempt"]
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        os._exit(outcome(order))
    if order["kill"] is not None:
        while recorded(Path(order["search"]["run_dir"])) < order["kill"]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        time.sleep(order["after"])
        kill = os.killpg if order["group"] and os.getpgid(pid) == pid else os.kill
        kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def outcome(order: dict[str, Any]) -> int:
    try:
        with files_up_to(order["file_size"]):
            search(**order["search"])
    except UserError as problem:
        print(problem, file=sys.stderr, flush=True)
        return 2
    except BaseException as problem:
        print(repr(problem), file=sys.stderr, flush=True)
        return 1
    return 0


@contextmanager
def files_up_to(size: int | None) -> Iterator[None]:
    """Have the operating system refuse to write a file beyond ``size`` bytes; None is no limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


if __name__ == "__main__":
    for line in sys.stdin:
        print(attempt(json.loads(line)), flush=True)
