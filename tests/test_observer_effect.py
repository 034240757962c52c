"""A program computes the same, bit by bit, with and without probes, and nothing of ours stays behind."""

import copy
import gc
import io
import pickle
import random
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from hypocenter import session
from hypocenter.probes.fx import patches
from hypocenter.probes.schema import Phase

torch.set_num_threads(1)
CALL = nn.Module.__call__


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    for watched in list(session._watched.values()):
        model = watched.model()
        if model is not None:
            session.strip(model)
    left = [torch._C._pop_torch_function_stack() for _ in range(torch._C._len_torch_function_stack())]
    assert left == []
    assert not patches.active()
    assert nn.Module.__call__ is CALL


def facts(model):
    watch = session._find(model).watch
    run = watch.run()
    return run.ir, run.trace, run.events, watch.live.counters()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.4)
        self.hidden = nn.Linear(16, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.conv(x)), inplace=True)
        x = F.dropout(self.drop(x.flatten(1)), 0.2, self.training)
        return self.head(torch.tanh(self.hidden(x)))


def mlp(dtype=torch.float32):
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 2)).to(dtype)


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one.detach(), other.detach())
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    return one == other


def twice(program):
    """The results of a program without and with `instrument`, from the same random state."""
    results = []
    for prepare in (lambda model: model, session.instrument):
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002 - the legacy state is what is under test
        random.seed(7)
        result = program(prepare)
        results.append((result, torch.get_rng_state(), np.random.get_state()[1], random.getstate()))  # noqa: NPY002
    return results


def assert_same(program):
    plain, probed = twice(program)
    assert equal(plain, probed)
    return probed[0]


