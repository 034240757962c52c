"""Which layers of the models have a probe, and why the others have none."""

from collections.abc import Iterator
from typing import Any

from hypocenter.lower.fx.builder import GraphBuilder
from hypocenter.probes.fx.registry import Known, Registry

#: Why a layer has no node, without and with calls in other threads.
_UNCALLED = (
    "it was never called",
    "it was not called in the thread in which observing began; calls in other threads are not observed",
)


def coverage(builder: GraphBuilder, registry: Registry) -> dict[str, Any]:
    """The `coverage` object of the report: `layers`, `probed`, `unprobed`.

    A layer is a node inside a model that computes something: a call of a leaf module or of a function, not a view.
    Leaf modules that were never called count as layers without a probe.
    """
    layers = [node.name for node in builder.ir.nodes if node.kind != "movement" and node.name not in builder.outside]
    unprobed = [{"layer": name, "reason": builder.excuses[name]} for name in layers if name in builder.excuses]
    called = {node.module for node in builder.ir.nodes if node.module is not None}
    silent = [{"layer": path, "reason": reason} for path, reason in _silent(builder, registry, called)]
    if registry.refused:
        reason = "too many models in one process; the first ones are observed"
        silent.append({"layer": f"{registry.refused} further models", "reason": reason})
    return {
        "layers": len(layers) + len(silent),
        "probed": len(layers) - len(unprobed),
        "unprobed": [*unprobed, *silent],
    }


def _silent(builder: GraphBuilder, registry: Registry, called: set[str]) -> Iterator[tuple[str, str]]:
    """Leaf modules without a node of their own."""
    leaves: dict[str, Known] = {known.path: known for known in registry.modules() if known.leaf}
    scopes = {node.scope for node in builder.ir.nodes}
    for path, leaf in leaves.items():
        if path in called or any(scope == path or scope.startswith(path + ".") for scope in scopes):
            continue
        parent = _whole_parent(path, leaves, builder.wholes)
        if parent is None:
            yield path or type(leaf.module()).__name__.lower(), _UNCALLED[registry.elsewhere]
        elif parent in builder.wholes:
            yield path, f"{parent or 'the model'} ran as one node: {builder.wholes[parent]}"


def _whole_parent(path: str, leaves: dict[str, Known], wholes: dict[str, str]) -> str | None:
    """The nearest enclosing module that is one node."""
    parts = path.split(".")
    for size in range(len(parts) - 1, -1, -1):
        parent = ".".join(parts[:size])
        if parent in wholes or (parent in leaves and parent != path):
            return parent
    return None
