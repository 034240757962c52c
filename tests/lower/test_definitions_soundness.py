"""An exact place found in the source is never a wrong one: compared with frames on awkward and on real programs."""

import functools
import textwrap

import pytest

from hypocenter.ir import frames
from hypocenter.lower.definitions import Definitions
from hypocenter.lower.fx.construction import ConstructionSites


def test_the_source_never_contradicts_the_frames(sample, load_sample, covers, named):
    with ConstructionSites() as sites:
        root = load_sample(sample).make()
    definitions = Definitions.of(root)
    wrong = {}
    for path, module in named(root):
        found, exact = definitions.site(path), sites.site_for(module, path, root)
        if found is not None and not (exact is not None and covers(found, exact)):
            wrong[path] = (found, exact)
    assert wrong == {}


AWKWARD = """
layers = [nn.Linear(4, n)]
also = layers
also.append(nn.Linear(n, 4))
return nn.Sequential(*layers)
---
layers = [nn.Linear(4, n)]
fill(layers, n)
return nn.Sequential(*layers)
---
net = nn.Sequential(nn.Linear(4, n))
same = net
same.append(nn.Linear(n, 4))
return net
---
net = nn.Sequential()
fill(net, n)
return net
---
return nn.Sequential(*given)
---
return nn.Sequential(*[make() for make in [lambda: nn.Linear(4, n), lambda: nn.Linear(n, 4)]])
---
return nn.Sequential(*(nn.Linear(4, n), nn.Linear(n, 4))[::-1])
---
layers = [nn.Linear(4, n), nn.Linear(n, 4)]
layers.reverse()
return nn.Sequential(*layers)
---
layers = [nn.Linear(4, n), nn.Linear(n, 4)]
layers[0], layers[1] = layers[1], layers[0]
return nn.Sequential(*layers)
---
layers = [nn.Linear(4, n), nn.Linear(n, 4)]
layers.pop(0)
layers.append(nn.Linear(n, n))
return nn.Sequential(*layers)
---
layers = [nn.Linear(4, n), nn.Linear(n, 4), nn.Linear(n, n)]
del layers[0]
return nn.Sequential(*layers)
---
net = nn.Sequential(nn.Linear(4, n), nn.Linear(n, 4), nn.Linear(n, n))
return net[1:]
---
net = nn.Sequential(nn.Linear(4, n), nn.Linear(n, 4))
net.insert(0, nn.Linear(n, n))
return net
---
net = nn.Sequential(nn.Linear(4, n), nn.Linear(n, 4))
net[-1] = nn.Linear(n, n)
return net
---
net = nn.Sequential(nn.Linear(4, n), nn.Linear(n, 4))
net.pop(0)
return net
---
def pick():
    return nn.Linear(n, n)
table = {'a': pick}
return nn.Sequential(table['a'](), table['a']())
---
a, b = (nn.Linear(4, n), nn.Linear(n, 4))[::-1]
return nn.Sequential(a, b)
---
d = OrderedDict()
d['x'] = nn.Linear(4, n)
d.move_to_end('x')
d['y'] = nn.Linear(n, 4)
return nn.Sequential(d)
---
import functools
make = functools.partial(nn.Linear, n)
return nn.Sequential(make(4), make(n))
---
try:
    net = nn.Sequential(nn.Linear(4, n), nn.Linear(1 // 0, 4))
except ZeroDivisionError:
    net = nn.Sequential(nn.Linear(4, n), nn.Linear(n, 4))
return net
---
layers = []
for i in range(2):
    layers.insert(0, nn.Linear(n, n))
    layers = layers + [nn.Linear(n, n)]
return nn.Sequential(*layers)
---
with torch.no_grad():
    layers = [nn.Linear(4, n)]
while len(layers) < 3:
    layers.append(nn.Linear(n, n))
return nn.Sequential(*layers)
---
from torch.nn import Linear
return nn.Sequential(Linear(4, n), torch.nn.Linear(n, 4))
"""


@pytest.mark.parametrize("body", [body.strip() for body in AWKWARD.split("---")])
def test_awkward_programs_never_get_a_wrong_exact_line(program, body):
    shared = """
def fill(layers, n):
    layers.append(nn.Linear(n, n))
    layers.append(nn.Linear(n, n))

given = [nn.Linear(4, 4), nn.Linear(4, 4)]
given.reverse()

"""
    answers = program(shared + "def build(n):\n" + textwrap.indent(body, "    ") + "\n\nmodel = build(4)\n")
    assert len(answers) > 1


@pytest.mark.parametrize("name", ["gpt2", "bert", "resnet"])
def test_real_model_code_never_gets_a_wrong_exact_line(name, monkeypatch, covers, named):
    import transformers

    owner_of_file = frames._owner_of_file.__wrapped__
    folder = f"/transformers/models/{name}/"
    mine = functools.cache(lambda file: frames.Owner.USER if folder in file else owner_of_file(file))
    monkeypatch.setattr(frames, "_owner_of_file", mine)
    monkeypatch.setattr(frames, "_owners", {})
    monkeypatch.setattr(frames, "_sites", {})
    config, model = {
        "gpt2": (transformers.GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=16), transformers.GPT2Model),
        "bert": (transformers.BertConfig(hidden_size=8, num_attention_heads=2, vocab_size=16), transformers.BertModel),
        "resnet": (transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[2, 2]), None),
    }[name]
    with ConstructionSites() as sites:
        root = (model or transformers.ResNetModel)(config)
    definitions = Definitions.of(root)
    parts = list(named(root))
    found = {path: definitions.site(path) for path, _ in parts}
    exact = {path: sites.site_for(part, path, root) for path, part in parts}
    assert all(site is None or covers(site, exact[path]) for path, site in found.items())
    assert sum(site == exact[path] for path, site in found.items()) > len(parts) / 2
