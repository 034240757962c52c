"""Which step a row belongs to, and that its figures are those of the tensor at that moment."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypocenter import session
from hypocenter.probes.schema import Phase


def net():
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def batches(count, size=5):
    generator = torch.Generator().manual_seed(9)
    for _ in range(count):
        yield torch.randn(size, 4, generator=generator), torch.randint(0, 3, (size,), generator=generator)


def figures(tensor):
    x = tensor.detach().double()
    return {"count": x.numel(), "sum": x.sum().item(), "sumsq": x.square().sum().item(), "min": x.min().item(),
            "max": x.max().item(), "absmax": x.abs().max().item(), "zeros": (x == 0).sum().item()}  # fmt: skip


def assert_row(table, tensor):
    assert len(table) == 1
    rounding = 1e-7 * tensor.detach().abs().sum().item()  # sums add in float32 within a block
    for name, value in figures(tensor).items():
        np.testing.assert_allclose(table[name][0], value, rtol=1e-6, atol=rounding, err_msg=name)


def test_rows_equal_what_the_program_has(facts_of):
    model = session.instrument(net())
    twin = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    other = torch.optim.SGD(twin.parameters(), 0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    other_schedule = torch.optim.lr_scheduler.StepLR(other, 1, 0.5)
    for x, y in batches(4):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
    session.strip(model)
    expected = []
    for x, y in batches(4):
        step = {"weights": {n: p.detach().clone() for n, p in twin.named_parameters()}, "x": x}
        other.zero_grad()
        values = [x]
        for layer in twin:
            values.append(layer(values[-1]))
            values[-1].retain_grad()
        loss = F.cross_entropy(values[-1], y)
        loss.backward()
        step |= {"values": values[1:], "loss": loss.item(), "rate": other.param_groups[0]["lr"]}
        step["gradients"] = {n: p.grad.clone() for n, p in twin.named_parameters()}
        other.step()
        other_schedule.step()
        step["updates"] = {n: p.detach() - step["weights"][n] for n, p in twin.named_parameters()}
        expected.append(step)
    facts = facts_of(model)
    for number, step in enumerate(expected):
        for i, value in enumerate(step["values"]):
            assert_row(facts.rows(Phase.FORWARD, str(i), step=number), value)
            back = facts.rows(Phase.BACKWARD, str(i), step=number)
            assert_row(back, value.grad)
            if not isinstance(model[i], nn.Linear):  # relevance is that of layers
                assert np.isnan(back["relevance"][0])
                continue
            product = (value.grad * value).detach().double()
            np.testing.assert_allclose(back["relevance"][0], product.sum().item(), rtol=1e-5, atol=1e-8)
            np.testing.assert_allclose(back["abs_relevance"][0], product.abs().sum().item(), rtol=1e-5)
        for name, weights in step["weights"].items():
            assert_row(facts.rows(Phase.WEIGHT, name, step=number), weights)
            assert_row(facts.rows(Phase.GRADIENT, name, step=number), step["gradients"][name])
            assert_row(facts.rows(Phase.UPDATE, name, step=number), step["updates"][name])
        assert_row(facts.rows(Phase.INPUT, "input", step=number), step["x"])
        losses = facts.rows(Phase.LOSS, step=number)
        assert losses["sum"] == pytest.approx([step["loss"]])
        rates = facts.rows(Phase.RATE, "optimizer0.group0", step=number)
        assert rates["sum"] == pytest.approx([step["rate"]])
    assert facts.trace.steps.tolist() == [0, 1, 2, 3, 4]  # the weights that a fifth step would use
    assert facts.rows(Phase.FORWARD)["training"].all()


def test_the_loss_event_names_the_operation_and_the_line(facts_of):
    model = session.instrument(net())
    for x, y in batches(2):
        loss = F.cross_entropy(model(x), y)  # the loss
        loss.backward()  # the backward
    facts = facts_of(model)
    (event,) = facts.of_kind("loss")
    lines = open(__file__).read().splitlines()  # noqa: SIM115, PTH123 - a test's own source
    assert event["value"] == "cross_entropy"
    assert facts.ir.node(event["node"]).kind == "loss"
    assert event["op"] == facts.ir.node(event["node"]).op_type
    assert lines[event["site"]["line"] - 1].endswith("# the loss")
    assert lines[event["backward_site"]["line"] - 1].endswith("# the backward")
    site = event["site"]
    assert lines[site["line"] - 1][site["column"] - 1 : site["end_column"] - 1] == "F.cross_entropy(model(x), y)"
    assert event["site"]["role"] == "loss"


def test_data_events_of_inputs_and_targets(facts_of):
    model = session.instrument(net())
    for x, y in batches(5):
        F.cross_entropy(model(x), y).backward()
    data = facts_of(model).of_kind("data")
    assert [event["role"] for event in data] == ["input", "target"] * 3
    assert data[0]["encoding"] == "float"
    assert data[0]["shape"] == [5, 4]
    assert (data[1]["encoding"], data[1]["integer"], data[1]["dtype"]) == ("index", True, "int64")
    assert data[1]["max"] <= 2


def test_float_targets_have_rows(facts_of):
    model = session.instrument(net())
    y = torch.zeros(5, 3)
    y[:, 1] = 1
    for x, _ in batches(3):
        nn.MSELoss()(model(x), y.clone()).backward()
    facts = facts_of(model)
    events = [event for event in facts.of_kind("data") if event["role"] == "target"]
    assert events[0]["encoding"] == "one-hot"
    assert facts.rows(Phase.TARGET)["sum"].tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("reset", ["start", "end", "none", "by_hand"])
@pytest.mark.parametrize("micro", [1, 2, 6])
def test_accumulated_gradients(reset, micro, facts_of):
    model = session.instrument(net())
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(3):
        if reset == "start":
            optimizer.zero_grad()
        for x, y in batches(micro):
            (F.cross_entropy(model(x), y) / micro).backward()
        optimizer.step()
        if reset == "end":
            model.zero_grad()
        elif reset == "by_hand":
            for p in model.parameters():
                p.grad = None
    facts = facts_of(model)
    assert facts.counters["optimizer_steps"] == 3
    assert facts.counters["training_forwards"] == 3 * micro
    rows = facts.rows(Phase.FORWARD, "0")
    assert rows["step"].tolist() == [s for s in range(3) for _ in range(micro)]
    assert rows["call"].tolist() == list(range(micro)) * 3
    assert facts.rows(Phase.UPDATE, "0.weight")["step"].tolist() == [0, 1, 2]
    assert facts.rows(Phase.GRADIENT, "0.weight")["step"].tolist() == [0, 1, 2]
    stale = facts.of_kind("stale_gradient")
    assert len(stale) == (2 if reset == "none" else 0)
    if stale:
        assert [event["count"] for event in stale] == [1, 2]
        assert stale[0]["site"]["file"] == __file__


def test_gradients_reset_to_zero_in_place_are_not_stale(facts_of):
    model = session.instrument(net())
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in batches(3):
        optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert facts_of(model).of_kind("stale_gradient") == []


def test_two_models_in_turn_are_not_stale(facts_of):
    class Gan(nn.Module):
        def __init__(self):
            super().__init__()
            self.g = nn.Linear(2, 3)
            self.d = nn.Linear(3, 1)

        def forward(self, z):
            return self.d(self.g(z))

    gan = session.instrument(Gan())
    og, od = torch.optim.Adam(gan.g.parameters()), torch.optim.SGD(gan.d.parameters(), 0.1)
    for _ in range(4):
        z = torch.randn(5, 2)
        od.zero_grad()
        (F.softplus(-gan.d(torch.randn(5, 3))).mean() + F.softplus(gan(z)).mean()).backward()
        od.step()
        og.zero_grad()
        F.softplus(-gan(z)).mean().backward()
        og.step()
    facts = facts_of(gan)
    assert facts.of_kind("stale_gradient") == []
    assert facts.counters["optimizer_steps"] == 8
    assert len(facts.of_kind("loss")) == 2
    assert {event["class"] for event in facts.of_kind("optimizer")} == {"Adam", "SGD"}
    assert facts.rows(Phase.UPDATE, "g.weight")["step"].tolist() == [1, 3, 5, 7]
    assert facts.rows(Phase.UPDATE, "d.weight")["step"].tolist() == [0, 2, 4, 6]


def test_separately_observed_models_keep_apart(facts_of):
    g, d = session.instrument(nn.Linear(2, 3)), session.instrument(nn.Linear(3, 1))
    og, od = torch.optim.Adam(g.parameters()), torch.optim.SGD(d.parameters(), 0.1)
    for _ in range(2):
        fake = g(torch.randn(5, 2))
        od.zero_grad()
        F.softplus(d(fake.detach())).mean().backward()
        od.step()
        og.zero_grad()
        F.softplus(-d(fake)).mean().backward()
        og.step()
    for model, others in ((g, 2), (d, 0)):  # what the generator's values meet in the other model are strays to it
        facts = facts_of(model)
        assert {"weight", "bias"} <= facts.subjects(Phase.UPDATE)
        assert len(facts.subjects(Phase.UPDATE)) == 2 + others
        assert facts.counters["optimizer_steps"] == 4
        facts.ir.verify()


@pytest.mark.parametrize("style", ["data", "no_grad", "none"])
def test_training_without_an_optimizer(style, facts_of):
    model = session.instrument(net())
    before = []
    for x, y in batches(4):
        before.append(copy.deepcopy(model.state_dict()))
        F.cross_entropy(model(x), y).backward()
        if style == "data":
            for p in model.parameters():
                p.data -= 0.1 * p.grad
            model.zero_grad()
        elif style == "no_grad":
            with torch.no_grad():
                for p in model.parameters():
                    p.sub_(p.grad, alpha=0.1)
                    p.grad = None
    after = {**model.state_dict()}
    session.strip(model)
    facts = facts_of(model)
    states = [*before, after]
    assert facts.rows(Phase.FORWARD, "0")["step"].tolist() == [0, 1, 2, 3]
    assert facts.counters["manual_steps"] == (0 if style == "none" else 4)
    for step in range(4):
        assert_row(facts.rows(Phase.WEIGHT, "0.weight", step=step), states[step]["0.weight"])
        assert_row(
            facts.rows(Phase.UPDATE, "0.weight", step=step), states[step + 1]["0.weight"] - states[step]["0.weight"]
        )
        assert len(facts.rows(Phase.GRADIENT, "0.weight", step=step)) == 1
    outside = [node.name for node in facts.ir.nodes if node.module is None]
    assert outside == ["cross_entropy"]  # the updates are no operations of the model
    assert {info.name for info in facts.ir.inputs if info.kind == "parameter"} == set(after)


def test_a_step_that_is_never_taken(facts_of):
    model = session.instrument(net())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches(6):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
    facts = facts_of(model)
    assert facts.counters["optimizer_steps"] == facts.counters["manual_steps"] == 0
    assert facts.counters["backwards"] == 6
    assert len(set(facts.rows(Phase.FORWARD, "0")["step"])) == 6
    assert len(facts.of_kind("optimizer")) == 1


def test_evaluation_between_steps(facts_of):
    model = session.instrument(net())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches(3):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        model.eval()
        with torch.no_grad():
            model(x)
        model.train()
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            model(x)
        model.train()
    facts = facts_of(model)
    rows = facts.rows(Phase.FORWARD, "0")
    assert rows["step"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert rows["training"].tolist() == [True, False, False] * 3
    for phase in (Phase.LOSS, Phase.BACKWARD, Phase.GRADIENT, Phase.UPDATE, Phase.RATE):
        table = facts.rows(phase)
        assert set(table["step"]) == {0, 1, 2}, phase
        assert table["training"].all(), phase


def test_training_in_evaluation_mode(facts_of):
    """Fine-tuning with normalisation frozen by `eval()` is training all the same."""
    model = session.instrument(net().eval())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches(4):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    facts = facts_of(model)
    assert facts.rows(Phase.FORWARD, "0")["step"].tolist() == [0, 1, 2, 3]
    assert facts.rows(Phase.BACKWARD, "0")["training"].all()
    assert facts.counters["training_forwards"] >= 3


def test_closures(facts_of):
    model = session.instrument(nn.Linear(4, 2))
    x, y = torch.randn(9, 4), torch.randn(9, 2)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    facts = facts_of(model)
    assert facts.counters["optimizer_steps"] == 3
    assert facts.counters["backwards"] > 6
    assert set(facts.rows(Phase.FORWARD)["step"]) == {0, 1, 2}
    assert facts.rows(Phase.UPDATE, "weight")["step"].tolist() == [0, 1, 2]
    assert facts.rows(Phase.GRADIENT, "weight")["step"].tolist() == [0, 1, 2]
    (event,) = facts.of_kind("loss")
    assert event["value"] == "mse_loss"
    assert facts.of_kind("stale_gradient") == []


def test_the_gradient_of_a_closure_is_the_one_used(facts_of):
    model = session.instrument(nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    for x, _ in batches(3):

        def closure(x=x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure=closure)
        assert_row(facts_of(model).rows(Phase.GRADIENT, "weight", step=int(optimizer_steps(facts_of(model))) - 1),
                   model.weight.grad)  # fmt: skip


def optimizer_steps(facts):
    return facts.counters["optimizer_steps"]


def test_optimizer_events(facts_of):
    model = session.instrument(net())
    optimizer = torch.optim.AdamW(
        [{"params": model[0].parameters(), "lr": 1e-3}, {"params": [model[2].weight]}], lr=2e-3, weight_decay=0.1
    )
    for x, y in batches(2):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    facts = facts_of(model)
    (event,) = facts.of_kind("optimizer")
    assert event["class"] == "AdamW"
    assert [group["lr"] for group in event["groups"]] == [1e-3, 2e-3]
    assert event["groups"][1]["parameters"] == ["2.weight"]
    assert event["missing"] == ["2.bias"]
    assert event["site"]["file"] == __file__
    assert event["sites"]["weight_decay"]["file"] == __file__
    assert facts.rows(Phase.RATE, "optimizer0.group1")["sum"].tolist() == [2e-3, 2e-3]
    assert facts.rows(Phase.UPDATE, "2.bias")["step"].tolist() == []


def test_a_parameter_made_after_instrument_has_its_name_in_the_model(facts_of):
    model = session.instrument(net())
    model[2].weight = nn.Parameter(torch.zeros(3, 6))
    model.register_parameter("scale", nn.Parameter(torch.ones(())))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in batches(2):
        optimizer.zero_grad()
        F.cross_entropy(model(x) * model.scale, y).backward()
        optimizer.step()
    facts = facts_of(model)
    assert facts.subjects(Phase.UPDATE) == {name for name, _ in model.named_parameters()}
    assert_row(facts.rows(Phase.WEIGHT, "2.weight", step=2), model[2].weight)


def test_a_parameter_of_the_program_itself(facts_of):
    model = session.instrument(net())
    temperature = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([*model.parameters(), temperature], 0.1)
    for x, y in batches(2):
        optimizer.zero_grad()
        F.cross_entropy(model(x) / temperature, y).backward()
        optimizer.step()
    facts = facts_of(model)
    names = facts.subjects(Phase.UPDATE) - {name for name, _ in model.named_parameters()}
    assert len(names) == 1
    assert len(facts.rows(Phase.UPDATE, names.pop())) == 2


def test_every_other_step_is_guarded_only(facts_of):
    model = session.instrument(net(), every=5)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step, (x, y) in enumerate(batches(30)):
        optimizer.zero_grad()
        F.cross_entropy(model(x * (float("nan") if step == 23 else 1)), y).backward()
        if step != 23:
            optimizer.step()
        else:
            optimizer.zero_grad()
    facts = facts_of(model)
    full = {*range(10), 10, 15, 20, 25}
    rows = facts.rows(Phase.FORWARD, "0")
    assert full <= set(rows["step"])
    bad = rows["step"][rows["nan"] > 0]
    assert len(bad) == 1
    assert set(rows["step"]) - full <= {int(bad[0]), int(bad[0]) + 1}
    assert len(facts.rows(Phase.LOSS)) == 30  # the loss always


def test_shared_data_between_forward_and_a_change_in_place_has_no_relevance(facts_of):
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            x = self.fc(x)
            return F.relu_(x)

    model = session.instrument(Writes())
    out = model(torch.randn(3, 4))
    out.sum().backward()
    facts = facts_of(model)
    assert np.isnan(facts.rows(Phase.BACKWARD, "fc")["relevance"][0])


def test_relevance_of_a_layer_whose_output_stays_as_it_was(facts_of):
    model = session.instrument(nn.Sequential(nn.Linear(4, 4)))
    out = model(torch.randn(3, 4))
    out.sum().backward()
    relevance = facts_of(model).rows(Phase.BACKWARD, "0")["relevance"][0]
    assert relevance == pytest.approx(out.sum().item(), rel=1e-5)


def test_one_gradient_for_all_terms_of_a_sum_is_recorded_for_each(facts_of):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.three = nn.Tanh(), nn.Sigmoid(), nn.Tanh()

        def forward(self, x):
            return (self.one(x) + self.two(x)) * 2 + self.three(x)

    torch.manual_seed(0)
    x = torch.randn(64, 512, requires_grad=True)  # large enough to be remembered
    weight = torch.randn(64, 512)
    model = session.instrument(Sum())
    (model(x) * weight).sum().backward()
    facts = facts_of(model)
    for name, factor in (("one", 2.0), ("two", 2.0), ("add", 2.0), ("mul", 1.0), ("three", 1.0)):
        row = facts.rows(Phase.BACKWARD, name)
        np.testing.assert_allclose(row["sum"][0], factor * weight.double().sum().item(), rtol=1e-4)
        np.testing.assert_allclose(row["absmax"][0], factor * weight.abs().max().item(), rtol=1e-6)


class Autoencoder(nn.Module):
    """Used through methods of its own, not through forward."""

    def __init__(self):
        super().__init__()
        self.down = nn.Linear(4, 2)
        self.act = nn.ReLU()
        self.up = nn.Linear(2, 4)
        self.criterion = nn.MSELoss()

    def encode(self, x):
        return self.act(self.down(self.act(x)))

    def decode(self, z):
        return self.up(z)

    def forward(self, x):
        return self.decode(self.encode(x))


@pytest.mark.parametrize("direct", [False, True])
def test_models_used_through_other_methods(direct, facts_of):
    model = session.instrument(Autoencoder())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, _ in batches(3):
        optimizer.zero_grad()
        out = model.forward(x) if direct else model.decode(model.encode(x))
        model.criterion(out, torch.ones(5, 4)).backward()
        optimizer.step()
    with torch.no_grad():
        model.eval().encode(x)
    facts = facts_of(model)
    assert facts.rows(Phase.FORWARD, "down", training=True)["step"].tolist() == [0, 1, 2]
    assert facts.counters["training_forwards"] == 3
    assert facts.ir.outputs == ("up",)
    assert [event["role"] for event in facts.of_kind("data")][:2] == ["input", "target"]
    inside = {node.name for node in facts.ir.nodes} - facts.watch.live.builder.outside
    assert {"down", "act", "up"} <= inside
    (loss,) = facts.of_kind("loss")
    assert loss["value"] == "criterion"


def test_parts_of_a_model_with_and_without_gradients(facts_of):
    model = session.instrument(nn.ModuleDict({"body": nn.Linear(4, 6), "head": nn.Linear(6, 3)}))
    optimizer = torch.optim.SGD(model["head"].parameters(), 0.1)
    for x, y in batches(3):
        optimizer.zero_grad()
        with torch.no_grad():
            features = model["body"](x)
        F.cross_entropy(model["head"](features), y).backward()
        optimizer.step()
    facts = facts_of(model)
    assert facts.rows(Phase.BACKWARD, "head")["step"].tolist() == [0, 1, 2]
    assert facts.rows(Phase.FORWARD, "head")["training"].all()
    assert facts.ir.node("head").inputs == ("body",)
    assert facts.ir.outputs == ("head",)


def test_a_recurrent_state_carried_from_step_to_step(facts_of):
    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(4, 5, batch_first=True)
            self.head = nn.Linear(5, 3)

    model = session.instrument(Language())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    state = torch.zeros(1, 2, 5)
    for _ in range(4):
        optimizer.zero_grad()
        out, state = model.rnn(torch.randn(2, 3, 4), state.detach())
        model.head(out).square().mean().backward()
        optimizer.step()
    facts = facts_of(model)
    assert facts.rows(Phase.FORWARD, "rnn")["step"].tolist() == [0, 1, 2, 3]
    assert facts.counters["training_forwards"] == 4


def clip_data(model):
    for p in model.parameters():
        p.data.clamp_(-0.1, 0.1)


def clip_in_place(model):
    with torch.no_grad():
        for p in model.parameters():
            p.clamp_(-0.1, 0.1)


def load(model):
    model.load_state_dict({name: value * 0.5 for name, value in model.state_dict().items()})


def assign_data(model):
    for p in model.parameters():
        p.data = p.data * 0.5


@pytest.mark.parametrize("change", [clip_data, clip_in_place, load, assign_data], ids=lambda f: f.__name__)
def test_weights_changed_between_steps(change, facts_of):
    model = session.instrument(net())
    change(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    weights, updates = [], []
    for x, y in batches(3):
        weights.append({name: p.detach().clone() for name, p in model.named_parameters()})
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        updates.append({name: p.detach() - weights[-1][name] for name, p in model.named_parameters()})
        change(model)
    facts = facts_of(model)
    for step in range(3):
        for name, expected in weights[step].items():
            found, _ = facts.trace.series(name, Phase.WEIGHT, training=None)
            at = facts.trace.series(name, Phase.WEIGHT, training=None)[1]
            row = {key: at[key][list(found).index(step)] for key in ("sum", "absmax", "min")}
            assert row["absmax"] == pytest.approx(expected.abs().max().item(), rel=1e-6), (step, name)
            assert row["min"] == pytest.approx(expected.min().item(), rel=1e-6)
            assert_row(facts.rows(Phase.UPDATE, name, step=step), updates[step][name])
