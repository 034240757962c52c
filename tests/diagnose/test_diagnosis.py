import re

import numpy as np
import pytest

from hypocenter.diagnose.diagnosis import diagnose, judge
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.rule import Rule
from hypocenter.diagnose.run import Run
from hypocenter.errors import BadInputError, BadRunError
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import Phase


class Broken(Rule):
    """A rule with a bug."""

    code, name, fault, severity, summary = "HC801", "broken", "unknown", "error", "Breaks."

    def check(self, facts):
        raise KeyError("gone")


class Alarm(Rule):
    """A rule that always warns."""

    code, name, fault, severity, summary = "HC701", "alarm", "unknown", "warning", "Warns."

    def check(self, facts):
        yield Finding(self.code, self.name, "warning", "unknown", 0.5, None, "static", None, "Warned.")


def train(scene, steps=3):
    scene.input("x")
    scene.linear("fc", "x")
    scene.node("loss", "mean", ["fc"], kind="loss")
    scene.optimizer()
    for step in range(steps):
        scene.at(step)
        scene.see(Phase.INPUT, x=np.ones(4))
        scene.forward(fc=np.ones(4))
        scene.loss(1.0)
    scene.event("counters", forwards=steps, backwards=steps, optimizer_steps=steps)


def test_a_rule_that_fails_is_a_note_and_the_others_are_applied(scene):
    train(scene)
    diagnosis = judge(scene.facts(), [Broken(), Alarm()])
    assert [each.rule for each in diagnosis.findings] == ["HC701", "HC903"]
    note = diagnosis.findings[1]
    assert note.severity == "note"
    assert note.message == "HC801 broken could not judge this run: KeyError: 'gone'"
    assert note.evidence["rule"] == "HC801"
    assert diagnosis.verdict == "suspect"


def test_select_and_ignore(scene):
    train(scene)
    kept = judge(scene.facts(), [Alarm()], select=["hc7"])
    assert [each.rule for each in kept.findings] == ["HC701"]
    left = judge(scene.facts(), [Alarm()], ignore=["HC701"])
    assert left.findings == ()
    assert [each.rule for each in left.suppressed] == ["HC701"]
    assert left.verdict == "healthy"


def test_an_unknown_code_is_refused(scene):
    with pytest.raises(BadInputError, match="no rule 'HCX'"):
        diagnose(scene.run(), select=["HCX"])


def test_nothing_recorded(scene):
    diagnosis = scene.diagnose()
    assert diagnosis.verdict == "undecided"
    assert "Nothing was recorded" in diagnosis.undecided_reason


def test_never_trained(scene):
    scene.input("x")
    scene.node("fc", "Linear", ["x"], kind="layer")
    scene.at(0, training=False)
    scene.forward(fc=np.ones(4))
    scene.event("counters", forwards=1, backwards=0, optimizer_steps=0)
    diagnosis = scene.diagnose()
    assert diagnosis.verdict == "undecided"
    assert [each.rule for each in diagnosis.findings] == ["HC901"]
    assert "never trained" in diagnosis.undecided_reason


def test_healthy(scene):
    train(scene)
    diagnosis = scene.diagnose(select=["HC1", "HC9"])
    assert diagnosis.verdict == "healthy"
    assert diagnosis.findings == ()
    assert diagnosis.undecided_reason is None


def test_unprobed_layers_are_a_note(scene):
    train(scene)
    reasons = ["scripted", "scripted", "compiled", "scripted"]
    unprobed = [{"layer": f"l{i}", "reason": reason} for i, reason in enumerate(reasons)]
    scene.event("coverage", layers=8, probed=4, unprobed=unprobed)
    (note,) = scene.find("HC902")
    assert note.severity == "note"
    assert note.message == "4 of 8 layers were not observed: 3 because scripted; 1 because compiled."
    assert note.evidence["unprobed"] == ["l0", "l1", "l2", "l3"]


def test_comparisons_need_no_probe(scene):
    train(scene)
    reason = "its output is torch.bool, not a floating-point tensor"
    scene.event("coverage", layers=2, probed=1, unprobed=[{"layer": "gt", "reason": reason}])
    assert scene.find("HC902") == []


def test_a_stored_run_reads_back(scene, tmp_path):
    recorder = Recorder(tmp_path)
    recorder.begin(3, 0, True)
    recorder.scalar(recorder.subject("loss"), Phase.LOSS, 2.5)
    recorder.event("optimizer", id=0, **{"class": "Adam"}, groups=[{"lr": 0.1}], missing=[], site=None, sites={})
    recorder.close()
    train(scene)
    scene.ir.save(tmp_path / "ir.onnx")
    run = Run.load(tmp_path)
    assert run.ir == scene.ir
    assert [event["kind"] for event in run.events] == ["optimizer"]
    assert run.trace.select(phase=Phase.LOSS)["sum"].tolist() == [2.5]
    assert diagnose(run, select=["HC1"]).verdict == "healthy"


def test_a_run_without_a_graph_is_judged(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.event("program", path="train.py", frameworks=["torch"])
    recorder.close()
    diagnosis = diagnose(Run.load(tmp_path))
    assert diagnosis.verdict == "undecided"
    assert "killed before a forward pass" in diagnosis.undecided_reason
    assert not [each for each in diagnosis.findings if each.rule == "HC903"]


def test_no_run(tmp_path):
    with pytest.raises(BadRunError, match="no run folder"):
        Run.load(tmp_path / "none")
    with pytest.raises(BadRunError, match="no recorded run"):
        Run.load(tmp_path)


def test_a_run_that_lost_its_events_or_its_trace_is_not_judged(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.begin(0, 0, True)
    recorder.scalar(recorder.subject("loss"), Phase.LOSS, 2.5)
    recorder.event("counters", forwards=1, backwards=1, optimizer_steps=1)
    recorder.close()
    assert diagnose(Run.load(tmp_path)).undecided_reason.startswith("The graph of the model is missing")
    for segment in (tmp_path / "trace").iterdir():
        segment.unlink()
    with pytest.raises(BadRunError, match="nothing of its trace"):
        Run.load(tmp_path)
    (tmp_path / "events.jsonl").write_bytes(b"")
    (tmp_path / "ir.onnx").write_bytes(b"")
    with pytest.raises(BadRunError, match=r"events\.jsonl is gone or empty"):
        Run.load(tmp_path)


@pytest.mark.parametrize(
    ("frameworks", "exception", "said"),
    [
        ([], "ModuleNotFoundError: No module named 'torch'", r"pip install 'hypocenter\[torch\]'"),
        ([], None, "did not import PyTorch"),
        (["torch"], None, "no model was called"),
    ],
)
def test_why_nothing_was_recorded(scene, frameworks, exception, said):
    scene.event("program", path="train.py", frameworks=frameworks)
    scene.event("end", ended="raised" if exception else "completed", exception=exception)
    assert re.search(said, scene.diagnose().undecided_reason)
