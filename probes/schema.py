"""What a trace row holds: one row per probed tensor, step and phase.

A *subject* is the name of an IR value (a layer's output such as `fc1` or `lstm:1`, a model input), of a
parameter (`fc1.weight`), of a target, of the loss value, or of a learning rate (`optimizer0.group0`).
"""

from enum import IntEnum
from typing import Final

import numpy as np

from hypocenter.kernels.figures import STATISTICS


class Phase(IntEnum):
    """What the row's tensor is at that moment of training."""

    INPUT = 0  # a tensor that the user passes to the model
    FORWARD = 1  # an output of a layer or operation
    LOSS = 2  # the scalar on which backward is called; its value stands in `sum`
    BACKWARD = 3  # the gradient of the loss with respect to a FORWARD or INPUT value of the same subject
    WEIGHT = 4  # a parameter as used by the forward pass of this step
    GRADIENT = 5  # a parameter's gradient just before the optimizer's step
    UPDATE = 6  # parameter after the step minus parameter before it
    TARGET = 7  # a floating-point target passed to the loss; integer targets are described by an event
    RATE = 8  # a learning rate; its value stands in `sum`


#: Further figures of a row; NaN where the row does not have them.
EXTRAS: Final = (
    "units",  # channels or features of a layer that has units
    "dead_units",  # units whose every value in this tensor is zero (or at the lower bound 0)
    "saturated_units",  # units whose every value in this tensor is at or beyond a bound
    "relevance",  # BACKWARD: sum of gradient * activation
    "abs_relevance",  # BACKWARD: sum of |gradient * activation|
    "spread",  # model outputs: largest over features of (max - min over the batch); 0 when all samples are alike
)

#: Columns that say which tensor the row is about.
KEYS: Final = ("step", "call", "rank", "subject", "phase", "training")

#: Index of each statistic or extra in the float64 vector of a row.
INDEX: Final = {name: i for i, name in enumerate((*STATISTICS, *EXTRAS))}

#: Keys of a row in the recorder's buffer.
KEY_DTYPE: Final = np.dtype(
    [
        ("step", np.int64),  # training steps completed before this row, from 0
        ("call", np.int32),  # which top-level forward pass of the step, from 0 (gradient accumulation, evaluation)
        ("rank", np.int16),  # process of a distributed run
        ("subject", np.int32),  # index into the names of subjects
        ("phase", np.int8),
        ("training", np.bool_),  # gradients were recorded and the model was in training mode
    ]
)
WIDTH: Final = len(INDEX)
