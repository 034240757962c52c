"""Which line set a parameter before training: nn.init, no_grad, .data; values by default have none."""

import inspect

import pytest
import torch
from torch import nn

from hypocenter.kernels import select
from hypocenter.lower.fx.live import Live
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule
from hypocenter.rewrite.plan import decide


def by_init(layer):
    nn.init.constant_(layer.bias, -5.0)  # here


def by_no_grad(layer):
    with torch.no_grad():
        layer.bias.fill_(-5.0)  # here


def by_data(layer):
    layer.bias.data.uniform_(-5.0, -4.0)  # here


def by_data_twice(layer):
    layer.bias.data.zero_()
    layer.bias.data.sub_(5.0)  # here


def by_assignment(layer):
    layer.bias.data = torch.full((3,), -5.0)  # here


def by_apply(layer):
    def start(module):
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)  # here

    nn.Sequential(layer, nn.ReLU()).apply(start)


def by_default(layer):
    nn.init.constant_(layer.bias, -5.0)
    layer.reset_parameters()


def nothing(layer):
    del layer


def watched(change):
    recorder = Recorder(None)
    live = Live(recorder, select().kernels, Schedule(), decide, lambda *_: None)
    live.start()
    try:
        layer = nn.Linear(4, 3)
        change(layer)
        layer(torch.ones(2, 4)).sum().backward()
    finally:
        live.stop()
    return live, [event for event in recorder.events() if event["kind"] == "written"]


@pytest.mark.parametrize("change", [by_init, by_no_grad, by_data, by_data_twice, by_assignment, by_apply])
def test_the_line_that_sets_a_parameter_is_known(change):
    lines, first = inspect.getsourcelines(change)
    marked = next(first + i for i, line in enumerate(lines) if line.rstrip().endswith("# here"))
    _, events = watched(change)
    assert [(event["parameter"], event["site"]["line"]) for event in events] == [("bias", marked)]
    assert events[0]["site"]["file"] == __file__


@pytest.mark.parametrize("change", [by_default, nothing])
def test_values_by_default_have_no_line(change):
    assert watched(change)[1] == []


def test_setting_a_parameter_makes_no_node():
    live, _ = watched(by_data)
    assert [node.kind for node in live.ir.nodes] == ["layer", "reduction"]


def test_updates_during_training_are_not_noted():
    recorder = Recorder(None)
    live = Live(recorder, select().kernels, Schedule(), decide, lambda *_: None)
    live.start()
    try:
        layer = nn.Linear(4, 3)
        for _ in range(2):
            layer(torch.ones(2, 4)).sum().backward()
            with torch.no_grad():
                layer.bias.sub_(0.1)
    finally:
        live.stop()
    assert [event for event in recorder.events() if event["kind"] == "written"] == []
