"""hypocenter's frames, and the detours that torch takes because of them, are not in a program's tracebacks."""

import sys
import traceback
import types

import pytest
import torch

from hypocenter import tracebacks
from hypocenter.tracebacks import clean


@pytest.fixture
def own(monkeypatch):
    """A module that counts as hypocenter's, with a call-through and a function mode."""
    monkeypatch.delenv(tracebacks.DEBUG_VARIABLE, raising=False)
    module = types.ModuleType("hypocenter.stand_in")
    source = """
import torch
def through(call, *args):
    return call(*args)
class Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return through(func, *args)
def fail():
    raise ValueError("ours")
"""
    exec(source, module.__dict__)
    return module


def caught(call, *args):
    try:
        call(*args)
    except Exception as error:  # noqa: BLE001  # the test looks at whatever it was
        return error
    raise AssertionError("nothing was raised")


def names(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def divide():
    return 1 / 0


def test_frames_in_the_middle_and_at_the_end(own):
    error = caught(own.through, divide)
    assert names(error) == ["caught", "through", "divide"]
    clean(error)
    assert names(error) == ["caught", "divide"]
    error = caught(own.fail)
    clean(error)
    assert names(error) == ["caught"]


def test_nothing_but_own_frames(own):
    error = caught(own.fail)
    error.__traceback__ = error.__traceback__.tb_next
    clean(error)
    assert error.__traceback__ is None


def test_causes_contexts_and_groups(own):
    def chain():
        try:
            own.through(divide)
        except ZeroDivisionError as error:
            raise ExceptionGroup("g", [caught(own.fail), KeyError()]) from error

    error = caught(chain)
    error.__cause__.__context__ = error  # a cycle must end
    clean(error)
    shown = "".join(traceback.format_exception(error))
    assert "in through" not in shown
    assert "in fail" not in shown
    assert "ours" in shown


def test_the_debug_variable_keeps_them(own, monkeypatch):
    monkeypatch.setenv(tracebacks.DEBUG_VARIABLE, "1")
    error = caught(own.fail)
    clean(error)
    assert names(error) == ["caught", "fail"]


def wrong_shapes():
    return torch.nn.functional.cross_entropy(torch.zeros(2, 3), torch.zeros(4, dtype=torch.long))


def wrong_sum():
    return torch.zeros(2) + torch.zeros(3)


@pytest.mark.parametrize("program", [wrong_shapes, wrong_sum])
def test_the_detour_through_a_torch_function_mode(own, program):
    plain = caught(program)
    with own.Mode():
        watched = caught(program)
    assert "__torch_function__" in names(watched)
    clean(watched)
    assert traceback.format_exception(watched) == traceback.format_exception(plain)
    assert sys.exc_info() == (None, None, None)
