"""A small network trained in numpy, recorded as a run: real numbers for the rules about training, in milliseconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hypocenter.ir.opspec import SIGMOID_HIGH, TANH_HIGH
from hypocenter.probes.schema import INDEX, Phase

OPTIMIZER_LINE, BACKWARD_LINE, LOSS_LINE = 90, 80, 70
CLASSES = 4

_ACTIVATIONS = {
    "Relu": (lambda x: np.maximum(x, 0.0), lambda y: (y > 0).astype(float), 0.0, np.inf),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y), 1 - SIGMOID_HIGH, SIGMOID_HIGH),
    "Tanh": (np.tanh, lambda y: 1 - y * y, -TANH_HIGH, TANH_HIGH),
}


@dataclass
class Setup:
    """How to train. `weight` is the gain of the initial weights, `keep` the part of a step's gradient that stays."""

    sizes: tuple[int, ...] = (8, 32, 32, CLASSES)
    activation: str = "Relu"
    rate: float = 0.3
    weight: float = 1.4
    bias: float = 0.0
    steps: int = 90
    batch: int = 32
    scale: float = 1.0
    noise: float = 0.1
    keep: float = 0.0
    momentum: float = 0.0
    decay: float = 0.0
    sign: float = 1.0
    warm_up: int = 0
    step_made: bool = True
    maximize: bool = False
    detach_before: int | None = None
    held: tuple[str, ...] | None = None
    random_labels: bool = False
    final: str | None = None
    seed: int = 0


