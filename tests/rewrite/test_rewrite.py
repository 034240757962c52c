"""Which values get a probe and why, what inserting and stripping change, and what a target is asked to do."""

import pytest

from hypocenter.errors import BadInputError
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.optable import spec
from hypocenter.ir.site import Site
from hypocenter.rewrite.explain import coverage, explain
from hypocenter.rewrite.insert import Insert, insert
from hypocenter.rewrite.passes import Condition, Pass, PassError
from hypocenter.rewrite.plan import Decision, Plan, decide, plan
from hypocenter.rewrite.rewriter import Edit
from hypocenter.rewrite.strip import Strip, strip
from hypocenter.rewrite.target import apply_plan, withdraw_plan

SITE = Site("/home/ana/train.py", 12)


def op(ir, name, torch_name, inputs, *values, parameters=(), module=None):
    row = spec(torch_name)
    values = values or (((64, 10), "float32"),)
    outputs = [ValueInfo(f"{name}:{i}" if i else name, *value) for i, value in enumerate(values)]
    ir.add_node(
        name, row.op_type, domain=row.domain, scope="net", kind=row.kind, inputs=inputs, outputs=outputs,
        definition=SITE, call=SITE, user=SITE, parameters=parameters, module=module,
    )  # fmt: skip


@pytest.fixture
def ir():
    graph = IR()
    graph.add_input("x", shape=(64, 784), dtype="float32", kind="input")
    graph.add_input("ids", shape=(64,), dtype="int64", kind="input")
    graph.add_input("mode", shape=None, dtype=None, kind="input")
    graph.add_input("none", shape=(0,), dtype="float32", kind="input")
    graph.add_input("fc1.weight", shape=(10, 784), dtype="float32", kind="parameter")
    op(graph, "view", "view", ["x"], ((64, 784), "float32"))
    op(graph, "to", "to", ["view"], ((64, 784), "float32"))
    op(graph, "half", "to", ["to"], ((64, 784), "float16"))
    op(graph, "fc1", "Linear", ["to"], parameters=["fc1.weight"], module="fc1")
    op(graph, "relu", "relu", ["fc1"])
    op(graph, "mul", "mul", ["relu", "relu"])
    op(graph, "top", "topk", ["mul", "x"], ((64, 2), "float32"), ((64, 2), "int64"))
    op(graph, "argmax", "argmax", ["top"], ((64,), "int64"))
    op(graph, "fft", "fft", ["mul"], ((64,), "complex64"))
    op(graph, "split", "no_such", ["mul"], ((0, 2), "float32"))
    op(graph, "nothing", "no_such", ["mul"], (None, None))
    op(graph, "silent", "no_such", ["fft"], ((2,), "bool"), (None, None))
    graph.mark_output("mul")
    return graph


EXPECTED = {
    "x": (True, "input of the model"),
    "ids": (False, "input is not floating point"),
    "mode": (False, "input is not a tensor"),
    "none": (False, "input has no elements"),
    "view": (False, "same values as its input"),
    "to": (False, "same values as its input"),
    "half": (True, "after every operation"),
    "fc1": (True, "after every layer"),
    "relu": (True, "after every operation"),
    "mul": (True, "after every operation"),
    "top": (True, "after every operation"),
    "top:1": (False, "output is not floating point"),
    "argmax": (False, "output is not floating point"),
    "fft": (False, "output is not floating point"),
    "split": (False, "output has no elements"),
    "nothing": (False, "output is not a tensor"),
    "silent": (False, "output is not floating point"),
    "silent:1": (False, "output is not a tensor"),
}


def test_plan_by_default(ir):
    assert {d.value: (d.probe, d.reason) for d in plan(ir)} == EXPECTED
    assert plan(ir).values == ("x", "half", "fc1", "relu", "mul", "top")


def test_plan_by_patterns(ir):
    made = plan(ir, ["fc*", "top*", "view"])
    assert made.values == ("fc1", "top")
    assert made.decision("fc1") == Decision("fc1", True, "its name matches 'fc*'")
    assert made.decision("relu") == Decision("relu", False, "its name matches no pattern")
    assert made.decision("view").reason == "same values as its input"
    assert made.decision("fc1.weight") is None


def test_decide_is_what_plan_decides(ir):
    for patterns in ((), ("fc*", "x")):
        for decision in plan(ir, patterns):
            assert decide(ir, decision.value, patterns) == decision
    assert decide(ir, "fc1.weight") == Decision(
        "fc1.weight", False, "it is a parameter, which is watched where it changes"
    )


@pytest.mark.parametrize(
    ("before", "after", "probe"),
    [("float32", "float16", True), ("float32", "bfloat16", True), ("float64", "float32", True),
     ("bfloat16", "float16", True), ("float16", "float32", False), ("float32", "float32", False),
     ("int64", "float32", False), ("float32", "float128", False)],
)  # fmt: skip
def test_narrowing_casts_are_probed(before, after, probe):
    graph = IR()
    graph.add_input("x", shape=(2,), dtype=before, kind="input")
    op(graph, "to", "to", ["x"], ((2,), after))
    assert decide(graph, "to").probe == probe


def test_insert(ir):
    before = ir.copy()
    probed = insert(ir)
    assert ir == before
    assert [layer.name for layer in probed.nodes if layer.kind == "probe"] == [
        "x@probe", "half@probe", "fc1@probe", "relu@probe", "mul@probe", "top@probe",
    ]  # fmt: skip
    names = [layer.name for layer in probed.nodes]
    assert names[0] == "x@probe"
    assert names[names.index("fc1") + 1] == "fc1@probe"
    probe = probed.node("fc1@probe")
    assert (probe.op_type, probe.domain, probe.inputs, probe.outputs) == (
        "Probe", "hypocenter", ("fc1",), ("fc1@probe",),
    )  # fmt: skip
    assert (probe.scope, probe.definition, probe.user) == ("net", SITE, SITE)
    assert probed.value("fc1@probe") == ValueInfo("fc1@probe", (64, 10), "float32", "probe")
    assert probed.node("relu").inputs == ("fc1@probe",)
    assert probed.node("mul").inputs == ("relu@probe", "relu@probe")
    assert probed.node("top").inputs == ("mul@probe", "x@probe")
    assert probed.node("fc1").parameters == ("fc1.weight",)
    assert probed.outputs == ("mul",)


