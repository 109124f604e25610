"""What is to be known of this machine beside a latency."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
GIB = 2**30


def describe_machine(*packages: str) -> dict[str, Any]:
    """CPU, cores, memory in GiB, operating system, and versions of Python and of ``packages``."""
    return {
        "host": platform.node(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": _usable_cores(),
        "memory_gib": round(_memory() / GIB, 1),
        "os": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def cpu_model() -> str:
    """Name of the processor, as its maker gives it."""
    if CPU_INFO.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(encoding="utf-8"), flags=re.M)
        if named:
            return named[1].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
