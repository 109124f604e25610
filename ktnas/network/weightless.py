"""Networks of shapes alone: what counts layers and parameters needs no weights."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

FILLING = frozenset({Tensor.fill_, Tensor.normal_, Tensor.uniform_, Tensor.zero_})


class _Unfilled(TorchFunctionMode):
    """Weights are not drawn: half of what making a network takes on that device, and it keeps none."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return args[0] if func in FILLING else func(*args, **(kwargs or {}))


@contextmanager
def weightless() -> Iterator[None]:
    """Modules and tensors made within are on torch's meta device, and nothing is computed of them."""
    with torch.device("meta"), _Unfilled():
        yield
