"""Each rule about training, on runs of a numpy network: the faults that it must find, the healthy it must let be."""

import numpy as np
import pytest

from hypocenter.diagnose.curve import Progress, kendall, theil_sen, zigzag
from hypocenter.diagnose.registry import rule

OPTIMIZER_LINE = 90
CODES = (
    "HC201", "HC202", "HC203", "HC204", "HC205", "HC206", "HC301", "HC302", "HC303", "HC401", "HC402", "HC403",
)  # fmt: skip

HEALTHY = {
    "plain": {},
    "deep": {"sizes": (8, 32, 32, 32, 32, 4), "rate": 0.1},
    "tanh": {"activation": "Tanh", "weight": 1.0},
    "sigmoid": {"activation": "Sigmoid", "weight": 2.0, "rate": 1.0, "steps": 200},
    "small rate": {"rate": 0.02},
    "warm-up": {"warm_up": 30},
    "momentum": {"momentum": 0.9, "rate": 0.03},
    "noisy data": {"noise": 3.0, "rate": 0.05},
    "good plateau": {"steps": 400, "rate": 0.5},
    "five steps": {"steps": 5},
    "small batch": {"batch": 4, "rate": 0.03, "steps": 300},
    "weight decay": {"decay": 1e-3},
}

STACK = (8, *[24] * 8, 4)
TINY = {"activation": "Tanh", "sizes": (8, *[32] * 5, 4), "weight": 0.05, "rate": 0.05}
LARGE = {"sizes": (8, *[32] * 7, 4), "weight": 5.0, "rate": 1e-9}

