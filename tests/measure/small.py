"""A space whose networks are built and run in milliseconds."""

from dataclasses import replace
from pathlib import Path

from ktnas.network.task import network_task
from ktnas.resources import resource_dir
from ktnas.space import SearchSpace, load_space

TASK = network_task("cifar10", size=8)
NETWORK = {"name": "nasbench201", "channels": 2, "cells": 1}


def small_space() -> SearchSpace:
    return replace(load_space("nasbench201"), network=NETWORK)


def small_space_file(directory: Path) -> Path:
    path = directory / "small.yaml"
    text = (resource_dir("spaces") / "nasbench201.yaml").read_text()
    path.write_text(text.replace("network: { name: nasbench201 }", f"network: {NETWORK}"))
    assert load_space(str(path)).network == NETWORK
    return path