OPTIMIZERS = {
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: torch.optim.Adam(p, 1e-2, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, 1e-2, foreach=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-3, centered=True),
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.parametrize("every", [1, 4])
def test_twenty_training_steps(name, every):
    def program(prepare):
        model = Net()
        prepare = prepare if prepare is not session.instrument else lambda m: session.instrument(m, every=every)
        prepare(model)
        optimizer = OPTIMIZERS[name](model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=25)
        losses, outputs, gradients = [], [], []
        for step in range(20):
            x, y = torch.randn(6, 1, 4, 4), torch.randint(0, 3, (6,))
            optimizer.zero_grad()
            out = model(x)
            loss = F.cross_entropy(out, y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss)
            outputs.append(out)
            gradients.append([p.grad.clone() for p in model.parameters()])
            if step % 5 == 4:
                model.eval()
                with torch.no_grad():
                    outputs.append(model(x))
                model.train()
        return losses, outputs, gradients, model.state_dict(), optimizer.state_dict()["state"], repr(model)

    assert_same(program)


def test_names_parameters_and_attributes_are_as_before():
    model, twin = Net(), None
    twin = copy.deepcopy(model)
    before = {path: dict(vars(module)) for path, module in model.named_modules()}
    hooks = {path: [len(v) for k, v in vars(m).items() if k.endswith("_hooks")] for path, m in model.named_modules()}
    session.instrument(model)
    for step in range(2):
        model(torch.randn(2, 1, 4, 4)).sum().backward()
        assert repr(model) == repr(twin)
        assert list(model.state_dict()) == list(twin.state_dict())
        assert [name for name, _ in model.named_modules()] == [name for name, _ in twin.named_modules()]
        assert [name for name, _ in model.named_parameters()] == [name for name, _ in twin.named_parameters()]
        assert type(model) is Net
        assert step < 2
    for path, module in model.named_modules():
        assert [len(v) for k, v in vars(module).items() if k.endswith("_hooks")] == hooks[path]
        assert set(vars(module)) - set(before[path]) <= {"_compiled_call_impl"}
    for parameter in model.parameters():
        assert not parameter._backward_hooks
        assert set(vars(parameter)) == set()
    session.strip(model)
    for path, module in model.named_modules():
        assert list(vars(module)) == list(before[path])
        assert all(vars(module)[name] is value for name, value in before[path].items())


def copies(model):
    yield pickle.loads(pickle.dumps(model))
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    yield torch.load(buffer, weights_only=False)
    yield copy.deepcopy(model)
    yield copy.deepcopy({"ema": [model]})["ema"][0]


def test_copies_are_plain_and_the_original_stays_probed():
    model = session.instrument(Net())
    x = torch.randn(2, 1, 4, 4)
    model(x).sum().backward()
    for twin in copies(model):
        assert all("_compiled_call_impl" not in vars(module) for module in twin.modules())
        rows = len(facts(model)[1].select(phase=Phase.FORWARD))
        twin.eval()(x)
        assert facts(model)[3]["forwards"] == 1 + 0 * rows
    model(x)
    assert facts(model)[3]["forwards"] == 2
    fresh = Net()
    fresh.load_state_dict(model.state_dict())
    assert equal(fresh.state_dict(), model.state_dict())


class OwnState(nn.Linear):
    def __getstate__(self):
        return dict(self.__dict__)


def test_a_module_with_a_getstate_of_its_own_is_copied():
    model = session.instrument(nn.Sequential(OwnState(2, 2), nn.ReLU()))
    x = torch.randn(3, 2)
    for twin in copies(model):
        assert equal(twin(x), model(x))
        assert twin[0]._compiled_call_impl is None


def test_hooks_of_the_user_run_in_the_same_order():
    def program(prepare):
        order = []
        model = mlp()
        for i, module in enumerate(model):
            module.register_forward_pre_hook(lambda m, args, i=i: order.append(f"pre{i}"))
            module.register_forward_hook(lambda m, args, out, i=i: order.append(f"post{i}") or out * 1.5)
            module.register_full_backward_hook(lambda m, gi, go, i=i: order.append(f"back{i}"))
        for i, parameter in enumerate(model.parameters()):
            parameter.register_hook(lambda g, i=i: order.append(f"grad{i}") or g * 2)
            parameter.register_post_accumulate_grad_hook(lambda p, i=i: order.append(f"done{i}"))
        prepare(model)
        out = model(torch.randn(3, 4))
        out.register_hook(lambda g: order.append("out") or g * 3)
        out.retain_grad()
        middle = out.tanh()
        middle.register_hook(lambda g: order.append("tanh"))
        middle.sum().backward()
        return order, out.grad, [p.grad for p in model.parameters()]

    order = assert_same(program)[0]
    assert order[:2] == ["pre0", "post0"]
    assert len(order) == 4 * 3 + 2 * 4 + 2


def test_strip_in_any_order_twice_and_nested():
    one, two = Net(), mlp()
    for first, second in ((one, two), (two, one)):
        for model in (one, two):
            session.instrument(model)
            assert session.instrument(model) is model
        out = two(torch.randn(3, 4)).sum() + one(torch.randn(2, 1, 4, 4)).sum()
        out.backward()
        for model in (first, first, second, second):
            session.strip(model)
        assert torch._C._len_torch_function_stack() == 0
        for model in (one, two):
            assert all("_compiled_call_impl" not in vars(module) for module in model.modules())


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_part_of_an_instrumented_model(inner_first):
    model = nn.Sequential(mlp(), nn.Tanh())
    part = model[0]
    x = torch.randn(3, 4)
    for each in (part, model) if inner_first else (model, part):
        session.instrument(each)
    model(x).sum().backward()
    for each, count in ((part, 4), (model, 5)):
        ir, _, _, counters = facts(each)
        assert sum(node.module is not None for node in ir.nodes) == count
        assert counters["forwards"] == 1
        assert not [node.name for node in ir.nodes if "detach" in node.name]
    session.strip(part)
    model(x)
    assert facts(model)[3]["forwards"] == 2
    session.strip(model)
    assert all("_compiled_call_impl" not in vars(module) for module in model.modules())


def test_lower_and_check_leave_a_running_observation_alone():
    model = session.instrument(mlp().eval())
    x = torch.randn(3, 4)
    model(x)
    assert len(session.lower(model, x)) == 4
    session.check(model, x)
    model(x)
    assert "_compiled_call_impl" in vars(model[0])
    ir, trace, _, _ = facts(model)
    assert len(trace.select(phase=Phase.FORWARD, subject="0")) >= 2
    assert {node.name for node in ir.nodes} == {"0", "1", "2", "3"}


def test_strip_after_an_error_in_forward_backward_and_step():
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("no way back")

    model = session.instrument(mlp())
    with pytest.raises(RuntimeError, match="shapes"):
        model(torch.randn(3, 5))
    with pytest.raises(RuntimeError, match="no way back"):
        Bad.apply(model(torch.randn(3, 4))).sum().backward()
    model(torch.randn(3, 4)).sum().backward()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    model(torch.randn(3, 4))
    session.strip(model)
    assert torch._C._len_torch_function_stack() == 0
    assert not patches.active()
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)


