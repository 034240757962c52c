"""What users call: watch a model or a script, and diagnose what was seen.

Nothing heavy is imported before it is needed: a script that `hypocenter run` starts may still set what numpy and its
libraries read when they are loaded (`OMP_NUM_THREADS`).
"""

import sys
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypocenter.config import Options
from hypocenter.errors import BadInputError, MissingExtraError
from hypocenter.runner import Outcome, Target
from hypocenter.script import ScriptSession

if TYPE_CHECKING:
    from hypocenter.ir.graph import IR
    from hypocenter.report.model import Report
    from hypocenter.watch import Watch

Model = TypeVar("Model")


@dataclass(slots=True)
class _Watched:
    """A model that was instrumented, and what watches it; kept after `strip`, so that it can still be diagnosed."""

    model: "weakref.ref[Any]"
    watch: "Watch"
    finalizer: Any = field(default=None)


_watched: dict[int, _Watched] = {}


def instrument(model: Model, *, run: str | Path | None = None, every: int = 1) -> Model:
    """Put a probe after every layer of a model, in place, forward and backward.

    The model is used as before: outputs, gradients, random numbers, `state_dict`, pickling and copies are the same.
    Losses and optimizers are watched too. `diagnose(model)` says what was seen, `strip(model)` takes the probes out.

    Args:
        model: A PyTorch module.
        run: Folder to record to; None keeps a bounded record in memory.
        every: Measure everything every so many steps; on the others look for NaN and infinities only.

    Returns:
        The same object.

    Raises:
        BadInputError: Not a model that can be probed, or a bad option.
        MissingExtraError: The model's framework is not installed.
        StorageError: The run folder cannot be written.
    """
    _require_module(model)
    known = _find(model)
    if known is not None and known.watch.running:
        return model
    from hypocenter.watch import Watch

    watch = Watch.of_model(model, sys._getframe(1), None if run is None else Path(run), every)
    watched = _Watched(weakref.ref(model), watch)
    watched.finalizer = weakref.finalize(model, _forget, id(model), watch)
    watched.finalizer.atexit = run is not None
    _watched[id(model)] = watched
    watch.start(model)
    return model


def strip(model: Model) -> Model:
    """Take the probes out again; a model without probes is returned as it is. What was recorded can be diagnosed."""
    known = _find(model)
    if known is not None and known.watch.running:
        known.watch.stop(model)
    return model


def diagnose(
    model_or_run: Any, *, select: str | Sequence[str] | None = None, ignore: str | Sequence[str] | None = None
) -> "Report":
    """Say what went wrong in a run: the layer, the kind of fault, the source line, the fix.

    Args:
        model_or_run: An instrumented model (also after `strip`), or the path of a run folder.
        select: Rule codes or their beginnings (`HC3`) to apply; None for all.
        ignore: Rule codes or their beginnings not to apply.

    Raises:
        BadInputError: The model was never instrumented, or a code names no rule.
        BadRunError: There is no run there, or it cannot be read.
    """
    from hypocenter.diagnose.run import Run
    from hypocenter.probes.folders import find_run
    from hypocenter.report.assembly import report_of

    running = False
    if isinstance(model_or_run, str | Path):
        run = Run.load(find_run(model_or_run))
    else:
        known = _find(model_or_run)
        if known is None:
            kind = type(model_or_run).__name__
            message = f"This {kind} was never instrumented: call hypocenter.instrument(model) before it trains."
            raise BadInputError(message, slug="not-instrumented")
        run, running = known.watch.run(), known.watch.running
    return report_of(run, select=_codes(select), ignore=_codes(ignore), running=running)


def check(model: Any, *batch: Any) -> "Report":
    """Run a model once on a batch, as it stands, and report what its layers do with it.

    Buffers and random states are put back; nothing is trained, so rules about training do not apply.

    Args:
        model: A PyTorch module.
        batch: Its positional inputs; a single mapping stands for keyword arguments.

    Raises:
        BadInputError: Not a model, or its forward fails on this batch.
    """
    _require_module(model)
    from hypocenter.lower.fx.live import call, undisturbed
    from hypocenter.report.assembly import report_of_check
    from hypocenter.watch import Watch

    watch = Watch.of_model(model, sys._getframe(1), None, 1)

    watch.start(model)
    try:
        with undisturbed(model):
            call(model, batch[0] if len(batch) == 1 and isinstance(batch[0], Mapping) else batch)
    except Exception as error:
        message = f"The model fails on this batch with {type(error).__name__}: {error}"
        raise BadInputError(message, slug="forward-failed") from error
    finally:
        watch.stop(model)
    return report_of_check(watch.run())


def lower(model: Any, example_inputs: Any) -> "IR":
    """The graph of a model: a node for each layer and each operation between layers, with shapes and source lines.

    Args:
        model: A PyTorch module. It runs once in its present mode; buffers and random states are put back.
        example_inputs: A tensor, a tuple of positional, or a mapping of keyword arguments.

    Raises:
        BadInputError: Not a model, or its forward fails on these inputs.
        MissingExtraError: The model's framework is not installed.
    """
    _require_module(model)
    from hypocenter.watch import Watch

    return Watch.lowered(model, sys._getframe(1), example_inputs)


def run_script(target: Target | str, args: Sequence[str], options: Options) -> "tuple[Report | None, Outcome]":
    """Run a training script under observation and report on it.

    Args:
        target: The script or module.
        args: Its own arguments.
        options: How to watch and report.

    Returns:
        The report, also when the script failed, and how the script ended.

    Raises:
        BadInputError: There is no such script, or it does not parse.
        StorageError: The run folder cannot be made.
    """
    return ScriptSession(target, args, options).run_script()


def check_path(path: str, options: Options) -> "Report":
    """Check a saved model.

    Raises:
        BadInputError: Always, in this version: saved models cannot be checked yet.
    """
    del options
    message = f"{path!r} cannot be checked: this version judges training scripts; use `hypocenter run train.py`."
    raise BadInputError(message, slug="check-unsupported")


def _codes(given: str | Sequence[str] | None) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given or ()


def _require_module(model: Any) -> None:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__}
    if "torch.nn.modules.module.Module" in names:
        return
    if any(name.startswith(("keras.", "tf_keras.", "tensorflow.")) for name in names):
        message = "This is a Keras model; this version probes PyTorch modules."
        raise BadInputError(message, slug="keras-unsupported")
    if "torch" not in sys.modules:
        try:
            from hypocenter.lower.fx import live  # noqa: F401  # only to see whether torch is there
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "PyTorch is not installed: pip install 'hypocenter[torch]'.", slug="no-torch"
            ) from error
    message = f"{model!r:.80} is a {type(model).__name__}, not a torch.nn.Module: give the model itself."
    raise BadInputError(message, slug="not-a-module")


def _find(model: Any) -> _Watched | None:
    known = _watched.get(id(model))
    return known if known is not None and known.model() is model else None


def _forget(key: int, watch: "Watch") -> None:
    """The model is gone: stop what watched it."""
    _watched.pop(key, None)
    if watch.running:
        watch.stop(None)


__all__ = ["check", "check_path", "diagnose", "instrument", "lower", "run_script", "strip"]
