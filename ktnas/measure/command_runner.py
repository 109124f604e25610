"""Networks run by a command of one's own: how a phone or a board is measured."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ktnas.errors import UserError
from ktnas.measure.onnx_file import check_onnx, export_onnx
from ktnas.measure.runner import Runner
from ktnas.measure.timing import Run
from ktnas.task.pool import ONE_THREAD

if TYPE_CHECKING:
    from torch import Tensor, nn

PLACE = "{onnx}"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\.?\d)\s*([^\W\d_]*)")
UNITS = {"", "ms", "msec", "millisecond", "milliseconds"}
FOREIGN_UNITS = {"s", "sec", "secs", "second", "seconds", "us", "µs", "μs", "ns"}
SHOWN = 200


class CommandError(Exception):
    """The command failed, or what it printed cannot be read."""


@dataclass
class CommandRunner(Runner):
    """Any command that takes an ONNX file and prints milliseconds.

    The last line it prints is read. A line of numbers alone is one run each; of any other line the last
    number counts. Warming up is left to the command. It is not run by a shell.

    Attributes:
        command: what to run; ``{onnx}`` stands for the file's path, which comes last where there is none.
        batch: images at once.
    """

    name: ClassVar[str] = "command"
    warms_up: ClassVar[bool] = False

    command: str = ""
    batch: int = 1

    def check(self) -> None:
        """``UserError`` where there is no such command, or networks cannot be written as ONNX."""
        words = self._words()
        if not words:
            raise UserError(
                "device=command needs the command that runs an ONNX file and prints milliseconds: "
                'command="python my_runner.py {onnx}"'
            )
        if shutil.which(words[0]) is None:
            raise UserError(
                f"command={self.command}: there is no program '{words[0]}'. Give its path, and see that it "
                "may be executed."
            )
        check_onnx()

    def describe(self) -> dict[str, Any]:
        """Nothing: what the command runs on is its own affair."""
        return {}

    def prepare(self, network: "nn.Module", inputs: "tuple[Tensor, ...]", scratch: Path) -> Run:
        """Write ``network`` as ONNX; each run calls the command."""
        path = scratch / "network.onnx"
        export_onnx(network, inputs, path)
        words = self._words()
        if not any(PLACE in word for word in words):
            words.append(PLACE)
        called = [word.replace(PLACE, str(path)) for word in words]
        return lambda count: _call(called)

    def _words(self) -> list[str]:
        try:
            return shlex.split(self.command)
        except ValueError as problem:
            raise UserError(f"command={self.command}: {problem}. Check its quotes.") from None


def _call(words: list[str]) -> list[float]:
    """Milliseconds that a command printed; it stays in this process's group, to be killed with it."""
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=environment
    )
    if done.returncode:
        said = _last_line(done.stderr) or _last_line(done.stdout) or "it printed nothing"
        raise CommandError(f"the command exited with status {done.returncode}: {said}")
    return read_milliseconds(done.stdout)


def read_milliseconds(printed: str) -> list[float]:
    """Milliseconds of one run or several, from what a command printed.

    Raises:
        CommandError: no number in the last line, one that is not above 0, or one in another unit.
    """
    line = _last_line(printed)
    found = list(NUMBER.finditer(line))
    if not found:
        raise CommandError(f"the command's last line is no number: '{line}'")
    units = {match[1].lower() for match in found}
    if wrong := units & FOREIGN_UNITS:
        raise CommandError(f"the command printed '{line}', expected milliseconds, not {', '.join(wrong)}")
    alone = units <= UNITS and not re.sub(r"[\s,;]", "", NUMBER.sub("", line))
    values = [float(match[0].removesuffix(match[1])) for match in (found if alone else found[-1:])]
    if any(value <= 0 for value in values):
        raise CommandError(f"the command printed '{line}', expected milliseconds above 0")
    return values


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:SHOWN] if lines else ""
