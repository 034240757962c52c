"""Which of several causes is told for the same symptom, and what is no symptom."""

import numpy as np
import pytest

from hypocenter.diagnose.gradient_flow import GradientFlow
from hypocenter.diagnose.objective import negated
from hypocenter.diagnose.signs import log_likelihood, never_negative
from hypocenter.diagnose.suspects import frozen, large_rate, unscaled, weight_decay
from hypocenter.diagnose.unreached import lone_softmax, unregistered
from hypocenter.probes.schema import Phase


def shrinking(scene, optimizer, gradient, **settings):
    """Two matrices that shrink to a hundredth over 100 steps of rate 0.001."""
    scene.input("x")
    scene.linear("b", scene.linear("a", "x"))
    for step in range(100):
        scene.at(step)
        size = 0.01 ** (step / 99)
        for name in ("a.weight", "b.weight"):
            scene.see(Phase.WEIGHT, **{name: np.full((4, 4), size)})
            scene.see(Phase.GRADIENT, **{name: np.full((4, 4), gradient)})
            scene.see(Phase.UPDATE, **{name: np.full((4, 4), -1e-3)})
    scene.optimizer(optimizer, lr=0.001, weight_decay=0.5, **settings)
    return scene.facts()


def test_the_decay_of_adam_is_told_by_its_part_of_the_gradient(new_scene):
    found = weight_decay(shrinking(new_scene(), "Adam", 0.1))
    assert found is not None
    assert found.fault == "regularization"
    assert weight_decay(shrinking(new_scene(), "Adam", 10.0)) is None
    assert weight_decay(shrinking(new_scene(), "AdamW", 0.1)) is None
    assert weight_decay(shrinking(new_scene(), "Adam", 0.1, decoupled_weight_decay=True)) is None


@pytest.mark.parametrize(("optimizer", "lr", "size", "rate"), [
    ("SGD", 0.01, 500.0, False), ("SGD", 0.01, 1.0, True), ("SGD", 20.0, 500.0, True), ("Adam", 0.01, 500.0, True),
])  # fmt: skip
def test_unscaled_inputs_explain_the_large_steps_of_sgd_only(scene, optimizer, lr, size, rate):
    scene.input("x")
    scene.linear("a", "x")
    scene.see(Phase.INPUT, x=np.full((16, 4), size))
    scene.see(Phase.WEIGHT, **{"a.weight": np.ones((4, 4))})
    scene.see(Phase.UPDATE, **{"a.weight": np.ones((4, 4))})
    scene.optimizer(optimizer, lr=lr)
    facts = scene.facts()
    assert (large_rate(facts) is not None) is rate
    assert (unscaled(facts) is not None) is (size > 10)


def test_frozen_matrices_are_told_only_when_none_is_trained(new_scene):
    def found(*trained):
        scene = new_scene()
        scene.input("x")
        scene.linear("b", scene.linear("a", "x"))
        scene.input("bias", "parameter", (4,))
        scene.event("model", root="", trainable_names=list(trained))
        scene.optimizer()
        return frozen(scene.facts())

    assert found("bias").fault == "training_loop"
    assert found("bias", "b.weight") is None
    assert found() is None


def test_the_gradient_that_fades_later_is_blamed_on_the_rate(scene):
    value = "x"
    scene.input("x")
    for name in ("a", "b", "c"):
        value = scene.linear(name, value)
    scene.node("loss", "MSELoss", [value], kind="loss")
    scene.ir.mark_output(value)
    for step in range(60):
        scene.at(step)
        scene.loss(1.0)
        for i, name in enumerate(("a", "b", "c")):
            fade = 1.0 if step == 0 else 10.0 ** (-3 * (2 - i))
            scene.see(Phase.WEIGHT, **{f"{name}.weight": np.ones((4, 4))})
            scene.see(Phase.UPDATE, **{f"{name}.weight": np.ones((4, 4))})
            scene.see(Phase.GRADIENT, **{f"{name}.weight": np.full((4, 4), fade)})
            scene.see(Phase.BACKWARD, **{name: np.full((16, 4), fade)})
    scene.optimizer("Adam", lr=1.0)
    assert [finding.fault for finding in scene.find("HC201")] == ["learning_rate"]


