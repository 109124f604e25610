"""What the layers of a space's networks take on a device, each alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ktnas.measure.files import Row, RowFile, alone
from ktnas.measure.operations import layer_signatures
from ktnas.measure.runner import Runner
from ktnas.measure.session import FIGURES, Plan, Progress, figures_of
from ktnas.measure.timer import NetworkTimer
from ktnas.network.task import NetworkTask, network_task
from ktnas.space.base import SearchSpace

COLUMNS = ("signature", *FIGURES, "repeats", "status", "message")
MAX_SECONDS = 1.0


def measure_layers(
    space: SearchSpace,
    texts: Sequence[str],
    runner: Runner,
    task: NetworkTask | str,
    path: Path,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> dict[str, Row]:
    """Latency of every different layer that the networks of architectures call, by signature.

    Each is timed in a process of its own, with the weights of the first network that has it and random
    inputs of the runner's batch, for a second at most. Signatures are those of a batch of one, whatever the
    batch. Called again it measures what is missing. A layer alone finds its weights in the cache more often
    than in its network: the sum over a network's layers is not its latency.

    Args:
        space: of the architectures.
        texts: of the architectures.
        runner: runs layers on the device.
        task: what networks are built for.
        path: CSV file that is written, with the columns ``COLUMNS``.
        plan: limits of each measurement.
        progress: told how many layers of how many are done.

    Returns:
        Rows of the file.
    """
    plan = plan or Plan()
    limits = replace(plan.limits, max_seconds=min(plan.limits.max_seconds, MAX_SECONDS))
    settled = network_task(task)
    file = RowFile(path, COLUMNS)
    with alone(path), TemporaryDirectory(prefix="ktnas-measure-") as scratch:
        rows = {row["signature"]: row for row in file.read()}
        places = _places(space, texts, settled)
        missing = [signature for signature in places if signature not in rows]
        for done, signature in enumerate(missing, start=1):
            text, position = places[signature]
            timer = NetworkTimer(space, settled, runner, limits, Path(scratch), position)
            outcome = timer.isolated(plan.timeout).evaluate(space.parse([text]))[0]
            rows[signature] = {"signature": signature, **figures_of(outcome)}
            file.append(rows[signature])
            if progress is not None:
                progress(done, len(missing))
    return rows


def _places(space: SearchSpace, texts: Sequence[str], task: NetworkTask) -> dict[str, tuple[str, int]]:
    """Architecture and number of the call where each signature comes first."""
    places: dict[str, tuple[str, int]] = {}
    for text, genotype in zip(texts, space.parse(texts), strict=True):
        for position, signature in enumerate(layer_signatures(space, genotype, task)):
            places.setdefault(signature, (text, position))
    return places
