"""HC101 to HC105: the origin, its reason, and what is not accused."""

import numpy as np
import pytest

from hypocenter.probes.schema import Phase

NAN, INF = float("nan"), float("inf")
RULES = ("HC101", "HC102", "HC103", "HC104", "HC105", "HC106")


def chain(
    scene, op, values, result, *, line=7, attributes=None, dtype="float32", kind="elementwise", after_model=False
):
    """x -> fc -> op -> loss, in which `op` turned `values` into `result` at step 2 and the loss became NaN."""
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("act", "Sigmoid", ["fc"], kind="activation", line=5, module=True)
    scene.node("bad", op, ["act"], line=line, attributes=attributes, dtype=dtype, kind=kind)
    if after_model:
        scene.ir.mark_output("act")
    else:
        scene.ir.mark_output("bad")
    scene.node("loss", "ReduceMean", ["bad"], kind="reduction", line=9)
    scene.optimizer()
    for step in range(3):
        scene.at(step)
        last = step == 2
        scene.see(Phase.INPUT, x=[1.0, 2.0])
        scene.see(Phase.WEIGHT, fc__weight=np.eye(4) * 0.3)
        scene.forward(fc=[0.5, 1.0], act=values if last else np.abs(np.nan_to_num(values, neginf=0)) * 0 + 0.5)
        scene.forward(bad=result if last else np.full(np.shape(result), 0.5))
        scene.loss(NAN if last else 1.0)
    scene.event("counters", forwards=3, backwards=3, optimizer_steps=3)


def only(scene, code):
    assert scene.codes(RULES) == [code]
    (found,) = scene.find(code)
    return found


def test_log_of_zero_in_the_model(scene):
    line = scene.site(7, "        return -torch.log(p).sum()", "torch.log(p)")
    chain(scene, "Log", [0.0, 0.5, 0.0], [-INF, -0.7, -INF], line=line)
    found = only(scene, "HC101")
    assert (found.layer, found.fault, found.step, found.location.line) == ("bad", "numerics", 2, 7)
    assert found.severity == "error"
    assert found.evidence["reason"] == "log-of-zero"
    assert "2 of its 3 inputs are 0" in found.message
    assert "the loss became NaN at step 2" in found.message
    edit = found.fix.edit
    assert (edit.line, edit.old, edit.new) == (7, "torch.log(p)", "torch.log(p.clamp_min(1e-8))")


def test_the_same_behind_the_model_is_a_loss_fault(scene):
    chain(scene, "Log", [0.0, 0.5, 0.0], [-INF, -0.7, -INF], after_model=True)
    assert only(scene, "HC102").phase == "loss"


REASONS = [
    ("Log", [-1e-9, 0.5], [NAN, -0.7], {}, "log-of-negative"),
    ("Log1p", [-1.0, 0.5], [-INF, 0.4], {}, "log1p-at-minus-one"),
    ("Sqrt", [-1e-9, 4.0], [NAN, 2.0], {}, "root-of-negative"),
    ("Rsqrt", [0.0, 4.0], [INF, 0.5], {}, "division-by-zero"),
    ("RDiv", [0.0, 4.0], [INF, 0.25], {"args": [1.0]}, "division-by-zero"),
    ("Reciprocal", [0.0, 4.0], [INF, 0.25], {}, "division-by-zero"),
    ("Div", [1.0, 4.0], [INF, INF], {"args": [0]}, "division-by-zero"),
    ("Exp", [89.5, 1.0], [INF, 2.7], {}, "exp-overflow"),
    ("Pow", [-2.0, 1.0], [NAN, 1.0], {"args": [0.5]}, "power-of-negative"),
    ("Pow", [0.0, 1.0], [INF, 1.0], {"args": [-1]}, "power-of-zero"),
    ("Acos", [1.0000001, 0.0], [NAN, 1.5], {}, "outside-domain"),
    ("Asin", [-1.5, 0.0], [NAN, 0.0], {}, "outside-domain"),
    ("Atanh", [1.0, 0.0], [INF, 0.0], {}, "outside-domain"),
    ("Std", [0.3, 0.4], [NAN, NAN], {"args": [0]}, "std-of-one"),
    ("ReduceMean", [0.3, 0.4], NAN, {}, "empty-mean"),
    ("CrossEntropyLoss", [0.3, 0.4], NAN, {"ignore_index": 3}, "all-ignored"),
    ("CTCLoss", [0.3, 0.4], INF, {}, "ctc-no-path"),
    ("BCELoss", [1.5, -0.4], NAN, {}, "not-probabilities"),
    ("MultiheadAttention", [0.3, 0.4], [NAN, 0.2], {}, "fully-masked-row"),
    ("CumProd", [0.3, 0.4], [NAN, 0.2], {}, None),
]