#: name -> (rule that must find it, how to train, fault, beginning of the layer's name or None)
FAULTY = {
    "sigmoid stack": ("HC201", {"activation": "Sigmoid", "sizes": STACK, "weight": 0.6}, "activation", "act"),
    "tiny weights": ("HC303", TINY, "initialization", "fc"),
    "large weights": ("HC202", LARGE, "initialization", "fc"),
    "cut": ("HC203", {"detach_before": 1, "rate": 0.01}, "training_loop", "detach1"),
    "no step": ("HC203", {"step_made": False}, "training_loop", None),
    "rate zero": ("HC203", {"rate": 0.0}, "learning_rate", None),
    "head not held": ("HC203", {"held": ("fc0.weight", "fc0.bias"), "rate": 1e-3}, "optimizer", "fc2"),
    "rate thirty": ("HC204", {"rate": 30.0, "activation": "Tanh", "noise": 4.0}, "learning_rate", None),
    "rate tiny": ("HC205", {"rate": 1e-8}, "learning_rate", None),
    "never zeroed": ("HC206", {"keep": 1.0, "rate": 1.0, "activation": "Tanh"}, "training_loop", None),
    "low bias": ("HC301", {"bias": -20.0}, "initialization", "fc0"),
    "raw inputs": ("HC302", {"activation": "Sigmoid", "scale": 500.0, "rate": 0.001}, "normalization", None),
    "wide tanh": ("HC302", {"activation": "Tanh", "weight": 60.0, "rate": 1e-4}, "initialization", "fc0"),
    "zero weights": ("HC303", {"weight": 0.0}, "initialization", "fc0"),
    "random labels": ("HC401", {"random_labels": True, "rate": 0.02}, "unknown", None),
    "decayed": ("HC401", {"decay": 2.0, "rate": 0.1}, "regularization", None),
    "negated": ("HC402", {"sign": -1.0, "rate": 0.002, "steps": 60}, "loss", "neg"),
    "climbing": ("HC402", {"maximize": True, "rate": 0.002, "steps": 50}, "optimizer", None),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_training_is_not_accused(trained, name, seed):
    scene = trained(**HEALTHY[name], seed=seed)
    assert scene.codes(CODES) == []


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_found(trained, name, seed):
    code, settings, fault, layer = FAULTY[name]
    found = trained(**settings, seed=seed).find(code)
    assert len(found) == 1, name
    assert found[0].severity in ("error", "warning")
    if fault is not None:
        assert found[0].fault == fault
    if layer is not None:
        assert (found[0].layer or "").startswith(layer)


@pytest.mark.parametrize("name", ["decayed", "climbing", "rate thirty", "low bias", "zero weights", "wide tanh", "cut"])
def test_consequences_are_evidence_of_the_cause(trained, name):
    _, settings, fault, layer = FAULTY[name]
    first = trained(**settings).diagnose().findings[0]
    assert first.fault == fault
    assert first.rank == 1
    assert (first.layer or "").startswith(layer or "")


def curve(scene, values, momentum=0.9):
    for step, value in enumerate(values):
        scene.at(step)
        scene.loss(value)
    scene.optimizer(momentum=momentum)
    return scene


def noise(count, size, seed=0):
    return size * np.random.default_rng(seed).normal(size=count)


def test_a_swinging_loss_oscillates(scene):
    time = np.arange(400)
    found = curve(scene, 1 + 0.4 * np.sin(time / 8) + noise(400, 0.02), momentum=0.9999).find("HC403")
    assert [each.fault for each in found] == ["optimizer"]
    assert found[0].evidence["turns"] >= 6


def test_a_loss_that_jumps_above_its_start_oscillates(scene):
    found = curve(scene, np.concatenate([[0.7] * 3, np.exp(noise(200, 1.0)) + 1])).find("HC403")
    assert [each.severity for each in found] == ["error"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [0.01, 0.1, 0.3])
def test_batch_noise_is_no_oscillation(scene, size, seed):
    fall = 0.5 + np.exp(-np.arange(600) / 60)
    codes = curve(scene, np.abs(fall + noise(600, size, seed))).codes(("HC401", "HC402", "HC403"))
    assert codes == []


def test_outliers_are_no_oscillation(scene):
    values = 0.5 + np.exp(-np.arange(600) / 60) + noise(600, 0.02)
    values[50::60] += 3.0
    assert curve(scene, values).codes(("HC401", "HC402", "HC403")) == []


def test_a_loss_that_grows_without_end_diverges(scene):
    found = curve(scene, np.exp(np.arange(80) / 10)).find("HC402")
    assert [(each.fault, each.location.line) for each in found] == [("learning_rate", OPTIMIZER_LINE)]


def test_overfitting_noise_is_no_divergence(scene):
    assert curve(scene, 0.2 + 0.01 * np.arange(100) / 100 + noise(100, 0.05)).find("HC402") == []


def test_a_short_run_is_not_judged(scene):
    assert curve(scene, np.full(29, 2.3)).codes(CODES) == []
    assert not Progress(np.full(29, 2.3), np.arange(29.0), None, False).judged


def test_losses_of_adversaries_are_not_judged(scene):
    for step in range(100):
        scene.at(step)
        scene.loss(1.4)
        scene.loss(0.7, "other")
    scene.optimizer()
    scene.optimizer("Adam")
    assert scene.codes(CODES) == []


def test_trend_statistics():
    rising = np.arange(50.0)
    assert kendall(rising) > 5 > -5 > kendall(-rising)
    assert abs(kendall(np.tile([1.0, 2.0], 25))) < 2
    assert theil_sen(2 * rising) == pytest.approx(98)
    assert theil_sen(np.where(np.arange(50) % 7 == 0, 1e6, rising)) == pytest.approx(49, rel=0.1)
    assert kendall(np.arange(10_000.0)) > 5


def test_zigzag_keeps_moves_of_the_given_size():
    assert zigzag(np.array([0.0, 1.0, 0.9, 2.0, 0.0, 1.0]), 0.5) == [0.0, 2.0, 0.0, 1.0]
    assert zigzag(np.array([0.0, 0.1, 0.0, 0.1]), 0.5) == [0.0, 0.1]
    assert zigzag(np.empty(0), 0.5) == []


@pytest.mark.parametrize("code", CODES)
def test_each_rule_has_its_page(code):
    page = type(rule(code)).__doc__ or ""
    for heading in ("What it does", "Why it is bad", "Known problems", "Example", "References"):
        assert f"## {heading}" in page