def test_modes_nested_around_instrument_and_strip():
    for device in ("cpu", "meta"):
        model = mlp()
        with torch.device(device):
            session.instrument(model)
            assert torch.ones(2).device.type == device
            model(torch.ones(1, 4, device="cpu"))
        model(torch.ones(1, 4))
        with torch.device(device):
            session.strip(model)
            assert torch.ones(2).device.type == device
        assert torch.ones(2).device.type == "cpu"
    session.instrument(model)
    with torch.device("meta"):
        session.strip(model)
    assert torch.ones(1).device.type == "cpu"


def test_functional_transforms():
    def program(prepare):
        model = prepare(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)))
        parameters = {name: p.detach() for name, p in model.named_parameters()}
        x = torch.randn(5, 4)

        def loss(weights, sample):
            return torch.func.functional_call(model, weights, (sample,)).pow(2).sum()

        whole = torch.func.grad(loss)(parameters, x)
        each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
        _, tangent = torch.func.jvp(model, (x,), (torch.ones_like(x),))
        jacobian = torch.func.jacrev(model)(x[0])
        out = model(x).sum()
        out.backward()
        return whole, each, tangent, jacobian, [p.grad for p in model.parameters()]

    assert_same(program)


@pytest.mark.parametrize("after", [False, True])
def test_the_user_compiles(after):
    def program(prepare):
        torch._dynamo.reset()
        model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
        if not after:
            prepare(model)
        compiled = torch.compile(model, backend="eager")
        if after:
            prepare(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = compiled(torch.randn(5, 4)).pow(2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        return losses, model.state_dict()

    assert_same(program)


def test_a_module_compiled_in_place_and_a_compiled_model_instrumented():
    torch._dynamo.reset()
    model = mlp().eval()
    x = torch.randn(3, 4)
    expected = model(x)
    model.compile(backend="eager")
    slot = vars(model)["_compiled_call_impl"]
    session.instrument(model)
    assert equal(model(x), expected)
    assert facts(model)[0].nodes[0].kind
    reasons = session._find(model).watch.live.coverage()["unprobed"]
    assert any("torch.compile" in entry["reason"] for entry in reasons)
    session.strip(model)
    assert vars(model)["_compiled_call_impl"] is slot
    wrapped = session.instrument(torch.compile(mlp(), backend="eager"))
    wrapped(x).sum().backward()
    assert facts(wrapped)[3]["backwards"] == 1


def test_tracers_do_not_see_probes():
    x = torch.randn(3, 4)
    plain = mlp().eval()
    probed = session.instrument(copy.deepcopy(plain))
    traced = torch.jit.trace(probed, x)
    kinds = [[node.kind() for node in net.inlined_graph.nodes()] for net in (traced, torch.jit.trace(plain, x))]
    assert kinds[0] == kinds[1]
    assert equal(traced(x), plain(x))
    graph = torch.fx.symbolic_trace(probed)
    assert graph.code == torch.fx.symbolic_trace(plain).code
    assert equal(graph(x), plain(x))
    for strict in (False, True):
        exported = torch.export.export(probed, (x,), strict=strict)
        assert exported.graph_module.code == torch.export.export(plain, (x,), strict=strict).graph_module.code
    probed(x)
    assert facts(probed)[3]["forwards"] >= 1


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing(reentrant):
    def program(prepare):
        class Deep(nn.Module):
            def __init__(self):
                super().__init__()
                self.inside = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.5))
                self.head = nn.Linear(4, 1)

            def forward(self, x):
                return self.head(checkpoint(self.inside, x, use_reentrant=reentrant))

        model = prepare(Deep())
        results = []
        for _ in range(3):
            x = torch.randn(5, 4, requires_grad=True)
            model(x).sum().backward()
            results.append([x.grad, *(p.grad.clone() for p in model.parameters())])
        if prepare is session.instrument:
            ir, trace, _, counters = facts(model)
            assert counters["forwards"] == 3
            assert len(trace.select(phase=Phase.FORWARD, subject="inside.0")) == 3
            assert {node.scope for node in ir.nodes if node.module} == {"", "inside"}
        return results

    assert_same(program)


