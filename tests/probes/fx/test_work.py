"""A bug of ours must not end the user's training: it is told, and the program goes on."""

import pytest
import torch

from hypocenter import session
from hypocenter.probes.fx import work
from hypocenter.probes.fx.meter import Meter


def train(model: torch.nn.Module, steps: int) -> list[float]:
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(torch.ones(4, 3)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(work.STRICT, raising=False)


def broken(*_: object) -> bool:
    raise ZeroDivisionError("a bug of ours")


def test_a_failing_probe_is_told_and_training_goes_on(lenient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    plain = train(torch.nn.Linear(3, 2), 4)
    torch.manual_seed(1)
    model = session.instrument(torch.nn.Linear(3, 2))
    monkeypatch.setattr(Meter, "value", broken)
    assert train(model, 4) == plain
    session.strip(model)
    report = session.diagnose(model)
    told = [finding.message for finding in report.findings if finding.rule == "HC904"]
    assert len(told) == 1
    assert "a bug of ours" in told[0]
    assert "in broken" in told[0]


def test_observing_is_given_up_after_many_failures(lenient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing(*_: object) -> bool:
        calls.append(1)
        return broken()

    model = session.instrument(torch.nn.Linear(3, 2))
    monkeypatch.setattr(Meter, "value", failing)
    train(model, 50)
    session.strip(model)
    assert len(calls) == work.MAX_FAILURES
    told = " ".join(finding.message for finding in session.diagnose(model).findings if finding.rule == "HC904")
    assert "given up" in told


def test_in_tests_a_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    model = session.instrument(torch.nn.Linear(3, 2))
    monkeypatch.setattr(Meter, "value", broken)
    with pytest.raises(ZeroDivisionError):
        train(model, 1)
    session.strip(model)
