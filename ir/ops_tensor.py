"""Op table, second half: arithmetic on tensors. Elementwise operations, reductions, products, movement."""

from collections.abc import Iterator
from math import pi

from hypocenter.ir.opspec import ONNX, TORCH, OpSpec, Row, rows

# Division of integers is true division in torch and truncates in ONNX; saving looks at the dtypes.
_ELEMENTWISE = """
Add: add
Sub: sub subtract
Mul: mul multiply
Div: div divide true_divide
Pow: pow float_power
Neg: neg negative
Log: log
Erf: erf
Reciprocal: reciprocal
Sin: sin
Tan: tan
Atan: atan arctan
Sinh: sinh
Asinh: asinh arcsinh
Acosh: acosh arccosh
Atanh: atanh arctanh
Floor: floor
Ceil: ceil
Round: round
Max: maximum
Min: minimum
Where: where
Equal: eq
Less: lt less
LessOrEqual: le less_equal
Greater: gt greater
GreaterOrEqual: ge greater_equal
And: logical_and
Or: logical_or
Xor: logical_xor
Not: logical_not
BitwiseAnd: bitwise_and
BitwiseOr: bitwise_or
BitwiseXor: bitwise_xor
BitwiseNot: bitwise_not
IsNaN: isnan
IsInf: isinf
"""

_BOUNDED: tuple[Row, ...] = (
    (OpSpec("Exp", ONNX, "elementwise", minimum=0.0), "exp"),
    (OpSpec("Sqrt", ONNX, "elementwise", minimum=0.0), "sqrt"),
    (OpSpec("Abs", ONNX, "elementwise", minimum=0.0), "abs absolute"),
    (OpSpec("Cos", ONNX, "elementwise", minimum=-1.0, maximum=1.0), "cos"),
    (OpSpec("Sign", ONNX, "elementwise", minimum=-1.0, maximum=1.0), "sign"),
    (OpSpec("Acos", ONNX, "elementwise", minimum=0.0, maximum=pi), "acos arccos"),
    (OpSpec("Asin", ONNX, "elementwise", minimum=-pi / 2, maximum=pi / 2), "asin arcsin"),
    (OpSpec("Cosh", ONNX, "elementwise", minimum=1.0), "cosh"),
    (OpSpec("Clip", ONNX, "elementwise"), "clamp clip"),
    (OpSpec("Expm1", TORCH, "elementwise", minimum=-1.0), "expm1"),
    (OpSpec("Exp2", TORCH, "elementwise", minimum=0.0), "exp2"),
    (OpSpec("Rsqrt", TORCH, "elementwise", minimum=0.0), "rsqrt"),
    (OpSpec("Square", TORCH, "elementwise", minimum=0.0), "square"),
)

# The R… operations are those of Python's reversed operators: `1 / x` is RDiv(x) with the argument 1.
_TORCH_ELEMENTWISE = """
RSub: rsub
RDiv: rdiv
RPow: rpow
RFloorDivide: rfloor_divide
RRemainder: rremainder
Log1p: log1p
Log2: log2
Log10: log10
Xlogy: xlogy
LogAddExp: logaddexp logaddexp2
Atan2: atan2 arctan2
Logit: logit
Erfc: erfc
Erfinv: erfinv
Digamma: digamma
Lgamma: lgamma
Hypot: hypot
Addcmul: addcmul
Addcdiv: addcdiv
Lerp: lerp
FloorDivide: floor_divide
Remainder: remainder
Fmod: fmod
Trunc: trunc fix
Frac: frac
Fmax: fmax
Fmin: fmin
Heaviside: heaviside
NotEqual: ne not_equal
IsFinite: isfinite
MaskedFill: masked_fill
MaskedScatter: masked_scatter
NanToNum: nan_to_num
Copysign: copysign
ShiftLeft: bitwise_left_shift
ShiftRight: bitwise_right_shift
Positive: positive
ClampMin: clamp_min
ClampMax: clamp_max
Real: real
Imag: imag
Angle: angle
"""

_REDUCTIONS = """
ReduceMean: mean
ReduceSum: sum
ReduceProd: prod
ReduceMax: amax
ReduceMin: amin
ReduceLogSumExp: logsumexp
Det: det
"""

