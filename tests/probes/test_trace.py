"""The trace: loading, selecting, one row per step, and thinning."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypocenter.errors import BadRunError
from hypocenter.probes import store
from hypocenter.probes.buffer import empty_row
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import INDEX, KEY_DTYPE, WIDTH, Phase
from hypocenter.probes.thinning import PROTECTED, Keeper, rows_to_keep
from hypocenter.probes.trace import Trace

SUBJECTS = ["fc1", "fc2", "fc1.weight"]


def make_trace(rows):
    """Trace of (step, call, subject, phase, training, {statistic: value}) rows."""
    keys = np.zeros(len(rows), KEY_DTYPE)
    values = np.tile(empty_row(), (len(rows), 1))
    for i, (step, call, subject, phase, training, figures) in enumerate(rows):
        keys[i] = (step, call, 0, SUBJECTS.index(subject), phase, training)
        for name, value in figures.items():
            values[i, INDEX[name]] = value
    return Trace(keys, values, list(SUBJECTS))


ROW = st.tuples(
    st.integers(0, 5),
    st.integers(0, 2),
    st.sampled_from(SUBJECTS),
    st.sampled_from([Phase.FORWARD, Phase.BACKWARD, Phase.WEIGHT]),
    st.booleans(),
    st.fixed_dictionaries({"sum": st.integers(-9, 9)}),
)


def optional(values):
    return st.none() | values


@settings(max_examples=200)
@given(
    st.lists(ROW, max_size=30),
    optional(st.sampled_from([Phase.FORWARD, Phase.WEIGHT, Phase.LOSS])),
    optional(st.sampled_from([*SUBJECTS, "unknown"])),
    optional(st.booleans()),
    optional(st.integers(-1, 6)),
)
def test_select_is_a_filter(rows, phase, subject, training, step):
    wanted = [
        row
        for row in sorted(rows, key=lambda row: row[0])
        if (phase is None or row[3] == phase)
        and (subject is None or row[2] == subject)
        and (training is None or row[4] == training)
        and (step is None or row[0] == step)
    ]
    table = make_trace(rows).select(phase=phase, subject=subject, training=training, step=step)
    found = zip(table.step, table.call, table.subject, table.phase, table.training, table["sum"], strict=True)
    assert [tuple(row) for row in found] == [(*row[:5], row[5]["sum"]) for row in wanted]


def test_columns_by_item_and_attribute():
    table = make_trace(
        [(0, 0, "fc1", 1, True, {"count": 6, "nan": 1, "posinf": 1, "neginf": 2, "sum": 4, "sumsq": 10, "max": 3})]
    ).select()
    assert table.nonfinite.tolist() == [4]
    assert table.finite.tolist() == [2]
    assert table.mean.tolist() == [2]
    assert table.rms == pytest.approx(np.sqrt(5))
    assert table.std == pytest.approx(1)
    assert table.norm == pytest.approx(np.sqrt(10))
    assert table.max.tolist() == table["max"].tolist() == [3]
    assert table.dead_units.dtype == np.float64
    assert len(table.where(table["max"] > 3)) == 0
    with pytest.raises(KeyError, match="'median' is not a column"):
        table["median"]
    with pytest.raises(AttributeError, match="median"):
        _ = table.median


def test_std_of_a_constant_and_mean_of_nothing():
    table = make_trace(
        [(0, 0, "fc1", 1, True, {"count": 3, "sum": 0.3, "sumsq": 0.03}), (1, 0, "fc1", 1, True, {})]
    ).select()
    assert table.std[0] == pytest.approx(0, abs=1e-8)
    assert np.isnan(table.mean[1])
    assert np.isnan(table.std[1])


def test_series_has_one_row_per_step():
    forward = {"count": 2, "nan": 1, "sum": 3, "min": -1, "max": 5, "units": 8, "dead_units": 2, "spread": 1}
    other = {"count": 4, "nan": 0, "sum": 5, "min": -2, "max": 4, "units": 8, "dead_units": 1, "spread": 3}
    trace = make_trace(
        [
            (0, 0, "fc1", Phase.FORWARD, True, forward),
            (0, 1, "fc1", Phase.FORWARD, True, other),
            (0, 2, "fc1", Phase.FORWARD, False, other),
            (1, 0, "fc2", Phase.FORWARD, True, other),
            (2, 0, "fc1", Phase.FORWARD, True, other),
        ]
    )
    steps, table = trace.series("fc1", Phase.FORWARD)
    assert steps.tolist() == table.step.tolist() == [0, 2]
    merged = {name: table[name][0] for name in forward}
    assert merged == {
        "count": 6, "nan": 1, "sum": 8, "min": -2, "max": 5, "units": 8, "dead_units": 1, "spread": 3
    }  # fmt: skip
    assert table["count"][1] == 4
    steps, table = trace.series("fc1", Phase.FORWARD, training=None)
    assert table["count"].tolist() == [10, 4]
    assert len(trace.series("unknown", Phase.FORWARD)[0]) == 0


@pytest.mark.parametrize("phase", [Phase.WEIGHT, Phase.GRADIENT, Phase.UPDATE, Phase.RATE])
def test_series_of_a_state_takes_the_last_row(phase):
    rows = [(0, 0, "fc1", phase, True, {"sum": 1}), (0, 1, "fc1", phase, True, {"sum": 2})]
    _, table = make_trace(rows).series("fc1", phase)
    assert table["sum"].tolist() == [2]


def test_loss_over_calls_is_its_mean():
    rows = [(0, i, "fc1", Phase.LOSS, True, {"sum": value, "count": 1}) for i, value in enumerate((1.0, 3.0))]
    _, table = make_trace(rows).series("fc1", Phase.LOSS)
    assert table.mean.tolist() == [2.0]


def test_steps_and_subjects():
    trace = make_trace(
        [(4, 0, "fc2", 1, True, {}), (4, 0, "fc1", 1, True, {}), (1, 0, "fc2", 1, True, {}), (1, 0, "fc1", 4, True, {})]
    )
    assert trace.steps.tolist() == [1, 4]
    assert trace.subjects_of(Phase.FORWARD) == ["fc2", "fc1"]
    assert trace.subjects_of(Phase.WEIGHT) == ["fc1"]
    assert trace.subjects_of(Phase.LOSS) == []


def test_an_empty_trace_answers():
    trace = Recorder(None).trace()
    assert len(trace) == len(trace.steps) == len(trace.select(phase=Phase.FORWARD)) == 0
    steps, table = trace.series("fc1", Phase.FORWARD)
    assert len(steps) == len(table.mean) == 0


def record(folder, rank, names, steps):
    recorder = Recorder(folder, rank=rank)
    for step in range(steps):
        recorder.begin(step, 0, True)
        for name in names:
            recorder.row(recorder.subject(name), Phase.FORWARD)[INDEX["sum"]] = step + 1000 * rank
    recorder.close()


def test_all_ranks_are_loaded_and_their_subjects_agree(tmp_path):
    record(tmp_path, 0, ["a", "b"], 3)
    record(tmp_path, 1, ["b", "c"], 3)
    trace = Trace.load(tmp_path)
    assert sorted(trace.subjects) == ["a", "b", "c"]
    table = trace.select(subject="b", step=2)
    assert table.rank.tolist() == [0, 1]
    assert table["sum"].tolist() == [2, 1002]


def test_a_damaged_segment_and_leftovers_are_left_out(tmp_path):
    record(tmp_path, 0, ["a"], 3)
    record(tmp_path, 1, ["a"], 3)
    torn = store.segment_path(tmp_path, 1, 0)
    torn.write_bytes(torn.read_bytes()[:-100])
    (tmp_path / "trace" / ".0-1.parquet.tmp").write_bytes(b"PAR1")
    trace = Trace.load(tmp_path)
    assert trace.select().rank.tolist() == [0, 0, 0]
    (warning,) = trace.warnings
    assert "1-0.parquet" in warning
    store.segment_path(tmp_path, 0, 0).write_bytes(b"")
    with pytest.raises(BadRunError, match="none of its 2 segments can be read"):
        Trace.load(tmp_path)


def test_loading_is_bounded(tmp_path):
    record(tmp_path, 0, ["a", "b"], 30_000)
    trace = Trace.load(tmp_path, max_rows=8_000)
    assert trace.thinned
    assert len(trace) <= 8_000
    assert trace.steps[:PROTECTED].tolist() == list(range(PROTECTED))
    assert trace.steps[-PROTECTED:].tolist() == list(range(30_000 - PROTECTED, 30_000))
    assert (trace.select(subject="a").step == trace.select(subject="b").step).all()
    assert not Trace.load(tmp_path).thinned


def keys_of(steps, calls=0, subjects=0):
    keys = np.zeros(len(steps), KEY_DTYPE)
    keys["step"], keys["call"], keys["subject"] = steps, calls, subjects
    return keys


def test_thinning_keeps_ends_onsets_and_an_even_sample():
    steps = np.repeat(np.arange(10_000), 3)
    keys = keys_of(steps, subjects=np.tile([0, 1, 2], 10_000))
    bad = (keys["subject"] == 1) & (keys["step"] >= 100)  # as a mask of -inf: from some step on always
    bad |= (keys["subject"] == 2) & (keys["step"] == 5_001)
    mask = rows_to_keep(keys, bad, 6_000)
    kept = np.unique(steps[mask])
    assert np.count_nonzero(mask) <= 6_000
    assert np.count_nonzero(mask) > 3_000
    assert set(range(256)) | set(range(10_000 - 256, 10_000)) | {5_001} <= set(kept.tolist())
    assert np.isin(steps, kept).sum() == np.count_nonzero(mask)  # whole steps
    middle = kept[(kept >= 256) & (kept < 9_744) & (kept != 5_001)]
    assert len(set(np.diff(middle).tolist())) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 400), st.integers(1, 40), st.integers(1, 40), st.integers(4, 500), st.integers(0, 3), st.randoms()
)
def test_thinning_never_exceeds_its_budget(steps, calls, rows, budget, bad_in_ten, random):
    keys = keys_of(
        np.repeat(np.arange(steps), calls * rows),
        np.tile(np.repeat(np.arange(calls), rows), steps),
        np.tile(np.arange(rows), steps * calls),
    )
    bad = np.random.default_rng(random.getrandbits(32)).random(len(keys)) < bad_in_ten / 10
    mask = rows_to_keep(keys, bad, budget)
    assert np.count_nonzero(mask) <= budget
    if len(keys) >= budget >= 4:
        assert mask[0]
        assert mask[-1]


def test_evaluations_of_one_step_are_thinned_by_groups_of_calls():
    keys = keys_of(np.zeros(100_000), calls=np.arange(100_000))
    mask = rows_to_keep(keys, np.zeros(100_000, bool), 20_000)
    calls = keys["call"][mask]
    assert calls[:4096].tolist() == list(range(4096))
    assert calls[-1] == 99_999
    assert 10_000 < len(calls) <= 20_000


@pytest.mark.parametrize("chunk", [1, 7, 1000, 5000])
def test_a_keeper_stays_within_its_limit(chunk):
    keeper = Keeper(2_000)
    for start in range(0, 20_000, chunk):
        keys = keys_of(np.arange(start, min(start + chunk, 20_000)))
        values = np.zeros((len(keys), WIDTH))
        values[:, INDEX["sum"]] = keys["step"]
        keeper.add(keys, values)
        assert len(keeper) <= 2_000
    assert keeper.thinned
    np.testing.assert_array_equal(keeper.values[:, INDEX["sum"]], keeper.keys["step"])  # rows moved whole
    assert (np.diff(keeper.keys["step"]) > 0).all()
    assert keeper.keys["step"][:256].tolist() == list(range(256))