@pytest.mark.parametrize(("op", "values", "result", "attributes", "reason"), REASONS)
def test_reasons(scene, op, values, result, attributes, reason):
    chain(scene, op, values, result, attributes=attributes)
    found = only(scene, "HC101")
    assert found.evidence["reason"] == reason
    assert found.fix.text.endswith(".")
    assert found.layer == "bad"
    assert (found.confidence < 0.6) == (reason is None)


def test_logits_passed_to_log_are_an_activation_fault(scene):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("log", "Log", ["fc"], line=8)
    scene.ir.mark_output("log")
    scene.at(0)
    scene.forward(fc=[-1.0, 2.0, -0.5], log=[NAN, 0.7, NAN])
    scene.loss(NAN)
    found = only(scene, "HC101")
    assert (found.fault, found.evidence["reason"]) == ("activation", "log-of-logits")


def test_a_square_that_overflows(scene):
    chain(scene, "Pow", [1e20, 1.0], [INF, 1.0], attributes={"args": [2]})
    (found,) = scene.find("HC101")
    assert found.evidence["reason"] == "power-overflow"
    assert "1e+20 to the power 2" in found.message


def test_half_precision_overflow(scene):
    chain(scene, "MatMul", [300.0, 300.0], np.array([np.inf], np.float16), dtype="float16")
    found = only(scene, "HC101")
    assert found.evidence["reason"] == "half-overflow"
    assert "65504" in found.message


def two_inputs(scene, op, left, right, result, **options):
    scene.input("a")
    scene.input("b")
    scene.node("bad", op, ["a", "b"], line=options.pop("line", 4), **options)
    scene.ir.mark_output("bad")
    scene.at(0)
    scene.see(Phase.INPUT, a=left, b=right)
    scene.forward(bad=result)
    scene.loss(NAN)


def test_zero_by_zero(scene):
    line = scene.site(4, "    z = (x - mean) / std", "(x - mean) / std")
    two_inputs(scene, "Div", [0.0, 1.0], [0.0, 0.5], [NAN, 2.0], line=line)
    found = only(scene, "HC101")
    assert found.evidence["reason"] == "zero-by-zero"
    assert "1 of 2 denominators 'b' are 0" in found.message
    assert found.fix.edit.new == "(x - mean) / std.clamp_min(1e-8)"


def test_a_denominator_of_both_signs_gets_no_edit(scene):
    line = scene.site(4, "    z = a / b")
    two_inputs(scene, "Div", [1.0, 1.0], [0.0, -0.5], [INF, -2.0], line=line)
    found = only(scene, "HC101")
    assert found.evidence["reason"] == "division-by-zero"
    assert found.fix.edit is None


def masked_attention(scene, result):
    scene.input("x")
    scene.linear("scores", "x")
    scene.node("masked", "MaskedFill", ["scores"], line=11, attributes={"args": ["-inf"]})
    scene.node("softmax", "Softmax", ["masked"], kind="activation", line=12, shape=(2, 2))
    scene.ir.mark_output("softmax")
    scene.node("loss", "ReduceMean", ["softmax"], kind="reduction")
    scene.at(0)
    scene.forward(scores=[[1.0, 2.0], [3.0, 4.0]], masked=[[-INF, -INF], [3.0, -INF]], softmax=result)


def test_a_fully_masked_row_is_the_softmax(scene):
    masked_attention(scene, [[NAN, NAN], [1.0, 0.0]])
    scene.loss(NAN)
    found = only(scene, "HC101")
    assert (found.layer, found.evidence["reason"], found.location.line) == ("softmax", "fully-masked-row", 12)
    assert "3 of 4 scores are -inf" in found.message


def test_a_mask_is_no_fault(scene):
    masked_attention(scene, [[0.0, 1.0], [1.0, 0.0]])
    scene.loss(0.5)
    assert scene.codes(RULES) == []