# `max` and `min` are torch's: with a dimension they also give indices, with two tensors they are elementwise.
_TORCH_REDUCTIONS = """
ReduceMax: max
ReduceMin: min
ArgMax: argmax
ArgMin: argmin
Var: var
Std: std
VarMean: var_mean
StdMean: std_mean
Norm: norm vector_norm matrix_norm
Median: median nanmedian
Quantile: quantile nanquantile
Mode: mode
NanMean: nanmean
NanSum: nansum
Any: any
All: all
CountNonzero: count_nonzero
Trace: trace
CumSum: cumsum
CumProd: cumprod
CumMax: cummax
LogCumSumExp: logcumsumexp
AMinMax: aminmax
CosineSimilarity: cosine_similarity CosineSimilarity
PairwiseDistance: pairwise_distance PairwiseDistance
Cdist: cdist
"""

_MATMUL = """
MatMul: matmul mm bmm
Einsum: einsum
"""

_TORCH_MATMUL = """
AddMM: addmm
BAddBMM: baddbmm
AddBMM: addbmm
AddMV: addmv
RMatMul: rmatmul
MV: mv
Dot: dot inner vdot
Outer: outer ger
TensorDot: tensordot
Kron: kron
MatrixPower: matrix_power
"""

# The same values as the input: another shape, order, place, selection, dtype.
_MOVEMENT = """
View: view view_as
Reshape: reshape reshape_as
Flatten: flatten ravel Flatten
Unflatten: unflatten Unflatten
Swap: transpose swapaxes swapdims t adjoint
Permute: permute
MoveDim: movedim moveaxis
Squeeze: squeeze
Unsqueeze: unsqueeze
Expand: expand expand_as broadcast_to
Repeat: repeat tile
RepeatInterleave: repeat_interleave
GetItem: getitem
Narrow: narrow
Select: select
IndexSelect: index_select
Gather: gather take take_along_dim
Chunk: chunk
Split: split tensor_split split_with_sizes
Unbind: unbind
Diagonal: diagonal
Flip: flip fliplr flipud
Roll: roll
Rot90: rot90
Unfold: unfold Unfold
PixelShuffle: pixel_shuffle PixelShuffle
PixelUnshuffle: pixel_unshuffle PixelUnshuffle
ChannelShuffle: channel_shuffle ChannelShuffle
Contiguous: contiguous
Clone: clone
Detach: detach
Alias: alias requires_grad
To: to type type_as float double half bfloat16 cuda cpu
"""

_OTHER = """
Concat: cat concat concatenate
"""

_TORCH_OTHER = """
Stack: stack hstack vstack dstack column_stack
Pad: pad constant_pad_nd ConstantPad1d ConstantPad2d ConstantPad3d ZeroPad1d ZeroPad2d ZeroPad3d
ReflectionPad: ReflectionPad1d ReflectionPad2d ReflectionPad3d
ReplicationPad: ReplicationPad1d ReplicationPad2d ReplicationPad3d
Tril: tril
Triu: triu
Fold: fold Fold
Scatter: scatter scatter_add scatter_reduce
IndexAdd: index_add
IndexCopy: index_copy
IndexPut: index_put
IndexFill: index_fill
SetItem: setitem
MaskedSelect: masked_select
TopK: topk
Sort: sort
ArgSort: argsort
OneHot: one_hot
NonZero: nonzero
Copy: copy
Fill: fill
Zero: zero
Inverse: inverse
Cholesky: cholesky
Bernoulli: bernoulli
Multinomial: multinomial
"""


def tensor_rows() -> Iterator[Row]:
    """All rows of this half."""
    yield from rows("elementwise", ONNX, _ELEMENTWISE)
    yield from _BOUNDED
    yield from rows("elementwise", TORCH, _TORCH_ELEMENTWISE)
    yield from rows("reduction", ONNX, _REDUCTIONS)
    yield from rows("reduction", TORCH, _TORCH_REDUCTIONS)
    yield from rows("matmul", ONNX, _MATMUL)
    yield from rows("matmul", TORCH, _TORCH_MATMUL)
    yield OpSpec("Identity", ONNX, "movement"), "Identity"
    yield from rows("movement", TORCH, _MOVEMENT)
    yield from rows("other", ONNX, _OTHER)
    yield from rows("other", TORCH, _TORCH_OTHER)
