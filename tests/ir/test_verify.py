"""The verifier accepts sound graphs and rejects each broken invariant."""

from dataclasses import replace

import onnx_ir
import pytest

from hypocenter.errors import BadInputError
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.verify import INVARIANTS, violations


def add(ir, name, inputs, outputs=None, **fields):
    defaults = {"scope": "", "kind": "other", "definition": None, "call": None, "user": None}
    outputs = [ValueInfo(name, (2,), "float32")] if outputs is None else outputs
    ir.add_node(name, "Relu", inputs=inputs, outputs=outputs, **(defaults | fields))


@pytest.fixture
def ir():
    graph = IR()
    graph.add_input("x", shape=(2,), dtype="float32", kind="input")
    graph.add_input("w", shape=(2,), dtype="float32", kind="parameter")
    add(graph, "a", ["x", None], parameters=["w"])
    add(graph, "p", ["a"], kind="probe", domain="hypocenter")
    add(graph, "b", ["p", "x"])
    graph.mark_output("b")
    return graph


def onnx_node(ir, name):
    return ir.model.graph.node(name)


def rename(ir, old, new):
    onnx_node(ir, old).name = new


def swap_order(ir):
    graph = ir.model.graph
    node = onnx_node(ir, "b")
    graph.remove(node)
    graph.insert_before(onnx_node(ir, "a"), node)
    ir._order = None


def same_value_name(ir):
    onnx_node(ir, "b").outputs[0].name = "a"


def foreign_output(ir):
    ir.model.graph.outputs.append(onnx_ir.Value(name="elsewhere"))


def without_scope(ir):
    del onnx_node(ir, "a").metadata_props["hypocenter.scope"]


def new_record(ir, name, **fields):
    ir._layers[name] = replace(ir._layers[name], **fields)
    ir._order = None


def unknown_parameter(ir):
    new_record(ir, "b", parameters=("a",))


def extra_onnx_node(ir):
    ir.model.graph.append(onnx_ir.Node("", "Relu", [], name="stray"))
    ir._order = None


BROKEN = {
    "agreement": [
        extra_onnx_node,
        lambda ir: new_record(ir, "b", scope="elsewhere"),
        lambda ir: onnx_node(ir, "b").replace_input_with(0, None),
        lambda ir: ir._infos.update(a=ValueInfo("a", (3,), "float32")),
    ],
    "node names are unique": [lambda ir: rename(ir, "b", "a"), lambda ir: rename(ir, "b", "")],
    "value names are unique": [same_value_name],
    "values are made before they are read": [swap_order],
    "outputs are made": [foreign_output],
    "kinds are known": [
        lambda ir: add(ir, "c", ["b"], kind="magic"),
        lambda ir: ir.add_input("y", shape=None, dtype=None, kind="magic"),
    ],
    "nodes have a scope and a kind": [without_scope],
    "domains are known": [lambda ir: add(ir, "c", ["b"], domain="com.example")],
    "parameters are inputs": [unknown_parameter],
    "a node is named as its first value": [lambda ir: add(ir, "c", ["b"], [ValueInfo("d", (2,), "float32")])],
    "probes read one value and pass it on": [
        lambda ir: add(ir, "c", ["b", "a"], kind="probe", domain="hypocenter"),
        lambda ir: add(ir, "c", [], kind="probe", domain="hypocenter"),
        lambda ir: add(ir, "c", ["b"], [], kind="probe", domain="hypocenter"),
        lambda ir: add(ir, "c", ["b"], parameters=["w"], kind="probe", domain="hypocenter"),
        lambda ir: add(ir, "c", ["b"], [ValueInfo("c", (3,), "float32")], kind="probe", domain="hypocenter"),
        lambda ir: add(ir, "c", ["b"], kind="probe", domain="torch"),
        lambda ir: add(ir, "c", ["b"], kind="other", domain="hypocenter"),
    ],
}


def test_a_sound_graph(ir):
    assert violations(ir) == []
    ir.verify()


def test_every_invariant_has_a_case():
    assert BROKEN.keys() == INVARIANTS.keys()


@pytest.mark.parametrize(("name", "break_it"), [(name, case) for name, cases in BROKEN.items() for case in cases])
def test_each_broken_invariant_is_found(ir, name, break_it):
    break_it(ir)
    assert list(INVARIANTS[name](ir)), name
    with pytest.raises(BadInputError):
        ir.verify()


def test_error_says_what_and_how_many(ir):
    add(ir, "c", ["b"], kind="magic")
    add(ir, "d", ["b"], kind="magic")
    with pytest.raises(BadInputError, match=r"node 'c' has the kind 'magic' \(and 1 more\)") as error:
        ir.verify()
    assert error.value.slug == "broken-graph"