def test_a_mask_that_stays_in_the_predictions_is_no_fault(scene):
    """Forbidden actions of a policy: -inf in the logits, a finite loss, and an evaluation that shows them too."""
    scene.input("x")
    scene.linear("fc", "x")
    scene.input("mask", "buffer")
    scene.node("add", "Add", ["fc", "mask"])
    scene.ir.mark_output("add")
    for step, training in ((0, True), (1, False)):
        scene.at(step, training=training)
        scene.forward(fc=[1.0, 2.0], add=[1.0, -INF])
        if training:
            scene.loss(0.3)
    assert scene.codes(RULES) == []


def test_an_unharmful_logarithm_beside_the_fault_is_not_blamed(scene):
    """log(0) feeds a softmax, which copes; the NaN comes from a later division."""
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("log", "Log", ["x"], line=5)
    scene.node("add", "Add", ["fc", "log"], line=6)
    scene.node("softmax", "Softmax", ["add"], kind="activation", line=7)
    scene.node("zero", "Sub", ["softmax", "softmax"], line=8)
    scene.node("div", "Div", ["softmax", "zero"], line=9)
    scene.ir.mark_output("div")
    scene.node("loss", "ReduceMean", ["div"], kind="reduction")
    scene.at(0)
    scene.see(Phase.INPUT, x=[0.0, 1.0])
    scene.forward(fc=[1.0, 1.0], log=[-INF, 0.0], add=[-INF, 1.0], softmax=[0.0, 1.0], zero=[0.0, 0.0], div=[NAN, INF])
    scene.loss(NAN)
    found = only(scene, "HC101")
    assert (found.layer, found.location.line) == ("div", 9)


def test_views_are_seen_through(scene):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("view", "View", ["fc"], kind="movement")
    scene.node("log", "Log", ["view"], line=6)
    scene.node("flat", "Flatten", ["log"], kind="movement")
    scene.node("loss", "ReduceSum", ["flat"], kind="reduction")
    scene.at(0)
    scene.forward(fc=[0.0, 1.0, 2.0], log=[-INF, 0.0, 0.7])
    scene.loss(-INF)
    found = only(scene, "HC101")
    assert found.evidence["reason"] == "log-of-zero"
    assert found.evidence["inputs"][0]["name"] == "fc"


def test_the_bad_pass_of_an_accumulated_step(scene):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("log", "Log", ["fc"], line=6)
    scene.node("loss", "ReduceSum", ["log"], kind="reduction")
    for call, values in enumerate(([1.0, 2.0], [0.0, 2.0], [3.0, 4.0])):
        scene.at(5, call)
        with np.errstate(divide="ignore"):
            scene.forward(fc=values, log=np.log(values))
            scene.loss(float(np.log(values).sum()))
    found = only(scene, "HC101")
    assert "between 0 and 2" in found.message


# backward


def backward(scene, op, values, result, gradients, *, attributes=None, after=None, line=7):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("root", op, ["fc"], line=line, attributes=attributes)
    last = "root"
    if after:
        last = scene.node("hide", after, ["root"], line=8)
    scene.ir.mark_output(last)
    scene.node("loss", "ReduceMean", [last], kind="reduction", line=9)
    scene.optimizer()
    scene.at(0)
    scene.see(Phase.WEIGHT, fc__weight=np.eye(4) * 0.3)
    scene.forward(fc=values, root=result)
    if after:
        scene.forward(hide=np.nan_to_num(result))
        scene.see(Phase.BACKWARD, hide=[0.5, 0.5])
    scene.loss(1.0)
    scene.see(Phase.BACKWARD, root=[0.0, 0.5], fc=gradients)
    scene.see(Phase.GRADIENT, fc__weight=[NAN, 0.1])


def test_root_at_zero_in_backward(scene):
    line = scene.site(7, "        d = torch.sqrt(s)", "torch.sqrt(s)")
    backward(scene, "Sqrt", [0.0, 4.0], [0.0, 2.0], [INF, 0.1], line=line)
    found = only(scene, "HC103")
    assert (found.layer, found.phase, found.fault, found.location.line) == ("root", "backward", "numerics", 7)
    assert found.evidence["reason"] == "root-at-zero"
    assert found.fix.edit.new == "torch.sqrt(s.clamp_min(1e-12))"


