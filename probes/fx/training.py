"""Follows training around the models: steps, losses, optimizers, gradients and updates of parameters.

A *step* ends with an optimizer's step: the next forward pass in training mode opens the next one. As long as no
optimizer has stepped (none is used, or its `step` is missing), each backward pass ends a step instead, and the
parameters are compared with what they were.
"""

import time
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hypocenter.ir.frames import call_sites
from hypocenter.ir.site import Site
from hypocenter.probes.fx import device
from hypocenter.probes.fx.loop import length, loop_site
from hypocenter.probes.fx.optimizers import KnownOptimizer, Optimizers
from hypocenter.probes.fx.registry import Parameter, Root, is_lazy
from hypocenter.probes.fx.stack import Resumed, Suspended
from hypocenter.probes.fx.tensors import FLOATING, plain, scalar, tensors_in
from hypocenter.probes.fx.weights import Weights
from hypocenter.probes.fx.work import Work
from hypocenter.probes.schema import Phase

if TYPE_CHECKING:
    from hypocenter.probes.fx.observer import Observer

#: Seconds between two events with the counters.
COUNTERS_PERIOD = 1.0
#: Backward passes after which updates are looked for without an optimizer's step although there is an optimizer: more
#: than the batches whose gradients people add up. Gradients that are reset before any step show it at once.
PATIENCE = 64


