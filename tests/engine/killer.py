"""Runs one search again and again, each time in a process of its own that is killed on the way.

``python killer.py``: reads JSON lines ``{"search": arguments of ktnas.search, "kill": evaluations or null,
"after": seconds, "attempt": name}`` and answers each with a line, the signal that ended the process or 0.
Imports once and forks for each attempt; kills when the ledger holds that many evaluations, and ``after``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from ktnas.api import search
from ktnas.errors import UserError
from ktnas.record.ledger import read_ledger


def recorded(run_dir: Path) -> int:
    """Evaluations of a run that may not have begun yet."""
    try:
        return len(read_ledger(run_dir).evaluations)
    except UserError:
        return 0


def attempt(order: dict) -> int:
    os.environ["ATTEMPT"] = order["attempt"]
    pid = os.fork()
    if not pid:
        try:
            search(**order["search"])
        except BaseException as problem:
            print(repr(problem), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    if order["kill"] is not None:
        while recorded(Path(order["search"]["run_dir"])) < order["kill"]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        time.sleep(order["after"])
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        print(attempt(json.loads(line)), flush=True)