@pytest.mark.parametrize(
    ("op", "values", "result", "attributes", "reason"),
    [
        ("Pow", [0.0, 4.0], [0.0, 2.0], {"args": [0.5]}, "power-at-zero"),
        ("Norm", [0.0, 4.0], [0.0, 4.0], {}, "norm-at-zero"),
        ("Acos", [1.0, 0.0], [0.0, 1.57], {}, "edge-of-domain"),
    ],
)
def test_reasons_in_backward(scene, op, values, result, attributes, reason):
    backward(scene, op, values, result, [NAN, 0.1], attributes=attributes)
    assert only(scene, "HC103").evidence["reason"] == reason


def test_a_bad_value_hidden_by_where(scene):
    backward(scene, "Sqrt", [-1.0, 4.0], [NAN, 2.0], [NAN, 0.1], after="Where")
    found = only(scene, "HC103")
    assert (found.layer, found.evidence["reason"]) == ("root", "masked-backward")
    assert "0 * inf = NaN" in found.message


def test_a_weight_gradient_alone_is_the_layer(scene):
    backward(scene, "Sqrt", [1.0, 4.0], [1.0, 2.0], [0.1, 0.1])
    assert only(scene, "HC103").layer == "fc"


def test_gradients_that_grad_scaler_skips_are_no_fault(scene):
    backward(scene, "Sqrt", [1.0, 4.0], [1.0, 2.0], [INF, 0.1])
    scene.event("grad_scaler")
    assert scene.codes(RULES) == []


def test_a_skipped_step_is_told_by_the_weights(scene):
    """Without GradScaler: the program itself drops the step."""
    backward(scene, "Sqrt", [1.0, 4.0], [1.0, 2.0], [INF, 0.1])
    scene.at(1)
    scene.see(Phase.WEIGHT, fc__weight=np.eye(4) * 0.3)
    assert scene.codes(RULES) == []


def test_an_infinite_scaled_loss_that_is_skipped_is_no_fault(scene):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("mean", "ReduceMean", ["fc"], kind="loss")
    scene.node("loss", "Mul", ["mean"])
    scene.event("grad_scaler")
    for step, value in enumerate((INF, 4.0, 3.0)):
        scene.at(step)
        scene.see(Phase.WEIGHT, fc__weight=np.eye(4) * 0.3)
        scene.forward(fc=[1.0], mean=1.0)
        scene.loss(value)
    assert scene.codes(RULES) == []


def test_a_nan_loss_that_never_reached_the_weights_is_a_warning(scene):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("log", "Log", ["fc"])
    scene.node("loss", "ReduceMean", ["log"], kind="reduction")
    for step in range(40):
        scene.at(step)
        bad = step == 7
        scene.see(Phase.WEIGHT, fc__weight=np.eye(4) * 0.3)
        scene.forward(fc=[0.0 if bad else 1.0], log=[-INF if bad else 0.0])
        scene.loss(-INF if bad else 0.0)
    found = only(scene, "HC101")
    assert found.severity == "warning"
    assert "1 of 40 steps" in found.message


# weights and data


def update(scene, optimizer, gradient, new, **settings):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("loss", "ReduceMean", ["fc"], kind="loss")
    scene.optimizer(optimizer, **settings)
    scene.at(0)
    scene.see(Phase.WEIGHT, fc__weight=np.full((4, 4), 0.2))
    scene.forward(fc=[0.5, 1.0])
    scene.loss(1.0)
    scene.see(Phase.GRADIENT, fc__weight=gradient)
    scene.see(Phase.UPDATE, fc__weight=new)
    scene.at(1)
    scene.see(Phase.WEIGHT, fc__weight=new)
    scene.forward(fc=[NAN, NAN])
    scene.loss(NAN)


def test_adam_without_eps(scene):
    update(scene, "Adam", [0.0, 0.1, 0.0], [NAN, 0.1, NAN], eps=0.0)
    found = only(scene, "HC104")
    assert (found.fault, found.phase, found.step, found.location.line) == ("optimizer", "update", 0, 90)
    assert "eps is 0, and 2 of 3 gradients are 0" in found.message
    assert found.layer == "fc"


def test_an_update_that_overflows_without_reason(scene):
    update(scene, "SGD", [0.2, 0.1], [NAN, 0.1])
    found = only(scene, "HC104")
    assert found.evidence["gradient"]["nan"] == 0
    assert found.confidence <= 0.5


