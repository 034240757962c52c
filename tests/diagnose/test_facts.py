import numpy as np
import pytest

from hypocenter.diagnose.optimizers import USUAL, USUAL_MAXIMUM, Optimizer
from hypocenter.probes.schema import Phase

NAN = float("nan")


def test_series_are_split_by_subject_and_ordered(scene):
    for step, call in ((1, 0), (0, 1), (0, 0)):
        scene.at(step, call)
        scene.forward(b=[step, call], a=[NAN, 3.0, -4.0])
    forward = scene.facts().forward
    assert list(forward) == ["b", "a"]
    assert list(zip(forward["b"].step, forward["b"].call, strict=True)) == [(0, 0), (0, 1), (1, 0)]
    assert forward["b"]["sum"].tolist() == [0.0, 1.0, 1.0]
    row = forward["a"].at(1)
    assert len(row) == 1
    assert row.nonfinite[0] == 1
    assert row.finite_count[0] == 2
    assert row.norm[0] == pytest.approx(5.0)
    assert row.rms[0] == pytest.approx(np.sqrt(12.5))
    assert row.mean[0] == pytest.approx(-0.5)
    assert row.std[0] == pytest.approx(3.5)
    assert row.reach[0] == np.inf
    assert forward["b"].last_of_steps().call.tolist() == [1, 0]
    assert len(forward["b"].until(1)) == 2


def test_training_and_inference_are_apart(scene):
    scene.forward(fc=[1.0])
    scene.at(0, training=False)
    scene.forward(fc=[2.0])
    facts = scene.facts()
    assert facts.forward["fc"]["sum"].tolist() == [1.0]
    assert facts.inference["fc"]["sum"].tolist() == [2.0]


def test_the_loss_is_the_mean_over_the_passes_of_a_step(scene):
    for step, call, value in ((0, 0, 1.0), (0, 1, 3.0), (1, 0, NAN), (2, 0, -np.inf)):
        scene.at(step, call)
        scene.loss(value)
    curve = scene.facts().loss
    assert curve.step.tolist() == [0, 1, 2]
    assert curve.value[0] == 2.0
    assert np.isnan(curve.value[1])
    assert curve.value[2] == -np.inf
    assert curve.finite.tolist() == [True, False, False]
    assert curve.at(0) == 2.0
    assert curve.at(9) is None


def test_the_loss_with_most_steps_is_the_programs(scene):
    for step in range(4):
        scene.at(step)
        scene.loss(1.0, name="often")
    scene.loss(5.0, name="once")
    facts = scene.facts()
    assert facts.loss.subject == "often"
    assert set(facts.losses) == {"often", "once"}


def test_update_ratios(scene):
    for step in range(3):
        scene.at(step)
        scene.see(Phase.WEIGHT, w=[3.0, 4.0])
        if step != 1:
            scene.see(Phase.UPDATE, w=[0.3, 0.4])
    steps, ratio = scene.facts().update_ratios["w"]
    assert steps.tolist() == [0, 2]
    assert ratio == pytest.approx([0.1, 0.1])


def test_an_empty_run_has_facts(scene):
    facts = scene.facts()
    assert len(facts.loss) == 0
    assert facts.update_ratios == {}
    assert facts.steps == 0
    assert facts.origin is None
    assert not facts.trained


def test_optimizers_read_their_event(scene):
    scene.linear("fc", scene.ir.add_input("x", shape=None, dtype="float32", kind="input") or "x")
    scene.optimizer("SGD", line=90, lr=0.1, momentum=0.9)
    (optimizer,) = scene.facts().optimizers
    assert (optimizer.name, optimizer.lr, optimizer.setting("momentum")) == ("SGD", 0.1, 0.9)
    assert optimizer.where("lr").line == 90
    assert optimizer.where("weight_decay").line == 90  # no place of its own: the line that makes the optimizer
    assert optimizer.usual_maximum == pytest.approx(0.1)  # lr / (1 - momentum) is compared with 1.0
    assert optimizer.setting("nothing") is None


@pytest.mark.parametrize("name", USUAL_MAXIMUM)
def test_usual_rates_lie_below_their_limit(name):
    assert 0 < USUAL[name] < USUAL_MAXIMUM[name]
    assert Optimizer(0, name).usual == USUAL[name]


def test_dataflow_sees_through_views(scene):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("view", "View", ["fc"], kind="movement")
    scene.node("again", "Permute", ["view"], kind="movement")
    scene.node("relu", "Relu", ["again"], kind="activation")
    flow = scene.facts().flow
    assert flow.inputs(scene.ir.node("relu")) == ("fc",)
    assert [node.name for node in flow.consumers("fc")] == ["relu"]
    assert [node.name for node in flow.layers] == ["fc", "relu"]
    assert flow.find("view").name == "view"
    assert flow.find("nothing") is None
