"""Processes of a Dask cluster: of this machine, or of many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import current_process
from pathlib import Path
from typing import TYPE_CHECKING

from ktnas.errors import UserError
from ktnas.task.isolation import evaluate_isolated
from ktnas.task.outcome import Outcome
from ktnas.task.pool import ATTEMPTS, Desk, FutureDesk, Pool, Question, died

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 20
SETTINGS = {
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
    "distributed.scheduler.worker-saturation": 1.0,  # a worker that dies takes one question with it
}


@dataclass(frozen=True)
class DaskPool(Pool):
    """Workers of a Dask cluster.

    Args:
        workers: processes of a cluster that is started on this machine, and ends with this process. A cluster
            at ``address`` has as many as it has.
        address: of the scheduler of a running cluster, ``tcp://HOST:8786`` say; None starts one here. Its
            workers have ktnas, and can import the function.

    Raises:
        UserError: as ``Pool``; Dask is not installed.
    """

    address: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if find_spec("distributed") is None:
            raise UserError("parallel=dask needs Dask, which is not installed: pip install 'ktnas[dask]'.")

    @property
    def size(self) -> int:
        """As ``Pool.size``; of a running cluster the threads of its workers."""
        if self.address is None:
            return self.workers
        return max(int(sum(_client(self.workers, self.address).nthreads().values())), 1)

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """As ``Pool.desk``; Dask asks another worker where one died.

        Raises:
            UserError: no scheduler with workers answers at ``address``.
        """
        client = _client(self.workers, self.address)

        def submit(index: int, question: Question) -> "Future[Outcome]":
            return client.submit(_answer, question, pure=False, priority=-index)

        desk = FutureDesk(submit, _outcome)
        try:
            yield desk
        finally:
            client.cancel(list(desk.open))


def _outcome(future: "Future[Outcome]") -> Outcome:
    from distributed.scheduler import KilledWorker

    problem = future.exception()
    if isinstance(problem, UserError):
        raise UserError(str(problem)) from None
    return died() if isinstance(problem, KilledWorker) else future.result()


_kept: "dict[tuple[int, str | None, Path], Client]" = {}


def _client(workers: int, address: str | None) -> "Client":
    """Connection to a cluster; one that was started here, of another size or elsewhere, is closed."""
    kind = workers, address, Path.cwd()
    if kind not in _kept:
        while _kept:
            client = _kept.popitem()[1]
            cluster = client.cluster
            client.close()
            if cluster is not None:
                cluster.close()
        _kept[kind] = _connect(workers, address)
    return _kept[kind]


def _connect(workers: int, address: str | None) -> "Client":
    import dask
    from distributed import Client, LocalCluster

    if address is None:
        with dask.config.set(SETTINGS):
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs="ERROR"
            )
            return Client(cluster)
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as problem:
        raise UserError(
            f"parallel.address={address}: no Dask scheduler answers there ({problem}). Start one with 'dask "
            "scheduler', and workers with 'dask worker ADDRESS'."
        ) from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        client.close()
        raise UserError(
            f"parallel.address={address}: the scheduler has no workers. Start some with 'dask worker "
            f"{address}'."
        ) from None
    return client


def _answer(question: Question) -> Outcome:
    # Dask's workers are daemons, to which multiprocessing forbids children; these end with the evaluation.
    vars(current_process())["_config"]["daemon"] = False
    return evaluate_isolated(question)
