"""Definition sites from the frames that construct modules."""

import copy
import gc
import inspect
import io
import pickle
import sys

import pytest
import torch
from torch import nn

from hypocenter.ir.frames import site_of
from hypocenter.lower.fx.construction import ConstructionSites


@pytest.fixture
def sites():
    with ConstructionSites() as recording:
        yield recording


@pytest.fixture(autouse=True)
def nothing_is_left_patched():
    before = dict(nn.Module.__dict__)
    yield
    assert dict(nn.Module.__dict__) == before


def here():
    return site_of(sys._getframe(1), "definition").line


def test_every_marked_site(sample, sites, load_sample, expected_sites):
    expected = expected_sites(sample)
    root = load_sample(sample).make()
    found = {path: sites.site_for(root.get_submodule(path), path, root) for path in expected}
    assert found == {path: entry.site for path, entry in expected.items()}
    assert len(expected) >= 6


def test_helpers_are_listed_with_their_callers(sites):
    def inner():
        return nn.Linear(1, 1), here()

    def middle():
        return inner(), here()

    def outer():
        return middle(), here()

    ((linear, first), second), third = outer()
    chain = sites.chain(linear)
    assert [site.line for site in chain] == [first, second, third]
    assert {site.file for site in chain} == {__file__}


def test_chain_ends_at_a_constructor(sites):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([self._one() for _ in range(2)])
            self.line = here() - 1

        def _one(self):
            self.inner = here() + 1
            return nn.Linear(2, 2)

    net = Net()
    chain = sites.chain(net.layers[1])
    assert [site.line for site in chain] == [net.inner, net.line]


def test_modules_made_before_are_unknown_and_their_children_too():
    net = nn.Sequential(nn.Linear(2, 2))
    with ConstructionSites() as sites:
        assert sites.site_for(net[0], "0", net) is None
        assert sites.chain(net) == ()
        net.append(nn.ReLU())
        assert sites.site_for(net[1], "1", net) is not None


def test_deep_copies_have_the_place_of_their_original(sites):
    original = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    clone = copy.deepcopy(original)
    for path in ("", "0", "1"):
        assert sites.chain(clone.get_submodule(path)) == sites.chain(original.get_submodule(path)) != ()


def test_deep_copy_of_an_unknown_module_is_placed_at_the_copy():
    original = nn.Linear(2, 2)
    with ConstructionSites() as sites:
        clone = copy.deepcopy(original)
        line = here() - 1
    (site, *_) = sites.chain(clone)
    assert site.line == line


def test_a_loaded_module_is_placed_at_the_line_that_loads_it(sites):
    buffer = io.BytesIO()
    torch.save(nn.Sequential(nn.Linear(2, 2)), buffer)
    buffer.seek(0)
    net = torch.load(buffer, weights_only=False)
    line = here() - 1
    assert [sites.site_for(m, p, net).line for p, m in net.named_modules()] == [line, line]


def test_an_exception_in_a_constructor_passes_and_leaves_nothing(sites):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)
            raise ValueError("mine")

    before = len(sites)
    with pytest.raises(ValueError, match="mine"):
        Broken()
    gc.collect()
    assert len(sites) == before
    with pytest.raises(TypeError, match="unexpected keyword"):
        nn.Module(nonsense=1)


def test_records_live_as_long_as_their_modules(sites):
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(20)])
    assert len(sites) == 21
    del net
    gc.collect()
    assert len(sites) == 0


def test_methods_are_put_back_exactly():
    before = {name: nn.Module.__dict__[name] for name in ("__init__", "__setstate__")}
    sites = ConstructionSites()
    with sites:
        assert all(nn.Module.__dict__[name] is not before[name] for name in before)
        assert sites.active
    with pytest.raises(TypeError), sites:
        nn.Module(nonsense=1)
    assert not sites.active
    assert {name: nn.Module.__dict__[name] for name in before} == before
    sites.uninstall()
    sites.install()
    sites.install()
    sites.uninstall()
    assert {name: nn.Module.__dict__[name] for name in before} == before


def test_two_recordings_at_once():
    with ConstructionSites() as outer:
        with ConstructionSites() as inner:
            both = nn.Linear(1, 1)
        one = nn.Linear(1, 1)
    assert inner.chain(both) == outer.chain(both) != ()
    assert inner.chain(one) == ()
    assert outer.chain(one) != ()


def test_somebody_elses_patch_on_top_survives_and_ours_falls_silent(monkeypatch):
    monkeypatch.setattr(nn.Module, "__init__", nn.Module.__init__)  # puts the original back at the end
    sites = ConstructionSites()
    sites.install()
    ours = nn.Module.__init__

    def theirs(self, *args, **kwargs):
        ours(self, *args, **kwargs)

    nn.Module.__init__ = theirs
    seen = nn.Linear(1, 1)
    line = here() - 1
    sites.uninstall()
    assert nn.Module.__dict__["__init__"] is theirs
    unseen = nn.Linear(1, 1)
    assert [site.line for site in sites.chain(seen)][:1] == [line]
    assert sites.chain(unseen) == ()


def test_no_observer_effect():
    def build():
        torch.manual_seed(3)
        net = nn.Sequential(
            nn.Linear(4, 4), nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)
        )
        return net, torch.get_rng_state()

    plain, plain_rng = build()
    with ConstructionSites():
        watched, watched_rng = build()
    assert torch.equal(plain_rng, watched_rng)
    assert list(watched.state_dict()) == list(plain.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True))
    for one, other in zip(plain.modules(), watched.modules(), strict=True):
        assert set(vars(one)) == set(vars(other))
    assert len(pickle.dumps(plain)) == len(pickle.dumps(watched))


def test_signature_of_the_patched_constructor_is_unchanged():
    before = inspect.signature(nn.Module.__init__)
    with ConstructionSites():
        assert inspect.signature(nn.Module.__init__) == before
