"""Processes that tests start."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def running(command: Sequence[str], **given: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process of ``command`` that is dead when the block ends, however it ends: a hung one too.

    Args:
        command: with its arguments.
        given: to ``subprocess.Popen``.
    """
    process = subprocess.Popen(command, text=True, **given)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()  # not read to its end: what the process started may hold it
