"""HC106: growth that ended in an overflow, and which setting is accused."""

import numpy as np
import pytest

from hypocenter.probes.schema import Phase

NAN, INF = float("nan"), float("inf")


def training(
    scene,
    reaches,
    *,
    lr=0.01,
    optimizer="SGD",
    inputs=1.0,
    targets=1.0,
    init=0.3,
    update=0.01,
    loss_attributes=None,
    steps_before=(),
):
    """x -> fc1 -> fc2 -> loss; fc2 reaches `reaches[step]`, fc1 a tenth of it; weights follow fc2."""
    scene.input("x", shape=(16, 4))
    scene.input("y", "target")
    scene.linear("fc1", "x", line=3, shape=(4, 4))
    scene.linear("fc2", "fc1", line=4, shape=(4, 4))
    scene.ir.mark_output("fc2")
    scene.node("loss", "MSELoss", ["fc2", "y"], kind="loss", line=9, attributes=loss_attributes)
    scene.optimizer(optimizer, line=90, lr=lr)
    scene.event("loss", value="loss", node="loss", op="MSELoss", site=scene.site(9).to_dict())
    for step, reach in enumerate(reaches):
        scene.at(step)
        scene.see(Phase.INPUT, x=np.array([-inputs, inputs]))
        scene.see(Phase.TARGET, y=np.array([-targets, targets]))
        size = init * max(1.0, abs(reach) / max(abs(reaches[0]), 1.0)) if np.isfinite(reach) else NAN
        for name in ("fc1", "fc2"):
            weight = {f"{name}__weight": np.full((4, 4), size)}
            scene.see(Phase.WEIGHT, **weight)
        scene.forward(fc1=[0.1 * reach], fc2=[reach] + [0.5] * 63)
        scene.rate(lr)
        scene.loss(min(reach**2, INF) if np.isfinite(reach) and reach < 1e19 else NAN)
        ratio = {f"{name}__weight": np.full((4, 4), update * size) for name in ("fc1", "fc2")}
        scene.see(Phase.UPDATE, **ratio)
    scene.event("counters", forwards=len(reaches), backwards=len(reaches), optimizer_steps=len(reaches))


DIVERGING = [1.0, 30.0, 1e4, 1e7, 1e12, 1e20, NAN]


def test_a_learning_rate_far_too_large(scene):
    training(scene, DIVERGING, lr=10.0, update=5.0)
    (found,) = scene.find("HC106")
    assert (found.fault, found.location.line, found.step, found.layer) == ("learning_rate", 90, 1, "fc2")
    assert found.severity == "error"
    assert found.confidence >= 0.9
    assert "learning rate 10 of SGD" in found.message
    assert found.evidence["largest_update_ratio"] == pytest.approx(5.0)
    assert found.evidence["usual_lr"] == 0.01


def test_it_absorbs_the_overflow(scene):
    training(scene, DIVERGING, lr=10.0, update=5.0)
    diagnosis = scene.diagnose(select=["HC1"])
    assert [each.rule for each in diagnosis.findings] == ["HC106"]
    assert "HC101" in {entry["rule"] for entry in diagnosis.findings[0].evidence["also"]} | {"HC102", "HC104", "HC101"}
    assert len(diagnosis.findings[0].evidence["also"]) == 1


def test_raw_inputs(scene):
    training(scene, [1e4, 1e6, 1e12, 1e20, NAN], inputs=2000.0, update=5.0)
    (found,) = scene.find("HC106")
    assert found.fault == "normalization"
    assert found.location.line == 3
    assert "between -2e+03 and 2e+03" in found.message


def test_raw_targets(scene):
    training(scene, [1.0, 1e4, 1e8, 1e20, NAN], targets=3e4, update=5.0)
    (found,) = scene.find("HC106")
    assert found.fault == "normalization"
    assert "targets 'y'" in found.message


