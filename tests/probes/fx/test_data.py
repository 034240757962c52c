"""Where the user's own preparation of data made NaN of finite numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from hypocenter import session
from hypocenter.diagnose.run import Run


def events(model: nn.Module) -> list[dict]:
    run: Run = session._watched[id(model)].watch.run()
    return [event for event in run.events if event["kind"] == "nonfinite_data"]


@pytest.fixture
def model():
    made = session.instrument(nn.Linear(3, 2))
    yield made
    session.strip(made)


def test_the_line_that_divides_by_a_constant_feature_is_named(model):
    x = torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 5.0]])
    x = (x - x.mean(0)) / x.std(0)  # here
    model(x).sum().backward()
    (event,) = events(model)
    assert event["op"] in ("div", "truediv")
    assert event["nonfinite"] == 2
    assert event["count"] == 6
    assert event["site"]["snippet"].endswith("# here")
    finding = session.diagnose(model).findings[0]
    assert (finding.rule, finding.fault) == ("HC105", "data")
    assert finding.location.snippet.endswith("# here")
    assert "model(x)" in finding.related[0].snippet


def test_data_that_comes_bad_is_told_where_it_enters(model):
    x = torch.tensor(np.array([[1.0, np.nan, 2.0]], np.float32))  # here
    model(x / 2)
    (event,) = events(model)
    assert event["op"] == "tensor"
    assert event["site"]["snippet"].endswith("# here")


def test_good_data_and_masks_are_not_told(model):
    x = torch.rand(4, 3) + 1
    mask = torch.full((4, 4), float("-inf")).triu(1)
    model((x.log() / x.std(0)).sqrt().nan_to_num() + mask.exp()[:, :3])
    assert [event for event in events(model) if event["op"] != "sqrt"] == []  # of negative logarithms, and mended


def test_each_place_is_told_once_and_looked_at_a_bounded_number_of_times(model):
    for _ in range(300):
        model(torch.zeros(2, 3) / torch.zeros(2, 3))
    assert len(events(model)) == 1
