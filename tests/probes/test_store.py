"""Segments, run folders, and events on disk."""

import dataclasses
import enum
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypocenter.errors import BadRunError, StorageError
from hypocenter.probes import folders as run_folders
from hypocenter.probes import store
from hypocenter.probes.events import KEPT, EventMemory, append, decode, encode, last_of_kind, load_events, of_kind
from hypocenter.probes.schema import INDEX, KEY_DTYPE, KEYS, WIDTH


def some_rows(count, names=3):
    random = np.random.default_rng(count)
    keys = np.zeros(count, KEY_DTYPE)
    keys["step"] = np.arange(count) + 2**40
    keys["call"], keys["rank"], keys["phase"] = 70_000, 300, 8
    keys["subject"] = random.integers(0, names, count)
    keys["training"] = random.integers(0, 2, count)
    values = random.normal(size=(count, WIDTH))
    values[:, -1] = np.nan
    if count:
        values[0, :3] = np.inf, -np.inf, -0.0
    return keys, values


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_segment_reads_back_bit_by_bit(tmp_path, count):
    keys, values = some_rows(count)
    names = ["a", "ünïcode.0", "c"]
    path = tmp_path / "0-0.parquet"
    store.write_segment(path, keys, values, names)
    segment = store.read_segment(path)
    assert [segment.names[i] for i in segment.keys["subject"]] == [names[i] for i in keys["subject"]]
    for name in set(KEYS) - {"subject"}:
        np.testing.assert_array_equal(segment.keys[name], keys[name])
    assert segment.values.tobytes() == values.tobytes()
    assert [file.name for file in tmp_path.iterdir()] == ["0-0.parquet"]


def test_a_segment_opens_in_any_parquet_reader(tmp_path):
    keys, values = some_rows(10)
    store.write_segment(tmp_path / "0-0.parquet", keys, values, ["a", "b", "c"])
    table = pq.read_table(tmp_path / "0-0.parquet")
    assert set(table.column_names) == {*KEYS, *INDEX}
    assert set(table.column("subject").to_pylist()) <= {"a", "b", "c"}
    assert "dictionary" in str(table.schema.field("subject").type)


def test_rewriting_a_segment_replaces_it(tmp_path):
    path = tmp_path / "0-0.parquet"
    for count in (5, 9):
        store.write_segment(path, *some_rows(count), ["a", "b", "c"])
    assert len(store.read_segment(path).keys) == 9


def damaged(path, how):
    data = path.read_bytes()
    if how == "torn":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "garbage":
        path.write_bytes(b"\0" * 500)
    else:
        import pyarrow as pa

        pq.write_table(pa.table({"step": [1, 2]}), path)


@pytest.mark.parametrize("how", ["torn", "empty", "garbage", "another table"])
def test_a_damaged_segment_is_refused_in_one_sentence(tmp_path, how):
    path = tmp_path / "0-0.parquet"
    store.write_segment(path, *some_rows(100), ["a", "b", "c"])
    damaged(path, how)
    with pytest.raises(BadRunError, match=r"^The trace segment '.*0-0.parquet' cannot be read \(.+\)") as error:
        store.read_segment(path)
    assert "\n" not in str(error.value)


def test_segments_come_in_recording_order_without_temporary_files(tmp_path):
    (tmp_path / "trace").mkdir()
    for name in ("0-10.parquet", "1-2.parquet", "0-2.parquet", ".0-3.parquet.tmp", "notes.parquet"):
        (tmp_path / "trace" / name).touch()
    assert [path.name for _, _, path in run_folders.segments(tmp_path)] == [
        "0-2.parquet",
        "1-2.parquet",
        "0-10.parquet",
    ]
    assert run_folders.segments(tmp_path / "nowhere") == []


def test_run_folders_are_new_and_the_latest_is_found(tmp_path):
    base = tmp_path / "runs"
    folders = [run_folders.new_run_folder(base) for _ in range(20)]
    assert len(set(folders)) == 20
    for folder in folders:
        run_folders.make_writable(folder)
        append(folder, [encode({"kind": "epoch"})])
    assert run_folders.find_run(base) == folders[-1]
    assert run_folders.find_run(str(folders[3])) == folders[3]
    assert sorted(path.name for path in base.iterdir()) == sorted([*(f.name for f in folders), "latest"])


def test_without_a_pointer_the_latest_is_the_last_by_name(tmp_path):
    for name in ("20260102-000000-aaaa", "20260103-000000-0000"):
        run_folders.make_writable(tmp_path / name)
        append(tmp_path / name, [encode({"kind": "epoch"})])
    assert run_folders.find_run(tmp_path).name == "20260103-000000-0000"
    (tmp_path / "latest").write_text("20250101-removed")
    assert run_folders.find_run(tmp_path).name == "20260103-000000-0000"