class Trainer:
    """Trains the network of a setup and records what a run records into a scene."""

    def __init__(self, scene: Any, setup: Setup) -> None:
        self.scene, self.setup = scene, setup
        self.random = np.random.default_rng(setup.seed)
        self.centers = 2.0 * self.random.normal(size=(CLASSES, setup.sizes[0]))
        self.depth = len(setup.sizes) - 1
        self.names = [f"fc{i}" for i in range(self.depth)]
        pairs = list(zip(setup.sizes[:-1], setup.sizes[1:], strict=True))
        self.weights = [setup.weight * self.random.normal(size=(b, a)) / np.sqrt(a) for a, b in pairs]
        self.biases = [np.full(b, setup.bias if i < self.depth - 1 else 0.0) for i, (_, b) in enumerate(pairs)]
        self.gradients = [np.zeros_like(p) for p in [*self.weights, *self.biases]]
        self.velocity = [np.zeros_like(p) for p in self.gradients]
        self._graph()

    def _graph(self) -> None:
        scene, setup = self.scene, self.setup
        scene.input("x", shape=(setup.batch, setup.sizes[0]))
        value = "x"
        for i, name in enumerate(self.names):
            for part, tensor in (("weight", self.weights[i]), ("bias", self.biases[i])):
                scene.input(f"{name}.{part}", "parameter", tensor.shape)
            value = scene.node(
                name, "Linear", [value], kind="layer", line=10 + i, module=True,
                parameters=[f"{name}.weight", f"{name}.bias"], shape=(setup.batch, setup.sizes[i + 1]),
            )  # fmt: skip
            if setup.detach_before == i:
                value = scene.node(f"detach{i}", "Detach", [value], kind="movement", line=40)
            if i < self.depth - 1:
                value = scene.node(f"act{i}", setup.activation, [value], kind="activation", line=30 + i)
        scene.ir.mark_output(value)
        scene.input("y", "target", (setup.batch,), "int64")
        loss = scene.node("loss", "CrossEntropyLoss", [value, "y"], kind="loss", line=LOSS_LINE)
        root = loss if setup.sign > 0 else scene.node("neg", "Neg", [loss], line=LOSS_LINE + 1)
        self.root = root
        parameters = [f"{name}.{part}" for name in self.names for part in ("weight", "bias")]
        scene.event("model", root="", trainable_names=parameters)
        place = scene.site(BACKWARD_LINE).to_dict()
        scene.event("loss", value=root, site=scene.site(LOSS_LINE).to_dict(), backward_site=place)

    def train(self) -> Any:
        """Trains, records, returns the scene."""
        setup = self.setup
        stale = 0
        for step in range(setup.steps):
            self.scene.at(step)
            self._forward_and_backward(step)
            if setup.keep and step:
                stale += 1
                if stale & (stale - 1) == 0:
                    site = self.scene.site(BACKWARD_LINE).to_dict()
                    self.scene.event("stale_gradient", count=stale, parameters=6, site=site)
            if setup.step_made:
                self._step(step)
        held = setup.held or tuple(f"{name}.{part}" for name in self.names for part in ("weight", "bias"))
        group = {"lr": setup.rate, "momentum": setup.momentum, "weight_decay": setup.decay}
        group |= {"maximize": setup.maximize, "parameters": list(held)}
        place = self.scene.site(OPTIMIZER_LINE).to_dict()
        self.scene.event("optimizer", id=0, **{"class": "SGD"}, groups=[group], missing=[], site=place, sites={})
        steps = setup.steps if setup.step_made else 0
        zeroed = 0 if setup.keep else setup.steps
        self.scene.event(
            "counters", forwards=setup.steps, training_forwards=setup.steps, backwards=setup.steps,
            optimizer_steps=steps, zero_grads=zeroed, scaler_skips=0,
        )  # fmt: skip
        return self.scene

    def _forward_and_backward(self, step: int) -> None:
        setup, scene = self.setup, self.scene
        apply, slope, low, high = _ACTIVATIONS[setup.activation]
        labels = self.random.integers(CLASSES, size=setup.batch)
        x = setup.scale * (self.centers[labels] + setup.noise * self.random.normal(size=(setup.batch, setup.sizes[0])))
        if setup.random_labels:
            labels = self.random.integers(CLASSES, size=setup.batch)
        scene.see(Phase.INPUT, x=x)
        for name, tensor in self._named():
            scene.see(Phase.WEIGHT, **{name: tensor})
        ins, outs = [x], []
        with np.errstate(over="ignore"):
            for i in range(self.depth):
                outs.append(ins[-1] @ self.weights[i].T + self.biases[i])
                self._see_layer(f"fc{i}", outs[-1], -np.inf, np.inf, last=i == self.depth - 1)
                if i < self.depth - 1:
                    ins.append(apply(outs[-1]))
                    self._see_layer(f"act{i}", ins[-1], low, high)
        logits = outs[-1] - outs[-1].max(axis=1, keepdims=True)
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(setup.batch), labels]))
        scene.recorder.scalar(scene.recorder.subject(self.root), Phase.LOSS, setup.sign * loss)
        flow = setup.sign * (chances - np.eye(CLASSES)[labels]) / setup.batch
        fresh = [np.zeros_like(p) for p in self.gradients]
        for i in reversed(range(self.depth)):
            if setup.detach_before is not None and i <= setup.detach_before:
                break
            scene.see(Phase.BACKWARD, **{f"fc{i}": flow})
            fresh[i], fresh[self.depth + i] = flow.T @ ins[i], flow.sum(axis=0)
            flow = flow @ self.weights[i]
            if i:
                scene.see(Phase.BACKWARD, **{f"act{i - 1}": flow})
                flow = flow * slope(ins[i])
        self.gradients = [setup.keep * old + new for old, new in zip(self.gradients, fresh, strict=True)]
        first = 0 if setup.detach_before is None else setup.detach_before + 1
        for i in range(first, self.depth):
            scene.see(Phase.GRADIENT, **{f"fc{i}__weight": self.gradients[i]})
            scene.see(Phase.GRADIENT, **{f"fc{i}__bias": self.gradients[self.depth + i]})

    def _see_layer(self, name: str, values: Any, low: float, high: float, last: bool = False) -> None:
        row = self.scene.recorder.row(self.scene.recorder.subject(name), Phase.FORWARD)
        self.scene.kernels.statistics(values.astype(np.float32), row[:14], low, high)
        row[INDEX["units"]] = values.shape[1]
        row[INDEX["dead_units"]] = np.count_nonzero((values == 0).all(axis=0))
        if last:
            row[INDEX["spread"]] = float(np.ptp(values, axis=0).max())

    def _step(self, step: int) -> None:
        setup = self.setup
        rate = setup.rate * (min(1.0, step / setup.warm_up) if setup.warm_up else 1.0)
        parameters = [*self.weights, *self.biases]
        for (name, _), i in zip(self._named(), self._order(), strict=True):
            if setup.held is not None and name.replace("__", ".") not in setup.held:
                continue
            gradient = (-1 if setup.maximize else 1) * self.gradients[i] + setup.decay * parameters[i]
            self.velocity[i] = setup.momentum * self.velocity[i] + gradient
            parameters[i] -= rate * self.velocity[i]
            self.scene.see(Phase.UPDATE, **{name: -rate * self.velocity[i]})
        self.scene.rate(rate)

    def _order(self) -> list[int]:
        return [i for layer in range(self.depth) for i in (layer, self.depth + layer)]

    def _named(self) -> list[tuple[str, Any]]:
        return [
            (f"fc{i}__{part}", tensor)
            for i in range(self.depth)
            for part, tensor in (("weight", self.weights[i]), ("bias", self.biases[i]))
        ]


@pytest.fixture
def trained(new_scene: Callable[[], Any]) -> Callable[..., Any]:
    """`trained(rate=…, …)` gives the scene of a training with that `Setup`."""

    def train(**settings: Any) -> Any:
        return Trainer(new_scene(), Setup(**settings)).train()

    return train
