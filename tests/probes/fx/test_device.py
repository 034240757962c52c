"""The figures of tensors that are not on the CPU: the same as the kernels', fetched once per step."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypocenter import session
from hypocenter.kernels import select
from hypocenter.probes.fx import device
from hypocenter.probes.fx.meter import Meter, Probe
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import INDEX, Phase

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def tensors(dtype):
    torch.manual_seed(2)
    plain = torch.randn(6, 5, 4).to(dtype)
    odd = plain.clone()
    odd[0, 0, 0], odd[1, 2, 3], odd[2, 0, 1], odd[3, 3] = float("nan"), float("inf"), float("-inf"), 0.0
    odd[:, 1] = 0.0
    odd[4, 4, 0] = torch.finfo(dtype).tiny / 4
    return {
        "plain": plain, "odd": odd, "strided": odd.transpose(0, 2), "expanded": plain[:1].expand(6, 5, 4),
        "vector": plain[0, 0], "number": plain[0, 0, 0], "all_nan": torch.full((3, 2), float("nan"), dtype=dtype),
        "bounds": torch.tensor([[-1.0, 1.0], [-2.0, 3.0]], dtype=dtype), "one": plain[:1], "huge": plain * 1e4,
    }  # fmt: skip


def rows(tensor, gradient=None, *, host, low=-1.0, high=1.0, axis=None, spread=False, full=True, monkeypatch):
    with monkeypatch.context() as patch:
        if not host:
            patch.setattr(Meter, "on_host", staticmethod(lambda tensor: False))
        recorder = Recorder(None)
        meter = Meter(recorder, select().kernels)
        meter.begin(3, 1, True, full)
        probe = Probe(recorder.subject("value"), low, high, axis)
        probe.spread = spread
        seen = meter.value(tensor, probe, Phase.FORWARD)
        if gradient is not None:
            meter.gradient(gradient, seen, probe)
        meter.flush()
        trace = recorder.trace()
        recorder.close()
    return trace.select()


def assert_equal_tables(one, other):
    assert len(one) == len(other)
    for key in ("step", "call", "subject", "phase", "training"):
        assert list(one[key]) == list(other[key])
    for name in INDEX:
        scale = np.sqrt(np.maximum(one["sumsq"], 0) * one["count"]) if name in ("sum", "relevance") else 0.0
        for a, b, atol in zip(one[name], other[name], np.broadcast_to(scale, len(one)), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6 * atol, err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", list(tensors(torch.float32)))
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_the_same_row_on_both_paths(name, dtype, axis, monkeypatch):
    tensor = tensors(dtype)[name]
    gradient = torch.randn(tensor.shape).to(dtype)
    settings = {"axis": axis, "spread": name in ("plain", "expanded", "one"), "monkeypatch": monkeypatch}
    host = rows(tensor, gradient, host=True, **settings)
    assert len(host) == 2
    assert_equal_tables(host, rows(tensor, gradient, host=False, **settings))


def test_a_guard_writes_only_what_is_not_finite(monkeypatch):
    good, bad = torch.randn(4, 3), torch.tensor([[1.0, float("inf")]])
    for host in (True, False):
        settings = {"host": host, "full": False, "monkeypatch": monkeypatch}
        assert len(rows(good, good, **settings)) == 0
        assert rows(bad, bad, **settings)["posinf"].tolist() == [1, 1]
        assert len(rows(torch.empty(0, 3), torch.empty(0, 3), host=host, monkeypatch=monkeypatch)) == 0


def train(steps=4):
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4), nn.Sigmoid(), nn.Linear(4, 3))
    session.instrument(model)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(5, 1, 4, 4)), torch.randint(0, 3, (5,))).backward()
        optimizer.step()
        model(torch.randn(2, 1, 4, 4)).detach()
    session.strip(model)
    return model


def ordered(facts):
    table = facts.trace.select()
    names = table["subject"]
    return sorted(range(len(table)), key=lambda i: (table["step"][i], table["call"][i], table["phase"][i], names[i]))


def test_a_whole_training_gives_the_same_trace(facts_of, monkeypatch):
    host = facts_of(train())
    monkeypatch.setattr(Meter, "on_host", staticmethod(lambda tensor: False))
    there = facts_of(train())
    one, other = host.trace.select(), there.trace.select()
    assert len(one) == len(other)
    for i, j in zip(ordered(host), ordered(there), strict=True):
        for key in ("step", "call", "subject", "phase", "training"):
            assert one[key][i] == other[key][j]
        for name in INDEX:
            np.testing.assert_allclose(one[name][i], other[name][j], rtol=1e-4, atol=1e-5, err_msg=name)


def test_one_transfer_per_step(monkeypatch):
    monkeypatch.setattr(Meter, "on_host", staticmethod(lambda tensor: False))
    fetched = []
    fetch = device.Pending.fetch

    def counting(self):
        fetched.append(len(self.keys))
        return fetch(self)

    monkeypatch.setattr(device.Pending, "fetch", counting)
    train(steps=3)
    assert len(fetched) == 4  # three steps, and what came after the last
    assert min(fetched[:3]) > 30


def test_each_device_is_fetched_in_one_copy():
    pending = device.Pending()
    for number in range(5):
        vector = torch.full((len(INDEX),), float(number), dtype=torch.float64)
        pending.add(device.Key(number, 0, True, number, 1), vector)
    copies = []

    class Copies(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is torch.Tensor.cpu:
                copies.append(tuple(args[0].shape))
            return func(*args, **(kwargs or {}))

    with Copies():
        found = [(key.step, float(row[0])) for key, row in pending.fetch()]
    assert copies == [(5, len(INDEX))]
    assert found == [(n, float(n)) for n in range(5)]
    assert pending.keys == []
    assert pending.vectors == []


def test_what_is_pending_is_fetched_before_a_diagnosis(facts_of, monkeypatch):
    monkeypatch.setattr(Meter, "on_host", staticmethod(lambda tensor: False))
    model = session.instrument(nn.Linear(2, 2))
    model(torch.randn(3, 2)).sum().backward()
    assert len(facts_of(model).rows(Phase.FORWARD)) == 2
    assert len(facts_of(model).rows(Phase.LOSS)) == 1


def test_pending_figures_are_bounded(monkeypatch):
    monkeypatch.setattr(Meter, "on_host", staticmethod(lambda tensor: False))
    monkeypatch.setattr(device, "MAX_PENDING", 7)
    model = session.instrument(nn.Linear(2, 2))
    meter = session._find(model).watch.live.observer.meter
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(3, 2))
            assert len(meter.pending.keys) < 7
