"""How networks are trained: the keys of ``benchmark.training``."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ktnas.errors import UserError, unknown

PLACES = ("auto", "cpu", "cuda")
TRAINING, SUPERNET = "benchmark.training", "benchmark.supernet"


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained: stochastic gradient descent with Nesterov momentum of 0.9, gradients cut to a
    norm of 5, and a learning rate that falls to 0 along a cosine.

    Attributes:
        epochs: passes over the training images.
        batch: images per step.
        learning_rate: of the first step.
        weight_decay: of all weights.
        size: height and width that images are brought to; None leaves them as they are.
        flip: whether training images are mirrored at random; None mirrors colour images and leaves grey ones
            (digits, letters, scans), which may mean something else in a mirror.
        network: parameters of the space's network; those left out are ``SMALL_NETWORKS``'.
        place: ``cpu``, ``cuda`` (with mixed precision), or ``auto``: a GPU where there is one.
        seed: of initial weights, order and augmentation; the same for every architecture.
    """

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    size: int | None = None
    flip: bool | None = None
    network: dict[str, Any] = field(default_factory=dict)
    place: str = "auto"
    seed: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any], where: str = TRAINING) -> "TrainingSettings":
        """The settings ``given``, checked; those left out have their defaults.

        Messages name ``where`` they are given.

        Raises:
            UserError: an unknown key, a value of another type or out of range.
        """
        known = [item.name for item in fields(cls)]
        schema = OmegaConf.structured(cls())
        OmegaConf.set_readonly(schema, False)
        for key, value in given.items():
            if key not in known:
                raise unknown(f"key of {where}:", key, known)
            try:
                schema[key] = value
            except OmegaConfBaseException as problem:
                reason = str(problem).splitlines()[0]
                raise UserError(f"{where}.{key}={value!r}: {reason}.") from None
        settled = OmegaConf.to_container(schema)
        assert isinstance(settled, dict)
        settings = cls(**{str(key): value for key, value in settled.items()})
        settings._check(where)
        return settings

    def _check(self, where: str) -> None:
        for key, least in (("epochs", 1), ("batch", 2), ("size", 4), ("seed", 0)):
            value = getattr(self, key)
            if value is not None and value < least:
                raise UserError(f"{where}.{key}={value}: must be {least} or more.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UserError(f"{where}.learning_rate={self.learning_rate}: must be above 0.")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise UserError(f"{where}.weight_decay={self.weight_decay}: must be 0 or more.")
        if self.place not in PLACES:
            raise unknown(f"{where}.place", self.place, PLACES)


SUPERNET_DEFAULTS: dict[str, Any] = {"epochs": 60}
SUPERNET_KEYS = ("epochs", "batch", "learning_rate", "weight_decay")


def supernet_settings(training: TrainingSettings, given: Mapping[str, Any]) -> TrainingSettings:
    """How a supernet is trained: as networks are, but for ``SUPERNET_DEFAULTS`` and what is ``given``.

    Raises:
        UserError: a key beside ``SUPERNET_KEYS``, a value of another type or out of range.
    """
    for key in given:
        if key not in SUPERNET_KEYS:
            raise unknown(f"key of {SUPERNET}:", key, SUPERNET_KEYS)
    return TrainingSettings.of(asdict(training) | SUPERNET_DEFAULTS | dict(given), SUPERNET)


SMALL_NETWORKS: dict[str, dict[str, Any]] = {
    "darts": {"channels": 8, "layers": 3},
    "fbnet": {"channels": 8},
    "mobilenetv3": {"width": 0.35},
    "nasbench_macro": {"channels": 8},
    "nasbench101": {"channels": 16, "cells": 1},
    "nasbench201": {"channels": 8, "cells": 1},
    "transnas_macro": {"channels": 8, "blocks": 1},
    "transnas_micro": {"channels": 8, "blocks": 1},
}
"""Parameters of networks that train in seconds on a CPU, by the name of the space's network; those that are
not named have their own defaults."""
