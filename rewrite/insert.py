"""The pass that inserts probes."""

from dataclasses import replace
from typing import ClassVar, Final

from hypocenter.ir.graph import IR
from hypocenter.ir.layer import Layer
from hypocenter.rewrite.passes import SOUND, WITHOUT_PROBES, Condition, Pass
from hypocenter.rewrite.plan import Decision, Plan, plan
from hypocenter.rewrite.rewriter import Rewriter

DOMAIN: Final = "hypocenter"
OP_TYPE: Final = "Probe"


class Insert(Pass):
    """Puts a probe behind every planned value.

    1. The probe node stands directly behind the value's producer, or first when the value is an input.
    2. It has the scope and the sites of the producer, and the shape and dtype of the value.
    3. Every node that read the value reads the probe's value instead.
    4. The graph's outputs keep their names: what calls the graph does not see the probes.

    Args:
        decisions: Which values; by default those of `plan(ir)`.
    """

    name: ClassVar[str] = "insert"
    requires: ClassVar[tuple[Condition, ...]] = (SOUND, WITHOUT_PROBES)

    def __init__(self, decisions: Plan | None = None) -> None:
        self.decisions = decisions

    def apply(self, rewriter: Rewriter) -> None:
        """Edits the graph as the class says."""
        for decision in plan(rewriter.ir) if self.decisions is None else self.decisions:
            if decision.probe:
                _insert(rewriter, decision)


def _insert(rewriter: Rewriter, decision: Decision) -> None:
    ir, value = rewriter.ir, decision.value
    readers = [layer.name for layer in ir.consumers(value) if value in layer.inputs]
    probe = _probe(ir, value)
    output = replace(ir.value(value), name=probe.name, kind="probe")
    rewriter.insert_after(value, probe, [output], reason=decision.reason)
    for reader in readers:
        rewriter.rewire(reader, value, probe.name, reason=f"reads {value!r} through its probe")


def _probe(ir: IR, value: str) -> Layer:
    name = ir.unique_name(f"{value}@probe")
    producer = ir.producer(value)
    fields = {} if producer is None else {key: getattr(producer, key) for key in ("definition", "call", "user")}
    scope = "" if producer is None else producer.scope
    return Layer(name, OP_TYPE, DOMAIN, scope, "probe", (value,), (name,), **fields)


def insert(ir: IR, decisions: Plan | None = None) -> IR:
    """The graph with probes; see `Insert`."""
    return Insert(decisions)(ir).ir
