"""Weights that the networks of a space share."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from torch import Tensor, nn

from ktnas.network.darts import Cell

DIGEST_BYTES = 4


class SharedWeights:
    """One tensor for each place in the networks of a space, operation that stands there, and shape.

    Networks are built as ever and then given these weights in place of their own. Where there are none yet,
    they are those of the first network that has them.

    Args:
        place: torch's name of the device that they are on.
        weights: by name, to begin with.

    Attributes:
        parameters: by name.
    """

    def __init__(self, place: str, weights: Mapping[str, Tensor]) -> None:
        self._place = place
        self.parameters = {name: self._parameter(value) for name, value in weights.items()}

    def lend(self, network: nn.Module) -> list[nn.Parameter]:
        """Give ``network`` the shared weights, and move it to where they are.

        Returns:
            Weights that are shared from now on.
        """
        new = []
        for name, module, attribute in list(shared_names(network)):
            if name not in self.parameters:
                self.parameters[name] = self._parameter(getattr(module, attribute))
                new.append(self.parameters[name])
            setattr(module, attribute, self.parameters[name])
        network.to(self._place)
        return new

    def _parameter(self, weights: Tensor) -> nn.Parameter:
        return nn.Parameter(weights.detach().to(self._place))


def shared_names(network: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Of each weight of a network the name that it is shared under, its module, and its name in that.

    The name says where the module stands, what it is, and the shape. In cells of DARTS the place of an
    operation is between the node that it reads and the one that it is added to, wherever it is listed.
    """
    modules = dict(network.named_modules())
    for path, place in _places(modules).items():
        own = modules[path]
        parent = modules[path.rpartition(".")[0]]
        for attribute, weights in own.named_parameters(recurse=False):
            shape = "x".join(map(str, weights.shape))
            yield f"{place}.{attribute} {shape} {_operation(own, parent)}", own, attribute


def _places(modules: Mapping[str, nn.Module]) -> dict[str, str]:
    """Path of each module, parents first, to its place."""
    places = {"": ""}
    for path, module in modules.items():
        parent, _, own = path.rpartition(".")
        places.setdefault(path, f"{places[parent]}.{own}")
        if isinstance(module, Cell):
            for number, node in enumerate(module.plan.nodes):
                read = [source for source, _ in node]
                for slot, source in enumerate(read):
                    again = "'" * read[:slot].count(source)
                    places[f"{path}.nodes.{number}.{slot}"] = f"{places[path]}.{source}>{number}{again}"
    return places


def _operation(module: nn.Module, parent: nn.Module) -> str:
    """Short hash of what a module is; in a sequence, of all that stands in it, one level deep."""
    parts = parent.children() if isinstance(parent, nn.Sequential) else [module]
    described = "; ".join(f"{type(part).__name__}({part.extra_repr()})" for part in parts)
    return blake2b(described.encode(), digest_size=DIGEST_BYTES).hexdigest()
