"""The pass that removes probes."""

from collections.abc import Iterator
from typing import ClassVar

from hypocenter.ir.graph import IR
from hypocenter.rewrite.passes import SOUND, WITHOUT_PROBES, Condition, Pass
from hypocenter.rewrite.rewriter import Rewriter


def _probe_outputs(ir: IR) -> Iterator[str]:
    producers = [ir.producer(value) for value in ir.outputs]
    return (f"{layer.name!r} is one" for layer in producers if layer is not None and layer.kind == "probe")


class Strip(Pass):
    """Takes every probe out; the inverse of `Insert`.

    1. Every node that reads the probe's value reads again what the probe reads.
    2. The probe goes.
    """

    name: ClassVar[str] = "strip"
    requires: ClassVar[tuple[Condition, ...]] = (
        SOUND,
        Condition("no output of the graph is a probe's value", _probe_outputs),
    )
    ensures: ClassVar[tuple[Condition, ...]] = (SOUND, WITHOUT_PROBES)

    def apply(self, rewriter: Rewriter) -> None:
        """Edits the graph as the class says."""
        for probe in rewriter.ir.nodes:
            if probe.kind != "probe":
                continue
            value = rewriter.ir.node(probe.name).inputs[0] or ""
            for reader in rewriter.ir.consumers(probe.name):
                rewriter.rewire(reader.name, probe.name, value, reason="its probe goes")
            rewriter.remove(probe.name, reason="strip removes every probe")


def strip(ir: IR) -> IR:
    """The graph without probes; see `Strip`."""
    return Strip()(ir).ir