def test_initial_weights_far_too_large(scene):
    training(scene, [1e5, 1e9, 1e13, 1e20, NAN], init=300.0, update=2.0)
    (found,) = scene.find("HC106")
    assert (found.fault, found.layer, found.location.line) == ("initialization", "fc1", 3)
    assert found.evidence["initial_scale"] == pytest.approx(300.0)


def test_a_summed_loss(scene):
    training(scene, DIVERGING, update=5.0, loss_attributes={"reduction": "sum"})
    (found,) = scene.find("HC106")
    assert (found.fault, found.location.line) == ("loss", 9)
    assert "16 samples" in found.message


def test_nothing_unusual_leaves_the_learning_rate_with_low_confidence(scene):
    training(scene, DIVERGING, lr=0.05, update=2.0)
    (found,) = scene.find("HC106")
    assert (found.fault, found.location.line) == ("learning_rate", 90)
    assert found.confidence == 0.5


def test_two_suspects_lower_the_confidence(scene):
    training(scene, DIVERGING, lr=100.0, inputs=800.0, update=5.0)
    (found,) = scene.find("HC106")
    assert found.confidence < 0.9
    assert {entry["fault"] for entry in found.evidence["suspects"]} == {"learning_rate", "normalization"}
    assert found.related


def test_overflow_in_the_very_first_step(scene):
    """Weights of a thousand in a deep net: nothing grew over steps, but from layer to layer."""
    training(scene, [1e20], init=1e9)
    (found,) = scene.find("HC106")
    assert (found.fault, found.step) == ("initialization", 0)
    assert "in the first step" in found.message


def test_normal_growth_is_no_blow_up(scene):
    """Logits that grew tenfold while the net learned, then log(0): a fault of the logarithm."""
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("log", "Log", ["fc"], line=6)
    scene.node("loss", "ReduceSum", ["log"], kind="reduction")
    scene.optimizer()
    for step, value in enumerate((1.0, 4.0, 10.0)):
        scene.at(step)
        scene.see(Phase.WEIGHT, fc__weight=np.full((4, 4), 0.3))
        zero = step == 2
        scene.forward(fc=[value, 0.0 if zero else 1.0], log=[1.0, -INF if zero else 0.0])
        scene.loss(-INF if zero else 1.0)
        scene.see(Phase.UPDATE, fc__weight=np.full((4, 4), 0.003))
    assert scene.find("HC106") == []
    assert len(scene.find("HC101")) == 1


@pytest.mark.parametrize("reaches", [[1.0, 2.0, 3.0], DIVERGING[:4]])
def test_without_overflow_it_is_silent(scene, reaches):
    """A loss that only diverges is the business of other rules."""
    training(scene, reaches, lr=10.0, update=5.0)
    assert scene.find("HC106") == []


def test_a_batch_of_outliers(scene):
    """Inputs four hundred times as large as before, and exp overflows: neither the rate nor exp is to blame."""
    scene.input("x")
    scene.linear("fc", "x", line=3)
    scene.node("exp", "Exp", ["fc"], line=6)
    scene.ir.mark_output("exp")
    scene.node("loss", "ReduceMean", ["exp"], kind="reduction")
    scene.optimizer()
    for step, scale in enumerate((1.0, 1.2, 0.9, 400.0)):
        scene.at(step)
        scene.see(Phase.INPUT, x=[scale, -scale])
        scene.see(Phase.WEIGHT, fc__weight=np.full((4, 4), 0.3))
        scene.forward(fc=[scale, 0.1], exp=[INF if scale > 88 else 2.0, 1.1])
        scene.loss(INF if scale > 88 else 1.0)
        scene.see(Phase.UPDATE, fc__weight=np.full((4, 4), 0.001))
    (found,) = scene.find("HC106")
    assert (found.fault, found.step, found.location.line) == ("data", 3, 3)
    assert "of step 3 reach 400; before, 1.2 was the most" in found.message
