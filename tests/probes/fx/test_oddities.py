"""Tensors, modes and modules that few programs use: none of them stops an observed program or changes a result."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from hypocenter import session
from hypocenter.kernels import select
from hypocenter.lower.fx.script import watch_script
from hypocenter.probes.fx.registry import MAX_ROOTS
from hypocenter.probes.fx.tensors import tensors_in
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule
from hypocenter.probes.schema import Phase
from hypocenter.rewrite.plan import decide


def net(*more):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), *more, nn.Linear(4, 2))


class Labelled(torch.Tensor):
    """A subclass that has functions of torch return its own kind."""


class Nosy(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Dispatching(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def train(model, x, steps=2):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x).float().pow(2).mean()
        loss.backward()
        optimizer.step()
    return [loss, *model.parameters()]


def subclass(model):
    return train(model, torch.randn(3, 4).as_subclass(Labelled))


def nested(model):
    x = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(3, 4)], layout=torch.jagged)
    out = model(x)
    out.values().sum().backward()
    with torch.no_grad():
        old = model(torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)]))
    return [out.values(), *(p.grad for p in model.parameters()), *old.unbind()]


def inference(model):
    with torch.inference_mode():
        out = model(torch.randn(3, 4))
    return [out]


def anomaly(model):
    with torch.autograd.set_detect_anomaly(True):
        return train(model, torch.randn(3, 4))


def profiled(model):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        return train(model, torch.randn(3, 4))


def saved_on_cpu(model):
    with torch.autograd.graph.save_on_cpu():
        return train(model, torch.randn(3, 4))


def deterministic(model):
    torch.use_deterministic_algorithms(True)
    try:
        return train(model, torch.randn(3, 4))
    finally:
        torch.use_deterministic_algorithms(False)


def modes(model):
    with Nosy(), Dispatching(), Nosy():
        return train(model, torch.randn(3, 4))


def mkldnn(model):
    with torch.no_grad():
        out = model[1](torch.randn(3, 4).to_mkldnn())
    return [out.to_dense()]


def fake(model):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        out = model(torch.empty(3, 4))
    return [torch.tensor(out.shape)]


def default_dtype(model):
    torch.set_default_dtype(torch.float64)
    try:
        return train(model.double(), torch.randn(3, 4))
    finally:
        torch.set_default_dtype(torch.float32)


def anonymous_structures(model):
    x = torch.randn(3, 4)
    cyclic: list = [x]
    cyclic.append(cyclic)
    return list(tensors_in(cyclic))[:1]


def accumulating_views(model):
    x = torch.randn(3, 4)
    out = torch.zeros(3, 2)
    out[:, :1] = model(x)[:, :1]
    out[:, 1:].add_(model(x)[:, 1:])
    out.sum().backward()
    return [out, *(p.grad for p in model.parameters())]


def into_given_memory(model):
    with torch.no_grad():
        out = torch.empty(3, 2)
        torch.mul(model(torch.randn(3, 4)), 2, out=out)
    return [out]


def gradients_of_inputs(model):
    x = torch.randn(3, 4, requires_grad=True)
    optimizer = torch.optim.Adam([x], 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).pow(2).sum().backward()
        optimizer.step()
        x.data.clamp_(-1, 1)
    return [x]


def second_order(model):
    x = torch.randn(3, 4)
    hessian = torch.autograd.functional.hessian(lambda v: model(v).pow(2).sum(), x)
    jacobian = torch.autograd.functional.jacobian(model, x)
    return [hessian, jacobian]


def swa(model):
    average = torch.optim.swa_utils.AveragedModel(model)
    result = train(model, torch.randn(3, 4))
    average.update_parameters(model)
    return [*result, *average.parameters(), average(torch.ones(1, 4))]


def ema(model):
    shadow = copy.deepcopy(model)
    result = train(model, torch.randn(3, 4))
    with torch.no_grad():
        for one, other in zip(shadow.parameters(), model.parameters(), strict=True):
            one.mul_(0.9).add_(other, alpha=0.1)
    return [*result, *shadow.parameters(), shadow(torch.ones(1, 4))]


def frozen(model):
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    return train(model, torch.randn(3, 4))


def moved(model):
    model.to(torch.float64)
    result = train(model, torch.randn(3, 4, dtype=torch.float64))
    model.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
    return result + train(model.float(), torch.randn(3, 4))


def share(model):
    model.share_memory()
    return train(model, torch.randn(3, 4))


def expanding(model):
    model.append(nn.Linear(2, 5))
    first = train(model, torch.randn(3, 4))
    model[-1] = nn.Linear(2, 1)
    return first + train(model, torch.randn(3, 4))


PROGRAMS = [
    subclass, nested, inference, anomaly, profiled, saved_on_cpu, deterministic, modes, mkldnn, fake, default_dtype,
    anonymous_structures, accumulating_views, into_given_memory, gradients_of_inputs, second_order, swa, ema,
    frozen, moved, share, expanding,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_programs_run_and_compute_the_same(program, facts_of):
    results = []
    for prepare in (lambda model: model, session.instrument):
        model = prepare(net())
        torch.manual_seed(8)
        results.append(program(model))
    facts_of(model).ir.verify()
    session.diagnose(model)
    session.strip(model)
    plain, probed = results
    assert len(plain) == len(probed)
    for one, other in zip(plain, probed, strict=True):
        assert type(one) is type(other)
        assert torch.equal(one.detach(), other.detach())


def pruned():
    model = net()
    prune.l1_unstructured(model[0], "weight", 0.5)
    return model


def scripted():
    return net(torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.Tanh())))


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(net(), {nn.Linear})


def traced():
    return net(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 4), nn.Tanh())))


def checkpointed():
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = net()

        def forward(self, x):
            return torch.utils.checkpoint.checkpoint_sequential(self.body, 2, x, use_reentrant=False)

    return Checkpointed()


def nothing_but_parameters():
    return nn.ParameterList([torch.ones(3)])


@pytest.mark.parametrize("make", [pruned, scripted, quantised, traced, checkpointed], ids=lambda make: make.__name__)
def test_modules_of_other_kinds(make, facts_of):
    torch.manual_seed(2)
    plain = make()
    model = make()
    if make is not quantised:
        model.load_state_dict(plain.state_dict())
    session.instrument(model)
    x = torch.randn(3, 4)
    one, other = plain(x), model(x)
    assert torch.equal(one, other)
    if other.requires_grad:
        other.sum().backward()
        one.sum().backward()
        for a, b in zip(plain.parameters(), model.parameters(), strict=True):
            assert torch.equal(a.grad, b.grad)
    facts = facts_of(model)
    assert facts.coverage["layers"] == facts.coverage["probed"] + len(facts.coverage["unprobed"])
    assert facts.coverage["probed"] >= 3
    facts.ir.verify()
    session.strip(model)
    for module in model.modules():
        assert "_compiled_call_impl" not in vars(module)


def test_a_model_without_layers(facts_of):
    model = session.instrument(nn.ParameterList([nn.Parameter(torch.ones(3))]))
    (model[0] * 2).sum().backward()
    facts = facts_of(model)
    assert facts.counters["backwards"] == 1
    session.diagnose(model)


def test_a_distributed_wrapper(tmp_path, facts_of):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        results = []
        for prepare in (lambda model: model, session.instrument):
            inner = prepare(net())
            wrapped = nn.parallel.DistributedDataParallel(inner)
            torch.manual_seed(8)
            results.append(train(wrapped, torch.randn(3, 4)))
        outer = session.instrument(nn.parallel.DistributedDataParallel(net()))
        torch.manual_seed(8)
        results.append(train(outer, torch.randn(3, 4)))
        plain, probed, around = results
        for one, other, third in zip(plain, probed, around, strict=True):
            assert torch.equal(one, other)
            assert torch.equal(one, third)
        assert facts_of(inner).subjects(Phase.UPDATE) == {name for name, _ in inner.named_parameters()}
        assert "module.0" in facts_of(outer).subjects(Phase.BACKWARD)
        session.strip(inner)
        session.strip(outer)
    finally:
        dist.destroy_process_group()


def watched_script():
    recorder = Recorder(None)
    return recorder, watch_script(recorder, select().kernels, Schedule(), decide, lambda: None)


def test_whole_programs_compute_the_same_and_name_their_parameters(case):
    """The way of `hypocenter run`: every module is watched from before it is made."""
    results = []
    for watched in (False, True):
        recorder, live = watched_script() if watched else (None, None)
        try:
            model = case.build()
            optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
            torch.manual_seed(11)
            for step in range(2):
                args, kwargs = case.batch(2, seed=step)
                optimizer.zero_grad()
                out = model(*args, **kwargs)
                loss = getattr(out, "loss", None)
                if loss is None:
                    loss = sum(t.float().pow(2).mean() for t in tensors_in(out) if t.is_floating_point())
                loss.backward()
                optimizer.step()
        finally:
            if live is not None:
                live.stop()
        results.append((model.state_dict(), torch.get_rng_state()))
    (one, state), (other, other_state) = results
    assert torch.equal(state, other_state)
    assert all(torch.equal(one[name], other[name]) for name in one)
    live.ir.verify()
    parameters = {name for name, _ in model.named_parameters()}
    assert {info.name for info in live.ir.inputs if info.kind == "parameter"} == parameters
    trace = recorder.trace()
    assert set(trace.select(phase=Phase.UPDATE)["subject"]) <= parameters
    coverage = live.coverage()
    assert coverage["layers"] == coverage["probed"] + len(coverage["unprobed"])
    assert all("never called" in e["reason"] or "floating" in e["reason"] for e in coverage["unprobed"])


def test_several_models_in_a_whole_program():
    recorder, live = watched_script()
    try:
        g = nn.Linear(2, 3)
        d = nn.Linear(3, 1)
        criterion = nn.BCEWithLogitsLoss()
        w = torch.ones(3, requires_grad=True)
        og, od = torch.optim.Adam(g.parameters()), torch.optim.SGD([*d.parameters(), w], 0.1)
        for _ in range(3):
            fake_batch = g(torch.randn(5, 2))
            od.zero_grad()
            real = criterion(d(torch.randn(5, 3) * w), torch.ones(5, 1))
            (real + criterion(d(fake_batch.detach()), torch.zeros(5, 1))).backward()
            od.step()
            og.zero_grad()
            criterion(d(fake_batch), torch.ones(5, 1)).backward()
            og.step()
    finally:
        live.stop()
    live.ir.verify()
    updates = set(recorder.trace().select(phase=Phase.UPDATE)["subject"])
    assert {"weight", "bias", "d.weight", "d.bias"} < updates
    assert len(updates) == 5
    events = recorder.events()
    assert not [event for event in events if event["kind"] == "stale_gradient"]
    assert [event["class"] for event in events if event["kind"] == "optimizer"] == ["SGD", "Adam"]


def test_functions_alone_in_a_whole_program():
    recorder, live = watched_script()
    try:
        w, b = torch.zeros(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(3):
            x, y = torch.randn(6, 3), torch.randn(6, 1)
            F.mse_loss(torch.sigmoid(x @ w + b), y).backward()
            with torch.no_grad():
                for p in (w, b):
                    p.sub_(p.grad, alpha=0.1)
                    p.grad.zero_()
    finally:
        live.stop()
    names = {node.op_type for node in live.ir.nodes}
    assert {"MatMul", "Add", "Sigmoid"} <= names
    assert len(recorder.trace().select(phase=Phase.LOSS)) == 3


class Spectral(nn.Module):
    """A filter in the frequency domain: its parameter is complex."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Parameter(torch.ones(4, dtype=torch.complex64))
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(torch.fft.ifft(torch.fft.fft(x) * self.filter).real)


def test_a_complex_parameter_is_not_said_to_have_no_gradient():
    model = session.instrument(Spectral())
    before = model.filter.detach().clone()
    train(model, torch.randn(8, 4), steps=12)
    assert not torch.equal(model.filter, before)
    assert [finding.rule for finding in session.diagnose(model).findings if finding.rule == "HC203"] == []


def test_models_beyond_the_limit_are_counted_once_each():
    recorder, live = watched_script()
    try:
        models = [nn.Linear(2, 2) for _ in range(MAX_ROOTS + 3)]
        for _ in range(2):
            for model in models:
                model(torch.ones(1, 2))
        coverage = live.coverage()
    finally:
        live.stop()
    recorder.close()
    assert coverage["unprobed"][-1]["layer"] == "3 further models"


def test_infinite_outputs_raise_no_warning():
    model = session.instrument(net())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.full((3, 4), torch.inf))
        model(torch.tensor([[3e38], [-3e38]]).expand(2, 4))
    assert [e["message"] for e in session._find(model).watch.run().events if e["kind"] == "warning"] == []
