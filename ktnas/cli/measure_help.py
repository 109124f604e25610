"""``ktnas measure --help``."""

import re

import yaml

from ktnas.cli.measure import runner_presets

USAGE = """\
Usage: ktnas measure space=SPACE [key=value ...]
       ktnas measure list

Time networks of a space, each in a process of its own, and write what they take as a device that every
other command knows by its name. The same command continues what was interrupted; a larger n adds to it.

What to measure
  space=NAME          a space that has networks (ktnas space list), or a YAML file of your own
  n=200               architectures that are drawn; a larger n has those of a smaller one
  draw=random         or informative: those whose latencies tell most about all others, for n=20 or so
  seed=0              of the draw
  archs=FILE          instead: a CSV file with a column arch, or one per line
  task=cifar10        what networks are built for
  size=PIXELS         side of an image; the task's unless you say otherwise
  operations=false    whether every different layer is timed alone as well, into NAME.operations.csv

On what
  device=cpu          one of the devices below; its parameters are keys, too

How long
  looks=3             at each network, in turns with all others; the fastest counts
  precision=0.02      a look ends when the latency's 95 % confidence interval is this narrow: ±2 %
  max_seconds=2       or after this time; warming up included
  quantile=0.1        of the times of the runs that is the latency; 0.5 is the median
  timeout=120         seconds until a network is given up, building it included; 1200 where it is compiled
  every=20            looks between two measurements of a reference network
  drift=0.05          how far the reference may be off before the architectures around are looked at again
  retry=false         measure those that failed earlier once more

Where to
  name=NAME           of the device; host, device and space unless you say otherwise
  out=DIR             directory of NAME.csv and NAME.json; unless you say otherwise that of all devices
"""

EXAMPLES = """\
Examples
  ktnas measure space=nasbench201 draw=informative n=20 name=laptop
  ktnas measure space=nasbench201 device=onnxruntime threads=4
  ktnas measure space=fbnet task=imagenet device=cuda batch=32
  ktnas measure space=nasbench201 device=command command="python my_runner.py {onnx}" name=phone

A command is given the path of an ONNX file, at {onnx} or at its end. The last line that it prints counts: a
line of numbers alone is so many runs, of any other line the last number counts, in milliseconds."""


def measure_help() -> str:
    """The whole text."""
    return "\n".join([USAGE, "Devices", *(_device(name) for name in runner_presets()), "", EXAMPLES])


def _device(name: str) -> str:
    text = runner_presets()[name].read_text(encoding="utf-8")
    comment = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    keys = " ".join(f"{key}={_shown(value)}" for key, value in yaml.safe_load(text).items() if key != "name")
    return f"  {name:<19} {comment[1] if comment else ''}\n{'':<22}{keys}"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'