def make_missing(path):
    return "There is no run folder", "run-missing"


def make_file(path):
    path.write_text("")
    return "is a file; give the run folder", "run-not-a-folder"


def make_empty(path):
    path.mkdir()
    return "is empty: nothing was recorded", "run-empty"


def make_begun(path):
    run_folders.make_writable(path)
    return "is empty: nothing was recorded", "run-empty"


def make_other(path):
    path.mkdir()
    (path / "train.py").write_text("")
    return "is not a run folder", "not-a-run"


@pytest.mark.parametrize("make", [make_missing, make_file, make_empty, make_begun, make_other])
def test_what_is_not_a_run_gets_a_sentence(tmp_path, make):
    path = tmp_path / "place"
    words, slug = make(path)
    with pytest.raises(BadRunError) as error:
        run_folders.find_run(path)
    assert words in str(error.value)
    assert repr(str(path)) in str(error.value)
    assert error.value.slug == slug


def test_a_run_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"Cannot make a run folder in '.*file/runs'"):
        run_folders.new_run_folder(tmp_path / "file" / "runs")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_encode_and_decode_are_inverse(data):
    assert decode(encode({"kind": "data", "data": data})) == {"kind": "data", "data": data}


@dataclasses.dataclass
class Point:
    x: float
    where: Path


class Color(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.inf]]), [[1.0, math.inf]]),
        (Path("a/b"), "a/b"),
        (Point(-math.inf, Path("c")), {"x": -math.inf, "where": "c"}),
        (Color.RED, "red"),
        ({1: {2}}, {"1": [2]}),
        (1j, "1j"),
        ("nan", "nan"),
    ],
)
def test_what_json_lacks_is_made_plain(value, expected):
    line = encode({"kind": "data", "value": value})
    assert "\n" not in line
    assert decode(line)["value"] == expected


def test_nan_reads_back_as_nan():
    assert math.isnan(decode(encode({"kind": "data", "value": math.nan}))["value"])


@pytest.fixture
def run(tmp_path):
    append(tmp_path, [encode({"kind": "epoch", "step": i, "time": 0.0, "epoch": i}) for i in range(5)])
    return tmp_path


def test_events_come_in_order(run):
    append(run, [encode({"kind": "end", "step": 9})])
    events = load_events(run)
    assert [event["step"] for event in events] == [0, 1, 2, 3, 4, 9]
    assert [event["epoch"] for event in of_kind(events, "epoch")] == [0, 1, 2, 3, 4]
    assert last_of_kind(events, "end") == {"kind": "end", "step": 9}
    assert last_of_kind(events, "loss") is None
    assert load_events(run / "nowhere") == []


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_torn_last_line_is_dropped_silently(run, cut):
    path = run / run_folders.EVENTS
    path.write_bytes(path.read_bytes()[:-cut])
    events = load_events(run)
    assert [event["kind"] for event in events] == ["epoch"] * len(events)
    assert len(events) == (5 if cut == 1 else 4)


def test_damaged_lines_are_counted(run):
    path = run / run_folders.EVENTS
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1], lines[3] = b"\xff\xfe{\n", b"[1]\n"
    path.write_bytes(b"".join(lines))
    events = load_events(run)
    assert [event["step"] for event in events] == [0, 2, 4, 4]
    assert events[-1]["kind"] == "warning"
    assert "2 damaged lines" in events[-1]["message"]


def test_events_that_are_no_events_at_all(tmp_path):
    (tmp_path / run_folders.EVENTS).write_bytes(b"\0\0\n\1\n")
    with pytest.raises(BadRunError, match="none of its 2 lines is an event"):
        load_events(tmp_path)
    (tmp_path / run_folders.EVENTS).unlink()
    (tmp_path / run_folders.EVENTS).mkdir()
    with pytest.raises(BadRunError, match="Is a directory"):
        load_events(tmp_path)


def test_event_memory_keeps_both_ends_of_each_kind():
    memory = EventMemory()
    memory.add({"kind": "program", "step": -1})
    for i in range(5 * KEPT):
        memory.add({"kind": "counters", "step": i})
    events = memory.all()
    assert [event["step"] for event in events] == [-1, *range(KEPT), *range(4 * KEPT, 5 * KEPT)]


def test_names_that_the_locale_could_not_decode(tmp_path):
    path = b"tr\xc3\xa4in.py".decode("ascii", "surrogateescape")
    append(tmp_path, [encode({"kind": "program", "path": path})])
    assert load_events(tmp_path)[0]["path"] == path
