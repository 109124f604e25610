"""Tables of Multi-Predict over pairs of source and target."""

from collections.abc import Mapping, Sequence

import pandas as pd

from experiments.report import NOTHING, markdown_table, mean_cell

FROM_SCRATCH = "from scratch"
LISTED = 8
REFERENCE = "multi_predict"
HEADS = (
    "method",
    "Spearman",
    "against",
    "difference",
    "pairs helped",
    "by two errors",
    "worse by an error",
    "by two",
    "worst pair",
)


def summary(rows: pd.DataFrame, targets: Sequence[str], references: Mapping[str, Sequence[str]]) -> str:
    """Means over all pairs, in how many a source helps, and the same means without a source.

    Args:
        rows: of the experiment; column ``setting`` is the source, or ``FROM_SCRATCH``.
        targets: columns with the Spearman on each.
        references: by method that starts from a source, the methods without one that it is compared with.
    """
    lines = []
    for name, against in references.items():
        mean = mean_cell(_per_seed(rows, name, targets, transferred=True), 3)
        for reference in against:
            lines.append(
                [f"{name}, after a source", mean, reference, *_counts(rows, name, targets, reference)]
            )
    common = rows.loc[rows["setting"] != FROM_SCRATCH, "seed"].unique()
    scratch = rows[(rows["setting"] == FROM_SCRATCH) & rows["seed"].isin(common)]
    for name in scratch["method"].unique():
        mean = mean_cell(_per_seed(scratch, name, targets, transferred=False), 3)
        lines.append([f"{name}, no source", mean, *[NOTHING] * (len(HEADS) - 2)])
    return markdown_table(HEADS, lines)


def losers(rows: pd.DataFrame, method: str, targets: Sequence[str]) -> str:
    """Pairs whose mean difference from the reference is more than two standard errors below 0."""
    means, errors = _means(gains(rows, method, targets))
    below = means[means < -2 * errors].sort_values()
    cells = [f"{source} → {target} {mean:+.3f}" for (source, target), mean in below.items()]
    more = [f"and {len(cells) - LISTED} more"] if len(cells) > LISTED else []
    return f"Worse by more than two errors: {'; '.join(cells[:LISTED] + more) or 'none'}.\n"


def gains(rows: pd.DataFrame, method: str, targets: Sequence[str], reference: str = REFERENCE) -> pd.Series:
    """Spearman after a source less that of ``reference`` without one, by source, target and seed."""
    after = _by_cell(_of(rows, method, transferred=True), targets)
    alone = _by_cell(_of(rows, reference, transferred=False), targets).droplevel("source")
    return after - alone.reindex(after.droplevel("source").index).to_numpy()


def matrix(rows: pd.DataFrame, method: str, targets: Sequence[str]) -> str:
    """Mean Spearman by source (rows) and target (columns), with the difference from the reference."""
    found, _ = _means(_by_cell(_of(rows, method, transferred=True), targets))
    gained, _ = _means(gains(rows, method, targets))

    def cell(source: str, target: str) -> str:
        if source == target:
            return NOTHING
        return f"{found[source, target]:.2f} ({gained[source, target]:+.2f})"

    lines = [[source, *(cell(source, target) for target in targets)] for source in targets]
    return markdown_table(["source", *targets], lines)


def without_source(rows: pd.DataFrame, targets: Sequence[str]) -> str:
    """Spearman on each target of the methods that see its observations alone, or nothing."""
    scratch = rows[rows["setting"] == FROM_SCRATCH]
    lines = [
        [str(name), *(mean_cell(own[target], 2) for target in targets), str(len(own))]
        for name, own in scratch.groupby("method", sort=False)
    ]
    return markdown_table(["method", *targets, "draws"], lines)


def _counts(rows: pd.DataFrame, method: str, targets: Sequence[str], reference: str) -> list[str]:
    means, errors = _means(gains(rows, method, targets, reference))
    return [
        f"{means.mean():+.3f}",
        f"{(means > 0).sum()} of {len(means)}",
        f"{(means > 2 * errors).sum()}",
        f"{(means < -errors).sum()}",
        f"{(means < -2 * errors).sum()}",
        f"{means.min():+.3f}",
    ]


def _means(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Mean and standard error over seeds by source and target."""
    groups = cells.groupby(level=["source", "target"])
    return groups.mean(), groups.sem()


def _per_seed(rows: pd.DataFrame, method: str, targets: Sequence[str], transferred: bool) -> pd.Series:
    """Mean over pairs, or over targets, of each seed."""
    return _by_cell(_of(rows, method, transferred), targets).groupby(level="seed").mean()


def _of(rows: pd.DataFrame, method: str, transferred: bool) -> pd.DataFrame:
    return rows[(rows["method"] == method) & ((rows["setting"] != FROM_SCRATCH) == transferred)]


def _by_cell(rows: pd.DataFrame, targets: Sequence[str]) -> pd.Series:
    """Spearman by source (or ``FROM_SCRATCH``), target and seed, where there is one."""
    indexed = rows.rename(columns={"setting": "source"}).set_index(["source", "seed"])[list(targets)]
    cells = indexed.rename_axis(columns="target").stack().dropna()
    return cells.reorder_levels(["source", "target", "seed"])
