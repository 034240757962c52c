"""What holds for every graph: random ones are saved, loaded, probed, stripped, verified, checked by onnx."""

import tempfile
from pathlib import Path

import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from hypocenter.errors import BadInputError
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.optable import spec, table
from hypocenter.ir.site import Site
from hypocenter.ir.storage import from_proto, to_proto
from hypocenter.rewrite.insert import Insert, insert
from hypocenter.rewrite.plan import Decision, Plan, plan
from hypocenter.rewrite.strip import strip

unhurried = settings(deadline=None, max_examples=60)  # the machine may be busy

DTYPES = st.sampled_from(["float32", "float16", "bfloat16", "float64", "int64", "bool", "complex64", "quint8", None])
SHAPES = st.none() | st.lists(st.none() | st.integers(0, 2**40), max_size=5).map(tuple)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SITES = st.none() | st.builds(
    Site, file=st.text(max_size=8), line=st.integers(1, 999), column=st.none() | st.integers(1, 99),
    snippet=st.none() | st.text(max_size=20), library=st.booleans(),
)  # fmt: skip
SETTINGS = st.sampled_from(
    [
        "dim", "kernel_size", "stride", "padding", "eps", "approximate", "args", "inplace", "negative_slope",
        "equation", "normalized_shape", "num_groups", "groups", "is_causal",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
OPERATIONS = st.sampled_from([*sorted(table()), "no_such_operation"])


@st.composite
def graphs(draw):
    ir = IR(draw(TEXTS) or "main")
    values = []
    for kind in draw(st.lists(st.sampled_from(["input", "parameter", "buffer", "constant", "target"]), max_size=5)):
        values.append(ir.unique_name(draw(TEXTS) or "in"))
        ir.add_input(values[-1], shape=draw(SHAPES), dtype=draw(DTYPES), kind=kind)
    parameters = [info.name for info in ir.inputs if info.kind == "parameter"]
    for _ in range(draw(st.integers(0, 8))):
        row = spec(draw(OPERATIONS))
        names = [ir.unique_name(draw(TEXTS) or "node")]
        names += [f"{names[0]}:{i}" for i in range(1, draw(st.integers(1, 3)))]
        outputs = [ValueInfo(ir.unique_name(name), draw(SHAPES), draw(DTYPES)) for name in names]
        sources = st.lists(st.sampled_from([None, *values]), max_size=4)
        ir.add_node(
            names[0], row.op_type, domain=row.domain, scope=draw(TEXTS), kind=row.kind, inputs=draw(sources),
            outputs=outputs, definition=draw(SITES), call=draw(SITES), user=draw(SITES),
            attributes=draw(st.dictionaries(SETTINGS, JSON, max_size=3)), module=draw(st.none() | TEXTS),
            parameters=draw(st.lists(st.sampled_from(parameters), max_size=2)) if parameters else [],
        )  # fmt: skip
        values += [info.name for info in outputs]
    for name in draw(st.lists(st.sampled_from(values), max_size=3)) if values else []:
        ir.mark_output(name)
    ir.facts = draw(st.dictionaries(st.text(max_size=3), JSON, max_size=2))
    return ir


def loaded_or_slug(path):
    """The graph, or the slug of the one error that a file may cause."""
    try:
        return IR.load(path), None
    except BadInputError as error:
        return None, error.slug


def every_value(ir):
    """A plan that the rules would not make: probes everywhere, also on parameters and on what is no tensor."""
    names = [info.name for info in ir.inputs] + [value for layer in ir.nodes for value in layer.outputs]
    return Plan(tuple(Decision(name, True, "test") for name in names))


@unhurried
@given(graphs())
def test_save_and_load_are_inverse(ir):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ir.onnx"
        ir.save(path)
        loaded = IR.load(path)
    assert loaded == ir
    assert loaded.to_text() == ir.to_text()


@unhurried
@given(graphs())
def test_onnx_accepts_what_is_saved(ir):
    for graph in (ir, insert(ir)):
        proto = to_proto(graph)
        onnx.checker.check_model(proto)
        assert from_proto(IR, proto) == graph


@unhurried
@given(graphs(), st.data())
def test_a_damaged_file_is_one_error(ir, data):
    content = bytearray(to_proto(ir).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ir.onnx"
        path.write_bytes(content)
        loaded, slug = loaded_or_slug(path)
    # Otherwise the damage hit a text or a number, and the graph is another one.
    assert slug == "graph-damaged" or isinstance(loaded, IR)


@unhurried
@given(graphs())
def test_strip_undoes_insert(ir):
    before = ir.copy()
    for decisions in (None, every_value(ir)):
        assert strip(insert(ir, decisions)) == ir
    assert ir == before


@unhurried
@given(graphs())
def test_the_verifier_holds_after_every_pass(ir):
    ir.verify()
    for decisions in (plan(ir), every_value(ir)):
        result = Insert(decisions)(ir)
        result.ir.verify()
        strip(result.ir).verify()
        assert [edit.action for edit in result.edits].count("insert") == len(decisions.values)


@unhurried
@given(graphs())
def test_every_reader_of_a_probed_value_is_its_probe(ir):
    probed = insert(ir)
    for value in plan(ir).values:
        readers = [layer.kind for layer in probed.consumers(value) if value in layer.inputs]
        assert readers == ["probe"]


@unhurried
@given(graphs(), SHAPES)
def test_widening_only_loses_what_differs(ir, shape):
    for info in ir.inputs:
        widened = ir.widen(info.name, shape)
        assert ir.widen(info.name, shape) == widened
        assert ir.value(info.name) == widened
        if info.shape is not None and shape is not None and len(shape) == len(info.shape):
            assert widened.shape == tuple(a if a == b else None for a, b in zip(info.shape, shape, strict=True))
        else:
            assert widened.shape is None
    ir.verify()
