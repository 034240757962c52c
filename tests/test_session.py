"""The Python face: instrument, diagnose, strip, check and lower, on real models."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import hypocenter
from hypocenter.errors import BadInputError
from hypocenter.report.assembly import report_of
from hypocenter.watch import Watch


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def test_check_judges_a_forward_pass_and_leaves_no_trace() -> None:
    model = network()
    keys = set(model.__dict__)
    state = torch.random.get_rng_state()
    report = hypocenter.check(model, torch.randn(5, 4, generator=torch.Generator().manual_seed(1)))
    assert report.verdict == "healthy"
    assert report.program.ended == "not-run"
    assert report.coverage.probed == report.coverage.layers == 3
    assert report.findings == ()
    assert set(model.__dict__) == keys
    assert torch.equal(torch.random.get_rng_state(), state)


def test_check_finds_nan_in_the_outputs() -> None:
    model = network()
    with torch.no_grad():
        model[2].bias[0] = float("nan")
    report = hypocenter.check(model, torch.ones(5, 4))
    assert report.verdict == "faulty"
    assert report.findings[0].layer == "2"


def test_check_of_a_batch_that_does_not_fit_is_one_sentence() -> None:
    with pytest.raises(BadInputError, match="fails on this batch with RuntimeError"):
        hypocenter.check(network(), torch.ones(5, 3))


@pytest.mark.parametrize("thing", [None, 3, "model.pt", [1], torch.ones(2)])
def test_what_is_no_module_is_refused_with_its_type(thing: object) -> None:
    with pytest.raises(BadInputError, match=f"a {type(thing).__name__}, not a torch.nn.Module"):
        hypocenter.instrument(thing)


def test_diagnose_of_a_model_that_was_never_instrumented_says_what_to_do() -> None:
    with pytest.raises(BadInputError, match="never instrumented: call"):
        hypocenter.diagnose(network())


def test_a_model_can_be_instrumented_twice_and_again_after_strip() -> None:
    model = network()
    assert hypocenter.instrument(model) is model
    assert hypocenter.instrument(model) is model
    hypocenter.strip(model)
    hypocenter.strip(model)
    hypocenter.instrument(model)
    model(torch.ones(2, 4))
    assert hypocenter.diagnose(model).coverage.layers == 3
    hypocenter.strip(model)


def test_the_graph_of_a_model_names_its_lines() -> None:
    graph = hypocenter.lower(network(), torch.ones(2, 4))
    first = graph.node("0")
    assert first.op_type == "Linear"
    assert first.definition is not None
    assert first.definition.file == __file__
    assert "nn.Linear(4, 8)" in (first.definition.snippet or "")
    graph.verify()


def test_a_model_that_is_still_watched_has_not_stopped_early() -> None:
    model = hypocenter.instrument(network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(5, 4)).mean().backward()
        optimizer.step()
    report = hypocenter.diagnose(model, ignore="HC4")
    assert (report.program.ended, report.program.steps) == ("completed", 3)
    hypocenter.strip(model)


def test_the_program_is_known_although_its_run_folder_was_removed(tmp_path: Path) -> None:
    watch = Watch("train.py", [], tmp_path / "run", 1)
    shutil.rmtree(tmp_path / "run")
    watch.recorder.flush()
    watch.end("completed", None)
    report = report_of(watch.run())
    assert report.program.path == "train.py"
    assert report.run is None
