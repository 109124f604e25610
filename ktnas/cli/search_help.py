"""``ktnas search --help``: what can be asked, with what is there to be asked for."""

from textwrap import fill

from ktnas.engine.benchmark_config import benchmark_config, benchmark_names
from ktnas.engine.schema import PARTS
from ktnas.presets import describe_option, group_options

USAGE = """\
Usage: ktnas search [KEY=VALUE ...] [-m] [--cfg job] [--info] [--config-dir DIR]

Searches architectures for the target tasks, with what is learned on the source tasks, and prints the
accuracy/latency Pareto set. Without any key: the default search, which needs nothing but this installation.

What to search
  benchmark=NAME           tasks, devices and their data; one of those below
  space=NAME|FILE          another space than the benchmark's
  source=[TASK,...]        tasks searched first, whose knowledge is transferred; [] for none
  source=RUN_DIR           the same, from the directory of a finished search
  target=[TASK,...]        tasks to search, all at once
  device=NAME|[NAME,...]   devices whose latency counts: of the benchmark, or measured with ktnas measure
  device=FILE.csv          a device of which some latencies are known, in columns arch and latency_ms, better
                           20 of them; the others are predicted
  objectives=[error,...]   what is minimised, of error, latency, params, flops, energy
  limits.latency=MS        upper limit of an objective; also limits.error, limits.params, limits.flops
  limits.latency={pixel3: MS, ...}   a limit for each device

How to search
  algorithm=NAME           one of those below; any part of it can be exchanged: transfer=NAME, ...
  budget=N                 evaluations of each target task, the first population included (100)
  source_budget=N          evaluations of each source task that is searched first (100)
  seed=N                   of all randomness (0); the same seed gives the same evaluations
  batch=N                  architectures a surrogate asks for at once (1); they can be evaluated side by side
  workers=N                evaluations at a time (1); does not change the result
  asynchronous=true        a free worker waits for no other; the result then depends on who answers first
  parallel=loky            where they run: loky, threads or dask; parallel.address=ADDRESS is a cluster
  timeout=SECONDS          longest that one evaluation may take
  measure_front=true       measure the latencies of the final fronts that were predicted

Where it is kept
  hydra.run.dir=DIR        directory of the search (runs/BENCHMARK/ALGORITHM/TIME)
  resume=RUN_DIR           go on with an interrupted search; alone, or with the keys it was started with

Flags
  -m, --multirun           one search per combination of values, as in seed=0,1,2 algorithm=ktnas,random
  --cfg job                print the configuration and stop
  --info                   print where the configuration comes from and stop
  --config-dir DIR         a directory with YAML files of your own beside ours, DIR/algorithm/mine.yaml say
"""

EXAMPLES = """\
Examples
  ktnas search
  ktnas search source=[cora] target=[pubmed] budget=50 seed=1
  ktnas search benchmark=table space=transnas_micro benchmark.scores=scores.csv objectives=[error]
  ktnas search benchmark=train benchmark.data=photos.npz source=[rotation]
  ktnas search -m seed=0,1,2,3,4 algorithm=ktnas,random
A shell that takes [ ] for itself, zsh for one, wants quotes: 'target=[pubmed]'."""


def search_help() -> str:
    """The whole text."""
    return "\n".join(
        [USAGE, "Benchmarks", *map(_benchmark, benchmark_names()), "", _algorithms(), _parts(), EXAMPLES]
    )


def _benchmark(name: str) -> str:
    config = benchmark_config(name)
    lines = [f"  {name:<22} {config.description}"]
    for label, names in (("tasks", config.tasks), ("devices", config.devices)):
        if names:
            lines.append(_wrapped(f"{label}: {', '.join(names)}"))
    chosen = {"source": config.source, "target": config.target, "device": config.device}
    if any(chosen.values()):
        texts = (f"{key}=[{','.join(names)}]" for key, names in chosen.items() if names)
        lines.append(_wrapped(f"unless you say otherwise: {' '.join(texts)}"))
    return "\n".join(lines)


def _algorithms() -> str:
    rows = [f"  {name:<22} {describe_option('algorithm', name)}\n" for name in group_options("algorithm")]
    return "Algorithms\n" + "".join(rows)


def _parts() -> str:
    rows = [f"  {group + '=':<22} {', '.join(group_options(group))}\n" for group in PARTS[1:]]
    return "Parts of an algorithm\n" + "".join(rows)


def _wrapped(text: str) -> str:
    indent = " " * 25
    return fill(text, width=110, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
