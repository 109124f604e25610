"""What a finished search returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ktnas.engine.config import SearchConfig
from ktnas.errors import unknown
from ktnas.record.description import RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.export import evaluations_frame, front_frame


@dataclass(frozen=True)
class SearchResult:
    """All evaluations of a search, and its fronts.

    Attributes:
        config: of the search.
        run_dir: where its files are; None when it was kept in memory.
        description: what was minimised.
        records: evaluations, in asked order.
        summary: as in ``summary.json``.
        measured_fronts: what ``measure_fronts`` returns; None where it was not asked for.
    """

    config: SearchConfig
    run_dir: Path | None
    description: RunDescription
    records: list[Evaluation]
    summary: dict[str, Any]
    measured_fronts: pd.DataFrame | None = None

    @property
    def evaluations(self) -> pd.DataFrame:
        """One row per evaluation, with the columns of ``evaluations.csv``."""
        return evaluations_frame(self.records)

    def front(self, task: str | None = None, device: str | None = None) -> pd.DataFrame:
        """Pareto set of a task on a device, with the columns of ``front_<task>.csv``.

        Args:
            task: None is the first target.
            device: None is the first.

        Raises:
            UserError: the search had no such task or device.
        """
        specs = self.description.fronts()
        chosen = task or next(spec.task for spec in specs if spec.role == "target")
        of_task = [spec for spec in specs if spec.task == chosen]
        if not of_task:
            raise unknown("task of this search:", chosen, self.description.tasks)
        for spec in of_task:
            if device in (None, spec.device):
                return front_frame(self.records, spec)
        raise unknown("device of this search:", device, [spec.device for spec in of_task if spec.device])