class Training:
    """The part of an observer that hears of training."""

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self.meter = observer.meter
        self.recorder = observer.meter.recorder
        self.optimizers = Optimizers()
        self.weights = Weights(observer.meter)
        self.watching_gradients = True
        names = ("forwards", "training_forwards", "backwards", "optimizer_steps", "manual_steps", "zero_grads")
        self.counters = dict.fromkeys((*names, "scaler_skips"), 0)
        self.step = 0
        self._call = -1
        self._step_over = self._backward_seen = False
        self._fired_at: int | None = None
        self._in_step: Suspended | None = None
        self._stepping: list[tuple[Parameter, torch.Tensor]] = []  # by the optimizer
        self._within_closure = False
        self._losses: set[str] = set()
        self._scaled: dict[int, Any] = {}
        self._stale = 0
        self._wasted = False  # gradients were reset before any step had used them
        self._in_eval = False  # the program trains its model in evaluation mode
        self._backward_site: Site | None = None
        self._loaders: dict[int, int] = {}
        self._told = 0.0

    def suspended(self) -> Suspended:
        """A context in which PyTorch does not know of the observer."""
        return self.observer.suspended()

    @property
    def work(self) -> Work:
        """The context for what is done on hearing of something."""
        return self.observer.work

    # -- forward -----------------------------------------------------------------------------------------------

    def forward_begins(self, module: nn.Module) -> None:
        """A model is called from the user's own code."""
        training = (module.training or self._in_eval) and torch.is_grad_enabled()
        self.counters["forwards"] += 1
        self._call += 1
        if training:
            self.counters["training_forwards"] += 1
            self._end_step_by_hand()
            if self._step_over:
                self.meter.flush()
                if self.meter.fired:
                    self._fired_at, self.meter.fired = self.step, False
                self.step, self._call, self._step_over = self.step + 1, 0, False
                self.optimizers.report(self.recorder, self.observer.registry)
            self._backward_seen = False
        self._check_point()
        full = self.observer.schedule.full(self.step, self._fired_at)
        self.meter.begin(self.step, self._call, training, full)
        if training and self._call == 0:
            self.weights.correct(self.observer.registry)
        self.watching_gradients = torch.is_grad_enabled()

    def within_forward(self, module: nn.Module) -> bool:
        """Whether the forward pass that began last may go on in this module: nothing has followed it yet."""
        training = (module.training or self._in_eval) and torch.is_grad_enabled()
        over = self._backward_seen or self._step_over or self._call < 0
        return not over and (training, torch.is_grad_enabled()) == (self.meter.training, self.watching_gradients)

    def model_found(self, root: Root, module: nn.Module) -> None:
        """A model is met for the first time."""
        parameters = [(name, p) for name, p in module.named_parameters()]
        trainable = [(name, p) for name, p in parameters if p.requires_grad]
        self.recorder.event(
            "model",
            root=root.name,
            **{"class": type(module).__name__},
            parameters=sum(p.numel() for _, p in parameters if not is_lazy(p)),
            trainable=sum(p.numel() for _, p in trainable if not is_lazy(p)),
            trainable_names=[known.name for _, p in trainable if (known := self.observer.registry.measured(p))],
        )
        self.meter.begin(self.step, max(self._call, 0), True, True)
        for _, parameter in parameters:
            known = self.observer.registry.measured(parameter)
            if known is not None and plain(parameter):
                self.meter.value(parameter, known.probe, Phase.WEIGHT)
                known.version = parameter._version

    # -- backward ----------------------------------------------------------------------------------------------

    def before_backward(self, roots: Any, frame: FrameType) -> None:
        """Backward is about to run."""
        if not self.observer.active:
            return
        self.counters["backwards"] += 1
        self._backward_seen = True
        if not self.meter.training:
            self._in_eval |= not self.counters["training_forwards"]
            self.meter.begin(self.step, max(self._call, 0), True, self.meter.full)
        call, user = call_sites(frame)
        self._backward_site = user or call
        for tensor in list(tensors_in(roots))[:1]:
            self._loss(tensor)
        for known in self.optimizers.known:
            known.carried = known.used = known.used and known.gradients_left()
        if self._without_optimizer():
            for parameter, tensor in self.observer.registry.parameters():
                if tensor.requires_grad and tensor.dtype in FLOATING and plain(tensor):
                    self.weights.remember(parameter, tensor)

    def _loss(self, tensor: torch.Tensor) -> None:
        loss = self._scaled.pop(id(tensor), tensor)
        value = self.observer.flow.name(loss) or "loss"
        if value not in self._losses:
            self._losses.add(value)
            facts = self.observer.graph.describe(value)
            self.recorder.event("loss", value=value, **facts, backward_site=loop_site(self._backward_site))
        subject = self.recorder.subject(value)
        if self.meter.on_host(loss):
            self.recorder.scalar(subject, Phase.LOSS, scalar(loss))
        else:
            key = device.Key(self.step, max(self._call, 0), True, subject, Phase.LOSS)
            self.meter.pending.add(key, device.statistics(loss.detach().double().mean(), -np.inf, np.inf))

    def after_backward(self) -> None:
        """Backward has ended; without an optimizer the gradients are read now."""
        self.meter.backward_ends()
        if self.observer.active and self._without_optimizer():
            for known, tensor in self.observer.registry.parameters():
                self.weights.read_gradient(known, tensor)
                known.moving |= tensor.grad is not None

    # -- optimizers --------------------------------------------------------------------------------------------

    def optimizer_made(self, optimizer: torch.optim.Optimizer, frame: FrameType) -> None:
        """An optimizer was constructed."""
        self.optimizers.met(optimizer, frame)

    def gradients_zeroed(self, owner: Any) -> None:
        """Gradients of an optimizer or a module were reset."""
        self.counters["zero_grads"] += 1
        self._wasted |= self._backward_seen and self._in_step is None
        for known in self.optimizers.known:
            if isinstance(owner, nn.Module) or known.optimizer() is owner:
                known.carried = known.used = False

    def before_step(self, optimizer: torch.optim.Optimizer, frame: FrameType, closure: bool) -> None:
        """An optimizer is about to change parameters: read the gradients that it will use."""
        self.leave_step()  # a step that raised never came to its end
        self._in_step = self.suspended()
        self._in_step.__enter__()
        if not self.observer.active:
            return
        known = self.optimizers.find(optimizer) or self.optimizers.searched(optimizer, frame)
        if known.carried:
            self._stale_gradients(optimizer)
        self._within_closure = closure
        self._stepping = self.optimizers.parameters(known, self.observer.registry, self.observer.growth)
        if not closure:
            self.weights.read_gradients(self._stepping)
        for parameter, tensor in self._stepping:
            if self.meter.full and (closure or tensor.grad is not None):
                self.weights.remember(parameter, tensor)

    def resumed(self) -> Resumed:
        """A context within a step in which the observer's function mode is on the stack again."""
        return Resumed(self.observer.mode)

    def leave_step(self) -> None:
        """The optimizer's step is over, or has raised."""
        if self._in_step is not None:
            self._in_step.__exit__()
            self._in_step = None

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has changed parameters: read the changes and the learning rates."""
        known = self.optimizers.find(optimizer)
        if self.observer.active and known is not None:
            self._stepped(optimizer, known)
        self.leave_step()

    def _stepped(self, optimizer: torch.optim.Optimizer, known: KnownOptimizer) -> None:
        known.steps += 1
        known.used, known.carried = True, False
        self.counters["optimizer_steps"] += 1
        self._step_over = True
        for i, group in enumerate(optimizer.param_groups):
            if i not in known.rates:
                known.rates[i] = self.recorder.subject(f"optimizer{known.number}.group{i}")
            self.recorder.scalar(known.rates[i], Phase.RATE, float(group.get("lr", np.nan)))
        if self._within_closure:
            self.weights.read_gradients(self._stepping)
        self.weights.read_updates(self._stepping, self.step, self._call)
        self._stepping = []
        self.meter.flush()
        self._check_point()

    def _stale_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        self._stale += 1
        if self._stale & (self._stale - 1) == 0:  # at 1, 2, 4, 8, …
            count = sum(len(group["params"]) for group in optimizer.param_groups)
            self.recorder.event(
                "stale_gradient", count=self._stale, parameters=count, site=loop_site(self._backward_site)
            )

    # -- training without an optimizer -------------------------------------------------------------------------

    def _without_optimizer(self) -> bool:
        if self.counters["optimizer_steps"] or self._in_step is not None:
            return False
        return not self.optimizers.known or self._wasted or self.counters["backwards"] > PATIENCE

    def _end_step_by_hand(self) -> None:
        if not self._backward_seen or self._step_over or not self._without_optimizer():
            return
        self._step_over = True
        changed = [
            self.weights.read_update(known, tensor, self.step, self._call)
            for known, tensor in list(self.observer.registry.parameters())
            if known.previous is not None and known.moving
        ]
        for known, _ in self.observer.registry.parameters():
            known.moving = False
        self.counters["manual_steps"] += any(changed)

    # -- the rest ----------------------------------------------------------------------------------------------

    def epoch_began(self, loader: Any) -> None:
        """A data loader starts from its beginning."""
        number = self._loaders.setdefault(id(loader), len(self._loaders))
        self.recorder.event("epoch", loader=number, batches=length(loader), training=bool(torch.is_grad_enabled()))

    def loss_scaled(self, loss: Any, scaled: Any) -> None:
        """A GradScaler multiplied the loss."""
        if isinstance(loss, torch.Tensor) and isinstance(scaled, torch.Tensor) and loss is not scaled:
            if not self._scaled and not self.counters["scaler_skips"]:
                self.recorder.event("grad_scaler")
            self._scaled = {id(scaled): loss.detach()}
            name = self.observer.flow.name(loss)
            if name is not None:
                self.observer.flow.set(self._scaled[id(scaled)], name)

    def step_skipped(self) -> None:
        """A GradScaler left a step out."""
        self.counters["scaler_skips"] += 1
        self.recorder.event("scaler_skip")

    def finish(self) -> None:
        """Say what has not been said yet."""
        self.leave_step()
        self._end_step_by_hand()
        self.optimizers.report(self.recorder, self.observer.registry, every=True)
        self._tell_counters()

    def _check_point(self) -> None:
        if time.monotonic() - self._told > COUNTERS_PERIOD:
            self._tell_counters()
            self.observer.checkpoint()

    def _tell_counters(self) -> None:
        self._told = time.monotonic()
        self.recorder.event("counters", **self.counters)