def test_bad_initial_weights(scene):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("loss", "ReduceMean", ["fc"], kind="loss")
    scene.at(0)
    scene.see(Phase.WEIGHT, fc__weight=[NAN, 1.0])
    scene.forward(fc=[NAN, 1.0])
    scene.loss(NAN)
    found = only(scene, "HC104")
    assert (found.fault, found.location.line, found.layer) == ("initialization", 3, "fc")


def data(scene, loss, *, target=False):
    scene.input("x")
    scene.input("y", "target")
    scene.linear("fc", "x", line=3)
    scene.ir.mark_output("fc")
    scene.node("loss", "MSELoss", ["fc", "y"], kind="loss", line=9)
    for step in range(2):
        scene.at(step)
        bad = step == 1
        scene.see(Phase.INPUT, x=[NAN if bad and not target else 1.0, 2.0])
        scene.see(Phase.TARGET, y=[NAN if bad and target else 1.0, 2.0])
        scene.forward(fc=[NAN if bad and not target else 1.0, 2.0])
        scene.loss(loss if bad else 1.0)


def test_nan_in_the_inputs(scene):
    data(scene, NAN)
    found = only(scene, "HC105")
    assert (found.fault, found.phase, found.step, found.evidence["role"]) == ("data", "data", 1, "input")
    assert "1 of 2 batches" in found.message


def test_nan_in_the_targets(scene):
    data(scene, NAN, target=True)
    found = only(scene, "HC105")
    assert found.evidence["role"] == "target"
    assert found.location.line == 9


def test_nan_in_the_inputs_that_does_no_harm(scene):
    data(scene, 1.0)
    assert scene.codes(RULES) == []


def test_predictions_without_training(scene):
    scene.input("x")
    scene.node("log", "Log", ["x"], line=4)
    scene.ir.mark_output("log")
    scene.at(0, training=False)
    scene.see(Phase.INPUT, x=[-1.0, 2.0])
    scene.forward(log=[NAN, 0.7])
    found = only(scene, "HC101")
    assert found.severity == "error"
    assert "in inference" in found.message
    assert scene.diagnose(select=["HC1"]).verdict == "faulty"


def test_a_script_that_stops_before_its_loss(scene):
    """binary_cross_entropy raises on NaN, so that no loss is ever seen."""
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("log", "Log", ["fc"], line=4)
    scene.ir.mark_output("log")
    scene.at(0)
    scene.forward(fc=[-1.0, 2.0, 1, 1, 1, 1, 1, 1, 1, 1, 1], log=[NAN, 0.7])
    assert only(scene, "HC101").layer == "log"


def test_one_fault_is_one_finding(scene):
    chain(scene, "Log", [0.0, 0.5], [-INF, -0.7])
    scene.see(Phase.BACKWARD, act=[NAN, NAN], fc=[NAN, NAN])
    scene.see(Phase.GRADIENT, fc__weight=[NAN])
    scene.see(Phase.UPDATE, fc__weight=[NAN])
    scene.at(3)
    scene.see(Phase.WEIGHT, fc__weight=[NAN])
    scene.forward(fc=[NAN], act=[NAN], bad=[NAN])
    scene.loss(NAN)
    diagnosis = scene.diagnose(select=["HC1"])
    assert [(each.rule, each.rank) for each in diagnosis.findings] == [("HC101", 1)]


def test_minus_infinity_in_the_inputs_of_a_layer_is_no_mask(scene):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("loss", "MSELoss", ["fc"], kind="loss")
    scene.at(0)
    scene.see(Phase.INPUT, x=[-INF, 1.0])
    scene.forward(fc=[NAN, 1.0])
    scene.loss(NAN)
    assert only(scene, "HC105").layer == "fc"


def test_a_criterion_class_of_the_users_own_is_the_loss(scene):
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.ir.mark_output("fc")
    scene.ir.add_node(
        "criterion.log", "Log", scope="criterion", kind="elementwise", inputs=["fc"],
        outputs=[scene.value("criterion.log")], definition=None, call=None, user=scene.site(12),
    )  # fmt: skip
    scene.node("loss", "ReduceMean", ["criterion.log"], kind="reduction")
    scene.ir.mark_output("loss")
    scene.at(0)
    scene.forward(fc=[0.0, 1.0], criterion__log=[-INF, 0.0])
    scene.loss(-INF)
    assert only(scene, "HC102").location.line == 12