def test_double_backward_and_retained_graphs():
    def program(prepare):
        model = prepare(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)))
        x = torch.randn(5, 4, requires_grad=True)
        out = model(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).pow(2).mean()
        (out.mean() + penalty).backward(retain_graph=True)
        out.sum().backward()
        return slope, [p.grad for p in model.parameters()], x.grad

    assert_same(program)


def test_autocast():
    def program(prepare):
        model = prepare(Net())
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(torch.randn(4, 1, 4, 4)), torch.randint(0, 3, (4,)))
            loss.backward()
            optimizer.step()
            losses.append(loss)
        if prepare is session.instrument:
            ir = facts(model)[0]
            assert ir.value("conv").dtype == "bfloat16"
        return losses, model.state_dict()

    assert_same(program)


def test_a_scaler_that_skips_a_step():
    def program(prepare):
        model = prepare(mlp())
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
        for step in range(5):
            optimizer.zero_grad()
            loss = model(torch.randn(4, 4)).pow(2).mean() * (float("inf") if step == 2 else 1.0)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        if prepare is session.instrument:
            _, trace, events, counters = facts(model)
            assert (counters["scaler_skips"], counters["optimizer_steps"]) == (1, 4)
            assert len(trace.select(phase=Phase.LOSS)) == 5
            assert [event["step"] for event in events if event["kind"] == "scaler_skip"] == [2]
        return model.state_dict(), scaler.get_scale()

    assert_same(program)


def test_accumulation():
    def program(prepare):
        model = prepare(mlp())
        optimizer = torch.optim.Adam(model.parameters())
        for batch in range(12):
            (model(torch.randn(4, 4)).pow(2).mean() / 6).backward()
            if batch % 6 == 5:
                optimizer.step()
                optimizer.zero_grad()
        return model.state_dict(), optimizer.state_dict()["state"]

    assert_same(program)


def test_a_closure():
    def program(prepare):
        model = prepare(nn.Linear(4, 2))
        optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=6, line_search_fn="strong_wolfe")
        x, y = torch.randn(9, 4), torch.randn(9, 2)
        losses = []
        for _ in range(3):

            def closure():
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                return loss

            losses.append(optimizer.step(closure))
        return losses, model.state_dict()

    assert_same(program)


def test_two_optimizers():
    def program(prepare):
        g, d = prepare(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3))), prepare(nn.Linear(3, 1))
        og, od = torch.optim.Adam(g.parameters(), 1e-2), torch.optim.SGD(d.parameters(), 0.1)
        for _ in range(4):
            fake = g(torch.randn(5, 2))
            od.zero_grad()
            (F.softplus(-d(torch.randn(5, 3))).mean() + F.softplus(d(fake.detach())).mean()).backward()
            od.step()
            og.zero_grad()
            F.softplus(-d(fake)).mean().backward()
            og.step()
        return g.state_dict(), d.state_dict(), og.state_dict()["state"]

    assert_same(program)


@pytest.mark.parametrize("style", ["data", "no_grad", "functional"])
def test_updates_by_hand(style):
    def program(prepare):
        model = prepare(nn.Linear(3, 1))
        for _ in range(4):
            model(torch.randn(5, 3)).pow(2).mean().backward()
            if style == "data":
                for p in model.parameters():
                    p.data -= 0.1 * p.grad
                model.zero_grad()
            elif style == "no_grad":
                with torch.no_grad():
                    for p in model.parameters():
                        p.sub_(p.grad, alpha=0.1)
                        p.grad = None
            else:
                with torch.no_grad():
                    for p in model.parameters():
                        p.copy_(p - 0.1 * p.grad)
                        p.grad.zero_()
        return model.state_dict()

    assert_same(program)


