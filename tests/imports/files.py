"""Files in the layouts of their authors, small, and a directory to import them into."""

import bz2
import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ktnas.space import load_space

NASBENCH201 = load_space("nasbench201")
MICRO = load_space("transnas_micro")
MACRO = load_space("transnas_macro")
SEEDS = (777, 888)
NATS_SETS = {
    "cifar10-valid": ["x-valid", "ori-test"],
    "cifar10": ["ori-test"],
    "cifar100": ["x-valid", "x-test", "ori-test"],
    "ImageNet16-120": ["x-valid", "x-test", "ori-test"],
}


def architectures(space: Any, n: int) -> list[str]:
    """Different official texts."""
    rows = np.unique(space.sample(3 * n, np.random.default_rng(0)), axis=0)[:n]
    texts: list[str] = space.format(rows)
    return texts


def suite_zero(path: Path, n: int = 30) -> Path:
    """NAS-Bench-Suite-Zero: tuples over (skip, none, 3x3, 1x1, pool), edges by target node's source."""
    rng = np.random.default_rng(1)
    tuples = np.unique(rng.integers(5, size=(2 * n, 6)), axis=0)[:n].tolist()
    content = {
        task: {
            str(tuple(row)): {
                "val_accuracy": 50.0 + position,
                "params": {"score": 0.25 + position, "time": 1.0},
                "synflow": {"score": 2.0 * position, "time": 1.0},
            }
            for position, row in enumerate(tuples)
        }
        for task in ("cifar10", "cifar100")
    }
    path.write_text(json.dumps(content))
    return path


def help_lists(directory: Path, devices: dict[str, list[float]], texts: list[str]) -> list[Path]:
    """HELP: a list per device and the index of their order."""
    paths = [directory / f"{device}.pt" for device in devices]
    for path, values in zip(paths, devices.values(), strict=True):
        torch.save(values, path)
    index = directory / "str_arch2idx.pt"
    torch.save({text: position for position, text in enumerate(texts)}, index)
    return [*paths, index]


def nats_results(text: str, accuracy: float) -> dict[str, Any]:
    """State of one architecture after 200 epochs, as the benchmark saves it."""
    results = {
        (dataset, seed): {
            "name": dataset,
            "net_state_dict": None,
            "train_acc1es": {199: 99.0},
            "train_acc5es": None,
            "train_losses": {199: 0.1},
            "train_times": dict.fromkeys(range(200), 2.0),
            "arch_config": {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
            "params": 0.5,
            "flop": 40.25,
            "seed": seed,
            "epochs": 200,
            "latency": [0.01, 0.02],
            "eval_names": names,
            "eval_acc1es": {f"{name}@199": accuracy + shift + number for shift, name in enumerate(names)},
            "eval_losses": {f"{name}@199": 0.5 for name in names},
            "eval_times": {f"{name}@{epoch}": 1.0 for name in names for epoch in range(200)},
        }
        for dataset, names in NATS_SETS.items()
        for number, seed in enumerate(SEEDS)
    }
    return {
        "arch_index": 0,
        "arch_str": text,
        "all_results": results,
        "dataset_seed": OrderedDict((dataset, list(SEEDS)) for dataset in NATS_SETS),
        "clear_net_done": True,
    }


def write_pbz2(path: Path, content: Any) -> None:
    """A pickle as NATS-Bench packs it."""
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))


def nats_bench(directory: Path, texts: list[str]) -> Path:
    """NATS-tss-…-simple: a file of texts and one per architecture."""
    directory.mkdir()
    write_pbz2(directory / "meta.pickle.pbz2", {"meta_archs": texts, "total_archs": len(texts)})
    for number, text in enumerate(texts):
        results = OrderedDict({"12": {}, "200": nats_results(text, 60.0 + number)})
        write_pbz2(directory / f"{number:06d}.pickle.pbz2", results)
    return directory


def hw_nas_bench(path: Path, texts: list[str], prices: dict[str, float] | None = None) -> Path:
    """HW-NAS-Bench: lists by data set, and prices of blocks."""
    numbers = 1.0 + np.arange(len(texts))
    tables = {
        dataset: {
            "config": [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text} for text in texts],
            "edgegpu_latency": (scale * numbers).tolist(),
            "edgegpu_energy": [10 * np.float64(number) for number in numbers],
            "eyeriss_latency": scale * numbers / 2,
            "eyeriss_energy": (numbers / 10).tolist(),
            "eyeriss_arithmetic_intensity": numbers.tolist(),
        }
        for scale, dataset in enumerate(("cifar10", "cifar100", "ImageNet16-120"), start=1)
    }
    blocks = prices or {}
    fbnet = {"edgegpu_latency": blocks, "pixel3_latency": blocks, "edgegpu_energy": blocks}
    path.write_bytes(pickle.dumps({"nasbench201": tables, "fbnet": fbnet}, 3))
    return path


def transnas(path: Path, spaces: dict[str, list[str]]) -> Path:
    """TransNAS-Bench-101: metrics by epoch, numbers of Python and of numpy."""
    scores = {"class_object": "top1", "segmentsemantic": "mIoU", "normal": "ssim", "room_layout": "neg_loss"}
    metrics = {
        task: [f"{part}_{score}" for part in ("train", "valid", "test")] for task, score in scores.items()
    }
    entry = {
        task: {
            "total_epochs": 3,
            "metrics": {
                f"train_{score}": [9.0, 9.0, 9.0],
                f"valid_{score}": [1.0, np.float64(3.0), 2.0],
                f"test_{score}": [10.0, np.float64(20.0), 30.0],
            },
            "model_info": {
                "inference_time": 0.01,
                "encoder_params": 1.0,
                "model_params": 2.5,
                "model_FLOPs": 100.0,
                "encoder_FLOPs": 90.0,
            },
        }
        for task, score in scores.items()
    }
    data = {space: dict.fromkeys(texts, entry) for space, texts in spaces.items()}
    torch.save(
        {
            "data": data,
            "metrics_dict": metrics,
            "info_names": ["inference_time", "model_params"],
            "task_list": list(scores),
        },
        path,
    )
    return path
