"""Every layer and operation of every model is probed or listed with a reason, counted without the observer's help."""

import re
import threading
from collections import Counter

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hypocenter import session
from hypocenter.probes.fx.tensors import tensors_in
from hypocenter.probes.schema import Phase

#: Functions whose result holds values that the program has already: nothing is computed.
MOVES = {
    "view",
    "reshape",
    "flatten",
    "unflatten",
    "transpose",
    "permute",
    "t",
    "T",
    "mT",
    "contiguous",
    "clone",
    "detach",
    "expand",
    "expand_as",
    "squeeze",
    "unsqueeze",
    "chunk",
    "split",
    "unbind",
    "stack",
    "cat",
    "getitem",
    "repeat",
    "repeat_interleave",
    "to",
    "float",
    "double",
    "half",
    "type_as",
    "index_select",
    "select",
    "narrow",
    "tolist",
    "item",
    "numpy",
    "size",
    "dim",
    "cpu",
    "data",
    "requires_grad_",
    "setitem",
    "view_as",
    "movedim",
    "swapaxes",
}
#: Functions that give tensors which no data went into.
SOURCES = {
    "zeros",
    "ones",
    "arange",
    "tensor",
    "full",
    "empty",
    "eye",
    "linspace",
    "from_numpy",
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
    "rand",
    "randn",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
    "new_full",
    "new_tensor",
    "new_empty",
    "triu_indices",
    "as_tensor",
}