def test_sparse_gradients():
    def program(prepare):
        model = prepare(nn.Sequential(nn.Embedding(10, 3, sparse=True), nn.Linear(3, 1)))
        one = torch.optim.SparseAdam(model[0].parameters())
        two = torch.optim.SGD(model[1].parameters(), 0.1)
        for _ in range(3):
            one.zero_grad()
            two.zero_grad()
            model(torch.randint(0, 10, (4,))).sum().backward()
            one.step()
            two.step()
        return model.state_dict()

    assert_same(program)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_float_types(dtype):
    def program(prepare):
        model = prepare(mlp(dtype))
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(4):
            optimizer.zero_grad()
            model(torch.randn(4, 4, dtype=dtype)).pow(2).mean().backward()
            optimizer.step()
        model.double()
        optimizer.zero_grad()
        model(torch.randn(4, 4, dtype=torch.float64)).pow(2).mean().backward()
        for state in optimizer.state.values():
            state["momentum_buffer"] = state["momentum_buffer"].double()
        optimizer.step()
        return model.state_dict()

    assert_same(program)


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.full((4,), float(index)).square().add(torch.rand(4))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader(workers):
    def program(prepare):
        model = prepare(mlp())
        seen = []
        for _ in range(2):
            for batch in DataLoader(Squares(), batch_size=4, shuffle=True, num_workers=workers):
                model(batch).sum().backward()
                seen.append(batch)
        if prepare is session.instrument:
            ir, _, events, _ = facts(model)
            assert {node.name for node in ir.nodes} == {"0", "1", "2", "3", "sum"}
            assert sum(event["kind"] == "epoch" for event in events) == 2
        return seen, [p.grad for p in model.parameters()]

    assert_same(program)


def test_other_threads_run_beside():
    model = session.instrument(mlp().eval())
    x = torch.randn(3, 4)
    expected = model(x)
    results = []
    threads = [threading.Thread(target=lambda: results.append(model(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
        model(x)
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(equal(result, expected) for result in results)
    assert facts(model)[3]["forwards"] == 5


def test_a_deleted_model_is_collected():
    model = session.instrument(Net())
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    references = [weakref.ref(model), *(weakref.ref(p) for p in model.parameters())]
    del model, optimizer
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []
    assert torch._C._len_torch_function_stack() == 0
    assert not patches.active()


def live_tensors():
    gc.collect()
    return [id(found) for found in gc.get_objects() if isinstance(found, torch.Tensor)]


def test_no_tensor_outlives_its_step():
    model = session.instrument(Net())
    x = torch.randn(2, 1, 4, 4)
    counts = []
    for _ in range(4):
        out = model(x)
        loss = out.sum()
        references = [weakref.ref(out), weakref.ref(loss)]
        loss.backward()
        del out, loss
        assert [reference() for reference in references] == [None, None]
        counts.append(len(live_tensors()))
    assert counts[1] == counts[2] == counts[3]


def test_a_graph_that_is_dropped_without_backward_is_freed():
    model = session.instrument(Net())
    freed = []

    class Marker:
        pass

    class Keeps(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.marker = Marker()
            freed.append(weakref.ref(ctx.marker))
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    out = model.head(Keeps.apply(torch.randn(2, 8, requires_grad=True)))
    assert freed[0]() is not None
    del out
    gc.collect()
    assert freed[0]() is None


def test_checkpointing_keeps_no_activation_alive():
    model = session.instrument(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)))
    x = torch.randn(2, 4, requires_grad=True)
    kept = []
    model[1].register_forward_hook(lambda m, args, out: kept.append(out.untyped_storage()._weak_ref()))
    out = checkpoint(model, x, use_reentrant=False)
    gc.collect()
    assert torch.UntypedStorage._expired(kept[0])
    out.sum().backward()


def test_loading_weights_and_running_again():
    model = session.instrument(Net())
    state = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(2, 1, 4, 4)).sum().backward()
        optimizer.step()
    model.load_state_dict(state)
    assert equal(model.state_dict(), state)
    loader = DataLoader(TensorDataset(torch.randn(4, 1, 4, 4)), batch_size=2)
    for (x,) in loader:
        model(x)
    session.strip(model)
    session.instrument(model)
    model(torch.randn(2, 1, 4, 4))
    assert facts(model)[3]["forwards"] == 1
