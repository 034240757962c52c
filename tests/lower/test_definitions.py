"""Definition sites found in the source after the fact."""

import linecache
import subprocess
import sys

import pytest
import torch

from hypocenter.ir.site import Site
from hypocenter.lower.definitions import Definitions


def test_every_marked_site(sample, load_sample, expected_sites, covers):
    expected = expected_sites(sample)
    definitions = Definitions.of(load_sample(sample).make())
    wrong = []
    for path, entry in expected.items():
        found = definitions.site(path)
        right = {"exact": found == entry.site, "none": found is None}
        right["range"] = found is not None and found.column is None and covers(found, entry.site)
        if not right[entry.answer]:
            wrong.append((path, entry, found))
    assert wrong == []


def test_the_argument_of_the_call_tells_which_of_two_models_is_meant(program):
    two = """
        def instrument(model):
            global definitions
            definitions = Definitions.at(model, sys._getframe(1))
            return model

        def build(width):
            return nn.Sequential(nn.Linear(4, width), nn.ReLU())

        def main():
            other = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            {call}
            return net

        model = main()
    """
    assert program(two.format(call="pass")) == {"": "range", "0": "range", "1": "range"}
    assert program(two.format(call="instrument(net)")) == {"": "exact", "0": "exact", "1": "exact"}
    assert program(two.format(call="instrument(model=net)")) == {"": "exact", "0": "exact", "1": "exact"}


def test_a_model_that_is_handed_in_is_searched_by_its_class_and_children(program):
    text = """
        def instrument(model):
            global definitions
            definitions = Definitions.at(model, sys._getframe(1))
            return model

        def train(net):
            net = instrument(net)

        small = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        wide = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5))
        train(model)
    """
    assert set(program(text).values()) == {"exact"}


def test_a_model_that_is_handed_through_functions_is_followed(program):
    text = """
        def instrument(model):
            global definitions
            definitions = Definitions.at(model, sys._getframe(1))

        class Trainer:
            def fit(self, epochs, net):
                self.run(net, epochs)

            def run(self, net, epochs):
                instrument(net)

        other = nn.Sequential(nn.Linear(4, 4))
        model = nn.Sequential(nn.Linear(4, 4))
        Trainer().fit(3, net=model)
    """
    assert program(text) == {"": "exact", "0": "exact"}


def test_a_layer_that_is_replaced_from_outside_is_never_placed_in_the_class(program):
    text = """
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.fc = nn.Linear(n, n)
                self.head = nn.Linear(n, n)

        model = Net(4)
        model.head = nn.Linear(4, 4)
        for name in ["fc"]:
            setattr(model, name, nn.Linear(4, 4))
    """
    assert program(text) == {"": "exact", "fc": "range", "head": "range"}


def test_replacement_of_every_layer_of_a_kind(program):
    text = """
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.norm = nn.BatchNorm1d(n)

        def convert(net):
            for name, child in list(net.named_children()):
                setattr(net, name, nn.LayerNorm(4))

        model = Net(4)
        convert(model)
    """
    assert program(text) == {"": "exact", "norm": "exact"}


def test_library_model_with_a_new_head(program):
    text = """
        model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        model.linear2 = nn.Linear(16, 8)
    """
    assert program(text) == {
        "": "exact", "self_attn": "exact", "self_attn.out_proj": "exact", "linear1": "exact", "dropout": "exact",
        "linear2": "range", "norm1": "exact", "norm2": "exact", "dropout1": "exact", "dropout2": "exact",
    }  # fmt: skip


def test_subclass_of_a_library_model(program):
    text = """
        class Mine(nn.TransformerEncoderLayer):
            def __init__(self, n):
                super().__init__(n, 2, 16, batch_first=True)
                self.extra = nn.Linear(n, n)

        class Plain(nn.TransformerEncoderLayer):
            def forward(self, x):
                return x

        model = nn.Sequential(Mine(8), Plain(8, 2, 16))
    """
    answers = program(text)
    assert set(answers.values()) == {"exact"}
    assert {"0.linear1", "0.extra", "1.linear1"} <= set(answers)


def test_hugging_face_model_is_placed_at_the_users_call(program):
    text = """
        from transformers import BertConfig, BertModel

        class Classifier(nn.Module):
            def __init__(self, config):
                super().__init__()
                self.bert = BertModel(config)
                self.head = nn.Linear(config.hidden_size, 2)

        model = Classifier(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
                                      vocab_size=16, max_position_embeddings=8))
    """
    answers = program(text)
    assert set(answers.values()) == {"exact"}
    assert len(answers) > 20


NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
"""


def test_a_file_that_was_edited_since_gives_no_place(tmp_path, load_sample, header):
    file = tmp_path / "edited.py"
    file.write_text(header + NET)
    net = load_sample(file).Net()
    assert Definitions.of(net).site("fc") is not None
    file.write_text(header + "# a line more\n" + NET)
    linecache.checkcache(str(file))
    assert Definitions.of(net).site("fc") is None


def test_notebook_cells_are_read_from_the_line_cache():
    name = "/tmp/ipykernel_1/123.py"
    cell = "import torch.nn as nn" + NET + "model = Net()\ndefinitions = instrument(model)\n"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    namespace = {"__name__": "__main__", "instrument": lambda model: Definitions.at(model, sys._getframe(1))}
    exec(compile(cell, name, "exec"), namespace)
    definitions = namespace["definitions"]
    assert definitions.site("fc") == Site(name, 5, None, 19, 34)
    assert definitions.site("") == Site(name, 6, None, 9, 14)
    del linecache.cache[name]


def test_a_path_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        Definitions.of(torch.nn.Linear(1, 1)).site("weight")


def test_the_search_imports_no_framework_and_runs_nothing_of_the_users():
    command = "import sys, hypocenter.lower.definitions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