def test_a_cyclic_rate_swings_on_purpose(new_scene):
    def codes(cyclic):
        scene, time = new_scene(), np.arange(400)
        wave = np.sin(time / 8)
        for step, value in enumerate(1 + 0.4 * wave):
            scene.at(step)
            scene.loss(value)
            scene.rate(0.01 * (1 + 0.9 * wave[step]) if cyclic else 0.01)
        scene.optimizer(momentum=0.9)
        return scene.codes(("HC403",))

    assert codes(cyclic=False) == ["HC403"]
    assert codes(cyclic=True) == []


@pytest.mark.parametrize(("attributes", "shape", "lone"), [
    ({"dim": 1}, (16, 1), True), ({"dim": -1}, (16, 1), True), ({"args": [1]}, (None, 1), True),
    ({"dim": 1}, (16, 4), False), ({"dim": 0}, (16, 1), False), ({}, (16, 1), False), ({"dim": 7}, (16, 1), False),
])  # fmt: skip
def test_a_softmax_of_one_element(scene, attributes, shape, lone):
    scene.input("x")
    scene.node("softmax", "Softmax", ["x"], kind="activation", attributes=attributes, shape=shape)
    facts = scene.facts()
    assert (lone_softmax(facts, facts.run.ir.node("softmax")) is not None) is lone


def test_signs_of_losses(scene):
    scene.input("x")
    scene.input("y", "target")
    scene.see(Phase.TARGET, y=np.array([0.0, 3.0]))
    node = scene.node
    node("rate", "Exp", ["x"])
    node("log", "LogSoftmax", ["x"], kind="activation")
    node("pick", "Gather", ["log", "y"], kind="movement")
    node("bare", "ReduceMean", ["pick"])
    node("likelihood", "Neg", ["bare"])
    node("half", "Mul", ["bare"], attributes={"args": [0.5]})
    node("weighted", "Mul", ["log", "y"])
    node("surrogate", "ReduceMean", ["weighted"])
    node("poisson", "Sub", ["rate", "weighted"])
    node("shifted", "Sub", ["rate", "y"])
    node("error", "Sub", ["x", "y"])
    node("square", "Pow", ["error"], attributes={"args": [2]})
    node("cube", "Pow", ["error"], attributes={"args": [3]})
    node("mse", "ReduceMean", ["square"])
    node("criterion", "MSELoss", ["x", "y"], kind="loss")
    node("counts", "PoissonNLLLoss", ["x", "y"], kind="loss")
    facts = scene.facts()
    signs = {each.name: never_negative(facts, each.name) for each in facts.run.ir.nodes}
    positive = {"rate", "likelihood", "poisson", "square", "mse", "criterion"}
    assert {name for name, sign in signs.items() if sign} == positive
    assert log_likelihood(facts, "bare").name == log_likelihood(facts, "half").name == "log"
    assert [log_likelihood(facts, name) for name in ("likelihood", "surrogate", "criterion")] == [None] * 3
    assert negated(facts, "bare").fault == "loss"


@pytest.mark.parametrize(("held", "unknown", "first_wants", "found"), [
    (["head.weight"], 0, False, True),
    (["head.weight"], 2, False, False),  # the optimizer may hold the layer's weights
    (["head.weight", "optimizer0.group0.parameter2"], 0, False, False),
    (["head.weight"], 0, True, False),  # the gradient may pass through for the sake of what comes before
])  # fmt: skip
def test_a_layer_that_the_model_does_not_know(scene, held, unknown, first_wants, found):
    scene.input("x")
    scene.node("Linear", "Linear", ["x"], kind="layer", module=True)
    value = scene.linear("head", "Linear")
    scene.ir.mark_output(value)
    for name in ("head", "Linear", *(("x",) if first_wants else ())):
        scene.see(Phase.BACKWARD, **{name: np.ones((16, 4))})
    scene.event("model", root="", trainable_names=["head.weight"])
    scene.event("optimizer", id=0, **{"class": "Adam"}, groups=[{"lr": 0.1, "parameters": held, "unknown": unknown}])
    facts = scene.facts()
    assert (unregistered(facts, GradientFlow(facts)) is not None) is found
