from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from ktnas.errors import UserError
from ktnas.task.dask_pool import DaskPool
from ktnas.task.loky_pool import LokyPool
from ktnas.task.thread_pool import ThreadPool
from tests.task.pool_contract import PoolContract, ProcessPoolContract, answers


class TestLokyPool(ProcessPoolContract):
    name = "loky"

    def pool(self, workers: int) -> LokyPool:
        return LokyPool(workers)


class TestThreadPool(PoolContract):
    name = "threads"

    def pool(self, workers: int) -> ThreadPool:
        return ThreadPool(workers)


@pytest.mark.slow
class TestDaskPool(ProcessPoolContract):
    name = "dask"

    def pool(self, workers: int) -> DaskPool:
        return DaskPool(workers)

    @pytest.fixture
    def cluster(self) -> Iterator[LocalCluster]:
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
            yield cluster

    def test_running_cluster_by_its_address(self, cluster: LocalCluster) -> None:
        pool = DaskPool(address=cluster.scheduler_address)
        assert [outcome.metrics["score"] for outcome in answers(pool, len, 3)] == [17.0] * 3
        with Client(cluster) as client:
            assert len(client.scheduler_info()["workers"]) == 2

    def test_no_cluster_at_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ktnas.task.dask_pool.CONNECT_SECONDS", 0.5)
        with pytest.raises(UserError, match=r"parallel.address=tcp://127.0.0.1:9: no Dask scheduler answers"):
            answers(DaskPool(address="tcp://127.0.0.1:9"), len, 1)

    def test_cluster_without_workers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ktnas.task.dask_pool.CONNECT_SECONDS", 1)
        with (
            LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
            pytest.raises(
                UserError, match=r"the scheduler has no workers\. Start some with 'dask worker tcp:"
            ),
        ):
            answers(DaskPool(address=cluster.scheduler_address), len, 1)

    def test_without_dask(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ktnas.task.dask_pool.find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"pip install 'ktnas\[dask\]'"):
            DaskPool()