def test_a_second_model_is_no_loss(scene):
    scene.input("x")
    scene.linear("generator.fc", "x")
    scene.ir.mark_output("generator.fc")
    scene.linear("critic.fc", "generator.fc", line=4)
    scene.node("loss", "ReduceMean", ["critic.fc"], kind="reduction")
    scene.at(0)
    scene.forward(generator__fc=[1.0, 1.0], critic__fc=[NAN, 0.0])
    scene.loss(NAN)
    assert only(scene, "HC101").layer == "critic.fc"


def counted_loss(scene):
    """A mean over a mask: the count is an integer, which has no statistics."""
    scene.input("x")
    scene.input("mask", "target", dtype="bool")
    scene.linear("fc", "x", line=3)
    scene.ir.mark_output("fc")
    scene.node("total", "ReduceSum", ["fc"], kind="reduction", line=7)
    scene.node("count", "ReduceSum", ["mask"], kind="reduction", line=7, dtype="int64")
    scene.node("loss", "Div", ["total", "count"], line=scene.site(8, "    loss = total / count", "total / count"))


def test_an_integer_count_of_zero(scene):
    counted_loss(scene)
    scene.at(0)
    scene.forward(fc=[1.0, 2.0], total=0.0)
    scene.loss(NAN)
    found = only(scene, "HC102")
    assert found.evidence["reason"] == "zero-by-zero"
    assert "the count 'count' is 0" in found.message
    assert found.fix.edit.new == "total / count.clamp_min(1)"


@pytest.mark.parametrize(("later", "severity"), [(0, "error"), (30, "warning")])
def test_a_bad_loss_on_which_backward_is_not_called(scene, later, severity):
    """The program looks at the loss first: it stops, or goes on with the next batch."""
    counted_loss(scene)
    for step in range(later + 4):
        scene.at(step)
        scene.forward(fc=[1.0, 2.0], total=0.0)
        if step == 3:
            scene.forward(loss=NAN)
        else:
            scene.loss(1.0)
    found = only(scene, "HC102")
    assert (found.severity, found.step, found.location.line) == (severity, 3, 8)
    assert "backward was not called on it" in found.message


def test_a_program_that_stops_at_its_first_loss(scene):
    counted_loss(scene)
    scene.at(0)
    scene.forward(fc=[1.0, 2.0], total=0.0, loss=NAN)
    assert scene.codes(RULES) == []  # so far it may be a metric
    scene.event("end", ended="raised", exception="AssertionError")
    assert only(scene, "HC102").step == 0


def test_a_program_that_stops_in_backward(scene):
    backward(scene, "Sqrt", [0.0, 4.0], [0.0, 2.0], [INF, 0.1])
    scene.event("grad_scaler")  # which would have skipped this step
    assert scene.codes(RULES) == []
    scene.event("end", ended="raised", exception="RuntimeError: Function 'SqrtBackward0' returned nan values")
    found = only(scene, "HC103")
    assert found.evidence["reason"] == "root-at-zero"
    assert "where the program stopped" in found.message


def test_a_mask_by_multiplication(scene):
    chain(scene, "Mul", [0.0, 1.0], [NAN, -INF], attributes={"args": ["-inf"]})
    found = only(scene, "HC101")
    assert found.evidence["reason"] == "zero-times-infinity"


def test_minus_infinity_in_predictions_is_a_warning(scene):
    scene.input("x")
    scene.node("log", "Log", ["x"], line=4)
    scene.ir.mark_output("log")
    scene.at(0, training=False)
    scene.see(Phase.INPUT, x=[0.0, 2.0])
    scene.forward(log=[-INF, 0.7])
    assert only(scene, "HC101").severity == "warning"


def test_the_last_node_of_a_long_loop_is_not_accused_of_what_came_into_a_later_call(scene):
    scene.input("x")
    scene.node("cell", "Add", ["x"], kind="elementwise", line=3)
    scene.node("log", "Log", ["x"], kind="elementwise", line=4)
    scene.ir.mark_output("cell")
    scene.node("loss", "ReduceMean", ["cell"], kind="reduction", line=9)
    scene.optimizer()
    for step in range(3):
        scene.at(step)
        scene.see(Phase.INPUT, x=[-1.0, -2.0])
        scene.forward(cell=[1.0, 1.0])
        scene.forward(log=[NAN, NAN])
        scene.forward(cell=[NAN, NAN])
        scene.loss(NAN)
    scene.event("counters", forwards=3, backwards=3, optimizer_steps=3)
    assert only(scene, "HC101").layer == "log"
