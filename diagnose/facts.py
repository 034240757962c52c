"""What rules ask of a run. Everything is computed once, when first asked for."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from hypocenter.diagnose.curves import LossCurve
from hypocenter.diagnose.dataflow import Dataflow
from hypocenter.diagnose.localization import Origin, origin_of
from hypocenter.diagnose.optimizers import Optimizer
from hypocenter.diagnose.run import Run
from hypocenter.diagnose.tensors import Floats, Series, split
from hypocenter.ir.graph import Layer
from hypocenter.ir.site import Site
from hypocenter.probes.schema import Phase


class Facts:
    """The facts of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.flow = Dataflow(run.ir)

    # events

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind, oldest first."""
        return [event for event in self.run.events if event.get("kind") == kind]

    def event(self, kind: str) -> dict[str, Any]:
        """The latest event of a kind, or an empty one."""
        found = self.events(kind)
        return found[-1] if found else {}

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """The latest counts: forwards, training_forwards, backwards, optimizer_steps, zero_grads, scaler_skips."""
        return {key: value for key, value in self.event("counters").items() if isinstance(value, int)}

    @cached_property
    def model_site(self) -> Site | None:
        """The line that makes the model."""
        site = self.event("model").get("site")
        return Site.from_dict(site) if site else None

    @cached_property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """The program's optimizers, in the order in which they were made."""
        return tuple(Optimizer.from_event(event, index) for index, event in enumerate(self.events("optimizer")))

    @cached_property
    def data(self) -> Mapping[str, dict[str, Any]]:
        """Subject -> the first `data` event that describes it (range, classes, encoding of inputs and targets)."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.events("data"):
            found.setdefault(str(event.get("subject")), event)
        return found

    @cached_property
    def loss_sites(self) -> Mapping[str, Site]:
        """Loss value -> the line that computes it."""
        sites = {}
        for event in self.events("loss"):
            place = event.get("site") or event.get("backward_site")
            if place:
                sites[str(event.get("value"))] = Site.from_dict(place).with_role("loss")
        return sites

    # series of statistics; subject -> rows

    def _series(self, phase: Phase, training: bool | None = None) -> dict[str, Series]:
        return split(self.run.trace.select(phase=phase, training=training))

    @cached_property
    def inputs(self) -> dict[str, Series]:
        """Tensors passed to the model."""
        return self._series(Phase.INPUT)

    @cached_property
    def targets(self) -> dict[str, Series]:
        """Floating-point targets passed to the loss."""
        return self._series(Phase.TARGET)

    @cached_property
    def forward(self) -> dict[str, Series]:
        """Layer outputs while training."""
        return self._series(Phase.FORWARD, training=True)

    @cached_property
    def inference(self) -> dict[str, Series]:
        """Layer outputs without gradients or in evaluation mode."""
        return self._series(Phase.FORWARD, training=False)

    @cached_property
    def backward(self) -> dict[str, Series]:
        """Gradients of the loss with respect to layer outputs and inputs."""
        return self._series(Phase.BACKWARD)

    @cached_property
    def weights(self) -> dict[str, Series]:
        """Parameters as used by the step's forward pass; one row per step."""
        return {name: rows.last_of_steps() for name, rows in self._series(Phase.WEIGHT).items()}

    @cached_property
    def gradients(self) -> dict[str, Series]:
        """Parameter gradients just before the optimizer's step; one row per step."""
        return {name: rows.last_of_steps() for name, rows in self._series(Phase.GRADIENT).items()}

    @cached_property
    def updates(self) -> dict[str, Series]:
        """Parameter after the optimizer's step minus before; one row per step."""
        return {name: rows.last_of_steps() for name, rows in self._series(Phase.UPDATE).items()}

    @cached_property
    def rates(self) -> dict[str, Series]:
        """Learning rates (in `sum`) of `optimizer0.group0` and so on."""
        return {name: rows.last_of_steps() for name, rows in self._series(Phase.RATE).items()}

    @cached_property
    def loss_rows(self) -> dict[str, Series]:
        """The scalars on which backward was called, one row per call; the value stands in `sum`."""
        return self._series(Phase.LOSS)

    @cached_property
    def losses(self) -> dict[str, LossCurve]:
        """Every loss of the program by the name of its value."""
        return {name: LossCurve.of(rows) for name, rows in self.loss_rows.items()}

    # figures

    @cached_property
    def loss(self) -> LossCurve:
        """The program's (most often computed) loss over training steps; empty when it has none."""
        return LossCurve.from_series(self.loss_rows)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Nodes that compute something, in execution order."""
        return self.flow.layers

    @cached_property
    def update_ratios(self) -> dict[str, tuple[Floats, Floats]]:
        """Parameter -> (steps, ||update|| / ||weight||) at the steps where both were recorded, float64 (n,) each.

        The weight's norm has the floor 1e-12 so that zero-initialised biases give a large ratio, not a division
        by zero: leave out parameters of one dimension, or those with a norm near 0, before judging.
        """
        ratios = {}
        for name, update in self.updates.items():
            weight = self.weights.get(name)
            if weight is None:
                continue
            steps, left, right = np.intersect1d(update.step, weight.step, return_indices=True)
            ratio = update.norm[left] / np.maximum(weight.norm[right], 1e-12)
            ratios[name] = (steps.astype(np.float64), np.where(update.nonfinite[left] > 0, np.inf, ratio))
        return ratios

    @cached_property
    def steps(self) -> int:
        """Training steps of the run: the optimizer's, or as many as the trace shows."""
        counted = self.counters.get("optimizer_steps", 0)
        seen = [int(rows.step[-1]) + 1 for rows in self.updates.values() if len(rows)]
        return max([counted, *seen], default=0)

    @cached_property
    def trained(self) -> bool:
        """Whether backward ran or an optimizer stepped at all."""
        ran = self.counters.get("backwards", 0) > 0 or self.counters.get("optimizer_steps", 0) > 0
        return ran or bool(len(self.loss)) or bool(self.updates) or bool(self.gradients)

    @cached_property
    def recorded(self) -> bool:
        """Whether the trace has any row."""
        return len(self.run.trace.steps) > 0

    @cached_property
    def parameter_layer(self) -> Mapping[str, Layer]:
        """Parameter name -> the first layer that uses it, else the first operation."""
        owners: dict[str, Layer] = {}
        for node in self.run.ir.nodes:
            for name in node.parameters:
                known = owners.setdefault(name, node)
                if known.module is None and node.module is not None:
                    owners[name] = node
        return owners

    @cached_property
    def origin(self) -> Origin | None:
        """Where non-finite numbers that did harm came from; None when none did."""
        return origin_of(self)