def test_strip_undoes_insert(ir):
    assert strip(insert(ir)) == ir
    assert insert(ir) != ir
    assert strip(ir) == ir


def test_edits_are_recorded(ir):
    chosen = plan(ir, ["relu"])
    inserted = Insert(chosen)(ir)
    assert inserted.edits == (
        Edit("insert", "relu@probe", "relu", "its name matches 'relu'"),
        Edit("rewire", "mul", "relu@probe", "reads 'relu' through its probe"),
    )
    assert Strip()(inserted.ir).edits == (
        Edit("rewire", "mul", "relu", "its probe goes"),
        Edit("remove", "relu@probe", "relu", "strip removes every probe"),
    )


def test_a_probe_finds_a_free_name(ir):
    op(ir, "fc1@probe", "relu", ["fc1"])
    assert "fc1@probe_1" in insert(ir)
    assert strip(insert(ir)) == ir


def test_probed_graph_is_saved_and_loaded(ir, tmp_path):
    probed = insert(ir)
    probed.save(tmp_path / "ir.onnx")
    assert IR.load(tmp_path / "ir.onnx") == probed


def test_twice_is_refused(ir):
    with pytest.raises(
        PassError, match=r"'insert' requires that the graph has no probes, but 'x@probe' is a probe"
    ) as e:
        insert(insert(ir))
    assert e.value.slug == "pass-requires"


def test_strip_refuses_to_change_the_outputs(ir):
    probed = insert(ir)
    probed.mark_output("fc1@probe")
    with pytest.raises(PassError, match="no output of the graph is a probe's value"):
        strip(probed)


def test_a_plan_of_another_graph_is_refused(ir):
    with pytest.raises(BadInputError, match="'elsewhere'"):
        insert(ir, Plan((Decision("elsewhere", True, "why not"),)))


class Forget(Pass):
    """A pass that does not keep what it promises."""

    name = "forget"
    ensures = (Condition("the graph is empty", lambda ir: (f"{layer.name!r} is there" for layer in ir.nodes)),)

    def apply(self, rewriter):
        """Does nothing."""


def test_a_pass_that_breaks_its_promise_is_told_what_to_change(ir):
    with pytest.raises(PassError, match=r"'view' is there: fix the pass, or change `ensures`") as error:
        Forget()(ir)
    assert error.value.slug == "pass-ensures"


def test_a_broken_graph_is_refused_before_the_pass(ir):
    ir._layers["relu"] = ir.node("fc1")
    with pytest.raises(PassError, match="'strip' requires that every invariant of the graph holds"):
        strip(ir)


def test_coverage_counts_layers_and_says_why(ir):
    covered = coverage(ir, plan(ir))
    assert (covered.layers, covered.probed) == (9, 4)
    assert covered.unprobed == (
        ("argmax", "output is not floating point"),
        ("fft", "output is not floating point"),
        ("split", "output has no elements"),
        ("nothing", "output is not a tensor"),
        ("silent", "output is not floating point, output is not a tensor"),
    )
    assert covered.to_dict()["unprobed"][0] == {"layer": "argmax", "reason": "output is not floating point"}
    assert coverage(ir, Plan(())).unprobed[0] == ("fc1", "the plan does not know what it returns")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fc1", "'fc1' has a probe on 'fc1': after every layer"),
        ("top", "'top' has a probe on 'top': after every operation"),
        ("top:1", "'top:1' has no probe: output is not floating point"),
        ("argmax", "'argmax' has no probe: output is not floating point"),
        ("to", "'to' has no probe: same values as its input, which come from 'x'"),
        ("x", "'x' has a probe on 'x': input of the model"),
        ("ids", "'ids' has no probe: input is not floating point"),
        ("fc1.weight", "'fc1.weight' has no probe: parameters and constants are watched where they change"),
    ],
)
def test_explain(ir, name, sentence):
    assert explain(ir, plan(ir), name) == sentence


def test_explain_an_unknown_name(ir):
    with pytest.raises(BadInputError, match="'wibble'"):
        explain(ir, plan(ir), "wibble")


class Recorder:
    """A target that cannot watch some values."""

    def __init__(self, refuse=(), fail=()):
        self.refuse, self.fail, self.watched = refuse, fail, []

    def attach(self, value):
        if value in self.fail:
            raise RuntimeError(value)
        if value in self.refuse:
            return "the module is compiled"
        self.watched.append(value)
        return None

    def detach(self, value):
        if value in self.watched:
            self.watched.remove(value)


def test_a_plan_is_applied_and_withdrawn(ir):
    target = Recorder(refuse=["relu"])
    result = apply_plan(plan(ir), target)
    assert target.watched == ["x", "half", "fc1", "mul", "top"]
    assert result.values == ("x", "half", "fc1", "mul", "top")
    assert result.decision("relu") == Decision("relu", False, "the module is compiled")
    assert len(result.decisions) == len(plan(ir).decisions)
    withdraw_plan(result, target)
    assert target.watched == []


def test_a_failing_target_is_left_clean(ir):
    target = Recorder(fail=["mul"])
    with pytest.raises(RuntimeError, match="mul"):
        apply_plan(plan(ir), target)
    assert target.watched == []
