"""Plug-ins by kind and name, and how one is built from its configuration.

A plug-in is a dataclass whose fields are the parameters a user may set. A new one is its module, its
``conf/<kind>/<name>.yaml`` and its line here (or a call of ``register`` from the user's own code).
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, make_dataclass
from importlib import import_module
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ktnas.errors import UserError, unknown

PLUGINS: dict[str, dict[str, str | type]] = {
    "family": {
        "adjacency_cell": "ktnas.space.adjacency_cell:AdjacencyCell",
        "chain": "ktnas.space.chain:Chain",
        "edge_cell": "ktnas.space.edge_cell:EdgeCell",
        "node_cell": "ktnas.space.node_cell:NodeCell",
    },
    "network": {
        "darts": "ktnas.network.darts:DARTS",
        "fbnet": "ktnas.network.fbnet:FBNet",
        "mobilenetv3": "ktnas.network.mobilenetv3:MobileNetV3",
        "nasbench_macro": "ktnas.network.nasbench_macro:NASBenchMacro",
        "nasbench101": "ktnas.network.nasbench101:NASBench101",
        "nasbench_graph": "ktnas.network.nasbench_graph:NASBenchGraph",
        "nasbench201": "ktnas.network.nasbench201:NASBench201",
        "transnas_micro": "ktnas.network.transnas_micro:TransNASMicro",
        "transnas_macro": "ktnas.network.transnas_macro:TransNASMacro",
    },
    "proxy": {
        "params": "ktnas.proxy.size:Params",
        "flops": "ktnas.proxy.size:Flops",
        "synflow": "ktnas.proxy.synflow:SynFlow",
        "grad_norm": "ktnas.proxy.gradients:GradNorm",
        "snip": "ktnas.proxy.gradients:Snip",
        "grasp": "ktnas.proxy.grasp:Grasp",
        "fisher": "ktnas.proxy.fisher:Fisher",
        "jacov": "ktnas.proxy.jacobian:Jacov",
        "nwot": "ktnas.proxy.nwot:Nwot",
        "epe_nas": "ktnas.proxy.jacobian:EpeNas",
        "plain": "ktnas.proxy.gradients:Plain",
        "l2_norm": "ktnas.proxy.l2_norm:L2Norm",
        "zen": "ktnas.proxy.zen:Zen",
    },
    "encoding": {
        "auto": "ktnas.encoding.auto:Auto",
        "onehot": "ktnas.encoding.onehot:OneHot",
        "cell": "ktnas.encoding.cell:CellFeatures",
        "arch2vec": "ktnas.encoding.arch2vec:Arch2Vec",
        "node2vec": "ktnas.encoding.node2vec:Node2Vec",
        "combined": "ktnas.encoding.combined:Combined",
        "layers": "ktnas.encoding.layers:LayerFeatures",
        "zero_cost": "ktnas.encoding.zero_cost:ZeroCost",
    },
    "transfer": {
        "none": "ktnas.transfer.simple:NoTransfer",
        "random": "ktnas.transfer.simple:RandomTransfer",
        "elite": "ktnas.transfer.simple:EliteTransfer",
        "adaptive": "ktnas.transfer.adaptive:AdaptiveTransfer",
        "rank": "ktnas.transfer.rank:TransferRank",
    },
    "surrogate": {
        "binary_relation": "ktnas.surrogate.binary_relation:BinaryRelation",
        "ensemble": "ktnas.surrogate.ensemble:Ensemble",
        "joint_ranking": "ktnas.surrogate.joint_ranking:JointRanking",
        "multitask_gp": "ktnas.surrogate.multitask_gp:MultiTaskGP",
        "multi_predict": "ktnas.surrogate.multi_predict:MultiPredict",
    },
    "latency_model": {
        "flops": "ktnas.latency.flops:FlopsModel",
        "layer_wise": "ktnas.latency.layer_wise:LayerWise",
        "gcn": "ktnas.latency.gcn:GCNRegression",
        "few_shot": "ktnas.latency.few_shot:FewShot",
        "additive": "ktnas.latency.additive:AdditiveProcess",
    },
    "runner": {
        "torch": "ktnas.measure.torch_runner:TorchRunner",
        "onnxruntime": "ktnas.measure.onnxruntime_runner:OnnxruntimeRunner",
        "command": "ktnas.measure.command_runner:CommandRunner",
    },
    "screen": {
        "none": "ktnas.engine.screen:NoScreen",
        "surrogate": "ktnas.engine.surrogate_screen:SurrogateScreen",
        "zero_cost": "ktnas.engine.zero_cost_screen:ZeroCostScreen",
    },
    "parallel": {
        "dask": "ktnas.task.dask_pool:DaskPool",
        "loky": "ktnas.task.loky_pool:LokyPool",
        "threads": "ktnas.task.thread_pool:ThreadPool",
    },
    "survival": {
        "age": "ktnas.engine.survival:AgeSurvival",
        "elitist": "ktnas.engine.survival:ElitistSurvival",
        "nsga2": "ktnas.engine.survival:NSGA2Survival",
    },
}


def register(kind: str, name: str, plugin: type) -> None:
    """Add a plug-in of one's own, a dataclass, under ``name``."""
    if kind not in PLUGINS:
        raise unknown("kind of plug-in", kind, PLUGINS)
    PLUGINS[kind][name] = plugin


def resolve(kind: str, name: str) -> type:
    """Class of the plug-in ``name``, imported on first use."""
    if name not in PLUGINS[kind]:
        raise unknown(kind, name, PLUGINS[kind])
    plugin = PLUGINS[kind][name]
    if isinstance(plugin, type):
        return plugin
    module, _, attribute = plugin.partition(":")
    found: type = getattr(import_module(module), attribute)
    return found


def build(kind: str, config: Mapping[str, Any]) -> Any:
    """Instance of the plug-in ``config["name"]`` with the other keys of ``config`` as its parameters."""
    name = str(config.get("name", "none"))
    plugin = resolve(kind, name)
    parameters = {key: value for key, value in config.items() if key != "name"}
    settable = [item for item in fields(plugin) if item.init]
    for key in parameters:
        if key not in {item.name for item in settable}:
            raise unknown(f"parameter of {kind} '{name}':", key, [item.name for item in settable])
    schema = OmegaConf.structured(
        make_dataclass(
            plugin.__name__,
            [(item.name, item.type, _default(item)) for item in settable],
        )
    )
    for key, value in parameters.items():
        try:
            schema[key] = value
        except OmegaConfBaseException as problem:
            raise UserError(
                f"{kind}.{key}={value!r}: {str(problem).splitlines()[0]} ({kind} '{name}')."
            ) from None
    settled = OmegaConf.to_container(schema)
    assert isinstance(settled, dict)
    return plugin(**{str(key): value for key, value in settled.items()})


def _default(item: "Field[Any]") -> Any:
    """A field with the default of ``item``."""
    if item.default_factory is not MISSING:
        return field(default_factory=item.default_factory)
    return field(default=item.default)