class Counting(TorchFunctionMode):
    """Counts calls of functions that compute floating tensors from floating tensors, outside of library layers."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()
        self.layers = Counter()
        self.gradients = Counter()
        self.depth = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        floating = [t for t in tensors_in((args, kwargs)) if t.is_floating_point()]
        made = [t for t in tensors_in(out) if t.is_floating_point()]
        if not self.depth and made and floating and name not in MOVES | SOURCES | {"get", "set"}:
            self.calls[name] += 1
            self._await_gradient(name, made)
        return out

    def _await_gradient(self, name, tensors):
        for tensor in tensors:
            if tensor.requires_grad and not tensor.is_leaf:
                tensor.register_hook(lambda _: self.gradients.update([name]))

    def hook(self, model):
        for path, module in model.named_modules():
            if is_layer(module):
                module.register_forward_pre_hook(self._enter(path))
                module.register_forward_hook(self._leave(path))

    def _enter(self, path):
        def enter(*_):
            if not self.depth:
                self.layers[path] += 1
            self.depth += 1

        return enter

    def _leave(self, path):
        def leave(module, args, out):
            self.depth -= 1
            if not self.depth and not isinstance(module, (nn.Identity, nn.Flatten, nn.Sequential)):
                self._await_gradient(path, tensors_in(out))

        return leave


def is_layer(module):
    if isinstance(module, nn.MultiheadAttention):
        return True
    library = type(module).__module__.startswith(("torch.", "transformers."))
    return library and not list(module.children()) and type(module) not in (nn.ModuleList, nn.ModuleDict)


def base(node):
    return re.sub(r"(_\d+)+$", "", node.name.rsplit(".", 1)[-1])


def total(out):
    loss = getattr(out, "loss", None)
    if loss is not None:
        return loss
    return sum(t.float().pow(2).mean() for t in tensors_in(out) if t.is_floating_point())


def check(facts, counting):
    coverage = facts.coverage
    assert coverage["layers"] == coverage["probed"] + len(coverage["unprobed"])
    excused = {entry["layer"] for entry in coverage["unprobed"]}
    assert all(len(entry["reason"]) > 10 for entry in coverage["unprobed"])
    measured = facts.subjects(Phase.FORWARD)
    inside = [node for node in facts.ir.nodes if node.name not in facts.watch.live.builder.outside]
    for node in inside:
        if node.kind != "movement":
            assert measured.intersection(node.outputs) or node.name in excused, node
    seen = Counter(node.module for node in inside if node.module is not None)
    for path, count in counting.layers.items():
        assert seen[path] == min(count, 64), path
    functions = Counter(base(node) for node in inside if node.module is None)
    assert {name: functions[name] for name in counting.calls} == dict(counting.calls)
    for path, module in facts.model.named_modules():
        if is_layer(module) and path not in counting.layers:
            assert path in excused or any(path.startswith(f"{known}.") for known in seen), path


def check_gradients(facts, counting):
    """Each gradient that flows through a value inside the model has a row."""
    outside = facts.watch.live.builder.outside
    rows = Counter(facts.rows(Phase.BACKWARD)["subject"])
    found = Counter()
    for node in facts.ir.nodes:
        if node.name not in outside:
            found[node.module or base(node)] += sum(rows[value] for value in node.outputs)
    assert {name: found[name] for name in counting.gradients} == dict(counting.gradients)


@pytest.mark.parametrize("mode", ["train", "eval", "no_grad"])
def test_every_layer_and_operation_is_probed_or_excused(case, mode, facts_of):
    model, plain = case.twins()
    for each in (model, plain):
        each.train(mode == "train")
    args, kwargs = case.batch()
    grad = torch.enable_grad() if mode != "no_grad" else torch.no_grad()
    fused = case.name in ("encoder", "decoder") and mode == "no_grad"
    counting = Counting()
    counting.hook(plain)
    torch.manual_seed(3)
    with grad, counting:
        expected = plain(*args, **kwargs)
    if fused:  # any function mode or hook turns PyTorch's fused path off, ours of this test too
        with torch.no_grad():
            expected = case.build().eval()(*args, **kwargs)
    session.instrument(model)
    torch.manual_seed(3)
    with grad:
        out = model(*args, **kwargs)
    for one, other in zip(tensors_in(out), tensors_in(expected), strict=True):
        assert torch.equal(one, other)
    if mode == "train":
        total(out).backward()
    facts = facts_of(model)
    if fused:
        assert any("one fused kernel" in entry["reason"] for entry in facts.coverage["unprobed"])
    else:
        check(facts, counting)
    if mode == "train":
        total(expected).backward()
        check_gradients(facts, counting)
        for (name, one), other in zip(model.named_parameters(), plain.parameters(), strict=True):
            assert (one.grad is None) == (other.grad is None), name
            assert one.grad is None or torch.equal(one.grad, other.grad), name


def test_three_steps_are_the_same_bit_by_bit(case):
    results = []
    for prepare in (lambda model: model, session.instrument):
        model = prepare(case.build())
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        torch.manual_seed(11)
        for step in range(3):
            args, kwargs = case.batch(2, seed=step)
            optimizer.zero_grad()
            total(model(*args, **kwargs)).backward()
            optimizer.step()
        results.append((model.state_dict(), torch.get_rng_state()))
    (one, state), (other, other_state) = results
    assert torch.equal(state, other_state)
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_shapes_widen_with_the_batch(case, facts_of):
    model = session.instrument(case.build())
    for size in (2, 3):
        args, kwargs = case.batch(size)
        model(*args, **kwargs)
    facts = facts_of(model)
    inputs = [info for info in facts.ir.inputs if info.kind == "input"]
    assert inputs
    assert all(info.shape[0] is None for info in inputs if info.shape)
    value = facts.ir.value(facts.ir.outputs[0])
    assert value.shape is None or not value.shape or value.shape[0] is None
    facts.ir.verify()


def test_a_loop_of_many_turns_is_a_bounded_graph(facts_of):
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.RNNCell(2, 2)

        def forward(self, x):
            h = torch.zeros(1, 2)
            for t in range(200):
                h = self.cell(x[t : t + 1], h) * 1.01
            return h

    model = session.instrument(Loop())
    out = model(torch.randn(200, 2))
    out.sum().backward()
    facts = facts_of(model)
    assert len(facts.ir) < 3 * 64 + 4
    assert len(facts.rows(Phase.FORWARD)) == 400 + 1  # and the sum
    facts.ir.verify()


def test_switching_between_train_and_eval(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3)))
    x = torch.randn(4, 3)
    for training in (True, False, True):
        model.train(training)
        out = model(x)
    assert torch.isfinite(out).all()
    facts = facts_of(model)
    assert [node.name for node in facts.ir.nodes if node.module is not None] == ["0", "1", "2"]
    assert facts.rows(Phase.FORWARD, "1")["training"].tolist() == [True, False, True]
    assert facts.coverage["unprobed"] == []


class RaisesOnce(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.fail = True

    def forward(self, x):
        x = self.inner(x)
        if self.fail:
            return self.inner(x[:, :2])
        return x * 2


def test_a_forward_that_raises_leaves_nothing_and_the_next_call_works(facts_of):
    model = session.instrument(RaisesOnce())
    observer = session._find(model).watch.live.observer
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            model(torch.randn(2, 3))
        assert observer._scopes == []
        assert observer._indivisible == 0
        assert torch._C._len_torch_function_stack() == 1
    model.fail = False
    model(torch.randn(2, 3)).sum().backward()
    facts = facts_of(model)
    assert {"inner.0", "inner.1", "mul"} <= facts.subjects(Phase.FORWARD)
    assert {"inner.0", "mul"} <= facts.subjects(Phase.BACKWARD)
    assert facts.ir.node("mul").scope == ""


def test_an_error_caught_inside_forward_keeps_the_scopes_right(facts_of):
    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.risky = RaisesOnce()
            self.safe = nn.Linear(3, 3)

        def forward(self, x):
            try:
                return self.risky(x)
            except RuntimeError:
                return self.safe(x).relu()

    model = session.instrument(Tries())
    model(torch.randn(2, 3))
    facts = facts_of(model)
    assert facts.ir.node("relu").scope == ""
    assert facts.ir.node("safe").scope == ""


def test_criterion_modules_of_torch_and_of_the_user(facts_of):
    class Focal(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.CrossEntropyLoss(reduction="none")

        def forward(self, logits, target):
            loss = self.inner(logits, target)
            return ((1 - torch.exp(-loss)) ** 2 * loss).mean()

    model = session.instrument(nn.Linear(4, 3))
    x, y = torch.randn(5, 4), torch.randint(0, 3, (5,))
    for criterion in (nn.CrossEntropyLoss(), Focal()):
        criterion(model(x), y).backward()
    facts = facts_of(model)
    assert len(facts.of_kind("loss")) == 2
    losses = facts.of_kind("loss")
    assert losses[0]["op"] != losses[1]["op"]
    for event in losses:
        assert event["site"]["file"] == __file__
        assert event["node"] in facts.ir
    assert facts.coverage["layers"] == facts.coverage["probed"] == 1  # the losses are no layers of the model
    assert {event["role"] for event in facts.of_kind("data")} == {"input", "target"}


def test_modules_added_and_replaced_after_instrument(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(3, 3), nn.Tanh()))
    old = model[0]
    model[0] = nn.Linear(3, 3)
    model.append(nn.Linear(3, 1))
    model(torch.randn(2, 3)).sum().backward()
    facts = facts_of(model)
    assert len(facts.subjects(Phase.FORWARD)) == 4  # two linear, tanh, the sum
    session.strip(model)
    for module in (old, *model.modules()):
        assert "_compiled_call_impl" not in vars(module)


def test_lazy_modules(facts_of):
    model = session.instrument(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2)))
    optimizer = None
    for _ in range(2):
        loss = model(torch.randn(3, 5)).pow(2).mean()
        optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    facts = facts_of(model)
    assert facts.subjects(Phase.UPDATE) == {name for name, _ in model.named_parameters()}
    assert {"0", "1", "2"} <= facts.subjects(Phase.FORWARD)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_float_types(dtype, facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1)).to(dtype))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3, dtype=dtype)).square().mean().backward()
        optimizer.step()
    facts = facts_of(model)
    assert {"0", "1", "2"} <= facts.subjects(Phase.BACKWARD)
    assert facts.rows(Phase.FORWARD)["nan"].sum() == 0
    assert facts.coverage["unprobed"] == []


def test_integers_and_complex_numbers_get_a_sentence(facts_of):
    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)
            self.weight = nn.Parameter(torch.randn(5, dtype=torch.complex64))

        def forward(self, x):
            spectrum = torch.fft.rfft(self.fc(x)) * self.weight
            kind = spectrum.abs().argmax(-1)
            return torch.fft.irfft(spectrum), kind

    model = session.instrument(Spectral())
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        out, _ = model(torch.randn(2, 8))
        out.square().mean().backward()
        optimizer.step()
    facts = facts_of(model)
    reasons = {entry["layer"]: entry["reason"] for entry in facts.coverage["unprobed"]}
    assert "floating" in reasons["fft_rfft"]
    assert "floating" in reasons["argmax"]
    assert "fft_irfft" in facts.subjects(Phase.FORWARD)


def test_a_complex_loss_does_not_stop_the_program():
    model = session.instrument(nn.Linear(2, 2).to(torch.complex64))
    out = model(torch.randn(3, 2, dtype=torch.complex64)).sum()
    out.backward(torch.ones((), dtype=torch.complex64))
    assert model.weight.grad is not None


def test_an_empty_batch(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)))
    model(torch.randn(0, 3)).sum().backward()
    model(torch.randn(2, 3)).sum().backward()
    facts = facts_of(model)
    assert facts.coverage["layers"] == 3
    assert {"0", "1", "2"} <= facts.subjects(Phase.FORWARD)


def test_sparse_and_meta_inputs(facts_of):
    model = session.instrument(nn.Linear(4, 2))
    sparse = torch.eye(4).to_sparse()
    out = model(sparse)
    assert out.shape == (4, 2)
    with torch.device("meta"):
        ghost = session.instrument(nn.Linear(4, 2))
        assert ghost(torch.randn(3, 4)).is_meta
    reasons = facts_of(ghost).coverage["unprobed"]
    assert reasons[0]["layer"] == "Linear".lower()
    assert len(reasons[0]["reason"]) > 10


def test_a_packed_sequence(facts_of):
    class Packs(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, (h, _) = self.rnn(packed)
            padded, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
            return padded.mean(1) + h[-1]

    model = session.instrument(Packs())
    model(torch.randn(2, 3, 3), torch.tensor([3, 2])).sum().backward()
    facts = facts_of(model)
    assert "rnn" in facts.subjects(Phase.BACKWARD)
    assert facts.coverage["unprobed"] == [] or all(entry["reason"] for entry in facts.coverage["unprobed"])


@pytest.mark.parametrize("wrap", ["parametrize", "weight_norm", "spectral_norm"])
def test_reparametrised_weights(wrap, facts_of):
    fc = nn.Linear(3, 3)
    if wrap == "weight_norm":
        fc = nn.utils.parametrizations.weight_norm(fc)
    elif wrap == "spectral_norm":
        fc = nn.utils.spectral_norm(fc)
    else:
        nn.utils.parametrize.register_parametrization(fc, "weight", Symmetric())
    model = session.instrument(nn.Sequential(fc, nn.Tanh()))
    model(torch.randn(2, 3)).sum().backward()
    facts = facts_of(model)
    assert "1" in facts.subjects(Phase.BACKWARD)
    assert facts.coverage["unprobed"] == []
    assert any(name.startswith("0") for name in facts.subjects(Phase.FORWARD))


class Symmetric(nn.Module):
    def forward(self, weight):
        return weight.triu() + weight.triu(1).transpose(0, 1)


def test_outputs_that_vary_in_number(facts_of):
    class Varies(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return sum(part.exp() for part in self.fc(x).unbind(0))

    model = session.instrument(Varies())
    model(torch.randn(2, 4)).sum().backward()
    model(torch.randn(5, 4)).sum().backward()
    facts = facts_of(model)
    assert sum(node.op_type == "Exp" for node in facts.ir.nodes) == 5
    facts.ir.verify()


def test_the_batch_is_never_the_reason_to_hold_gradients(facts_of):
    """An identity that returns its input, and a layer that returns its parameter, keep no hooks of ours."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x, self.value

    model = session.instrument(nn.ModuleDict({"same": nn.Identity(), "const": Constant()}))
    x = torch.randn(3, requires_grad=True)
    for _ in range(3):
        same = model["same"](x)
        _, value = model["const"](same)
        (value * same).sum().backward()
    assert not x._backward_hooks
    assert not model["const"].value._backward_hooks


def test_calls_in_another_thread_are_told(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    thread = threading.Thread(target=model, args=(torch.randn(3, 2),))
    thread.start()
    thread.join()
    unprobed = facts_of(model).coverage["unprobed"]
    assert [entry["layer"] for entry in unprobed] == ["0", "1"]
    assert all("other threads" in entry["reason"] for entry in unprobed)


class Features(torch.utils.data.Dataset):
    """Runs the observed model in the worker."""

    def __init__(self, model):
        self.model = model

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with torch.no_grad():
            return self.model(torch.full((2,), float(index)))


def test_a_model_used_in_data_loader_workers(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    batches = list(torch.utils.data.DataLoader(Features(model), batch_size=2, num_workers=1))
    assert torch.equal(batches[0][0], model(torch.zeros(2)))
    facts = facts_of(model)
    assert facts.counters["forwards"] == 1
    assert len(facts.rows(Phase.FORWARD)) == 2
