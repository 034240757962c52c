"""Op table, first half: what networks are composed of. Layers, activations, normalisation, pooling, losses."""

from collections.abc import Iterator

from hypocenter.ir.opspec import (
    LOG_HIGH,
    ONNX,
    SATURATED_SLOPE,
    SELU_END,
    SIGMOID_HIGH,
    SOFTSIGN_HIGH,
    TANH_HIGH,
    TORCH,
    OpSpec,
    Row,
    rows,
)

# Smallest outputs of activations that dip below zero, found by setting the derivative to zero numerically.
_GELU_MINIMUM = -0.17
_SILU_MINIMUM = -0.2785
_MISH_MINIMUM = -0.3089

_ACTIVATIONS: tuple[Row, ...] = (
    (OpSpec("Relu", ONNX, "activation", low=0.0, minimum=0.0), "relu ReLU"),
    (OpSpec("Relu6", TORCH, "activation", low=0.0, high=6.0, minimum=0.0, maximum=6.0), "relu6 ReLU6"),
    (OpSpec("LeakyRelu", ONNX, "activation"), "leaky_relu LeakyReLU"),
    (OpSpec("RRelu", TORCH, "activation"), "rrelu RReLU"),
    (OpSpec("PRelu", TORCH, "activation"), "prelu PReLU"),
    (
        OpSpec("Sigmoid", ONNX, "activation", low=1 - SIGMOID_HIGH, high=SIGMOID_HIGH, minimum=0.0, maximum=1.0),
        "sigmoid Sigmoid expit",
    ),
    (OpSpec("Tanh", ONNX, "activation", low=-TANH_HIGH, high=TANH_HIGH, minimum=-1.0, maximum=1.0), "tanh Tanh"),
    (OpSpec("Softmax", ONNX, "activation", high=SIGMOID_HIGH, minimum=0.0, maximum=1.0), "softmax Softmax"),
    (OpSpec("Softmax2d", TORCH, "activation", high=SIGMOID_HIGH, minimum=0.0, maximum=1.0), "Softmax2d"),
    (OpSpec("Softmin", TORCH, "activation", high=SIGMOID_HIGH, minimum=0.0, maximum=1.0), "softmin Softmin"),
    (OpSpec("LogSoftmax", ONNX, "activation", high=LOG_HIGH, maximum=0.0), "log_softmax LogSoftmax"),
    (OpSpec("LogSigmoid", TORCH, "activation", high=LOG_HIGH, maximum=0.0), "logsigmoid LogSigmoid"),
    (OpSpec("GumbelSoftmax", TORCH, "activation", minimum=0.0, maximum=1.0), "gumbel_softmax"),
    (OpSpec("Elu", ONNX, "activation", low=SATURATED_SLOPE - 1, minimum=-1.0), "elu ELU"),
    (OpSpec("Celu", ONNX, "activation", low=SATURATED_SLOPE - 1, minimum=-1.0), "celu CELU"),
    (OpSpec("Selu", ONNX, "activation", low=SATURATED_SLOPE - SELU_END, minimum=-SELU_END), "selu SELU"),
    (OpSpec("Gelu", ONNX, "activation", minimum=_GELU_MINIMUM), "gelu GELU"),
    (OpSpec("Silu", TORCH, "activation", minimum=_SILU_MINIMUM), "silu SiLU"),
    (OpSpec("Mish", ONNX, "activation", minimum=_MISH_MINIMUM), "mish Mish"),
    (OpSpec("HardSwish", ONNX, "activation", minimum=-0.375), "hardswish Hardswish"),
    (
        OpSpec("HardSigmoid", ONNX, "activation", low=0.0, high=1.0, minimum=0.0, maximum=1.0),
        "hardsigmoid Hardsigmoid",
    ),
    (OpSpec("HardTanh", TORCH, "activation", low=-1.0, high=1.0), "hardtanh Hardtanh"),
    (OpSpec("Softplus", ONNX, "activation", low=-LOG_HIGH, minimum=0.0), "softplus Softplus"),
    (
        OpSpec("Softsign", ONNX, "activation", low=-SOFTSIGN_HIGH, high=SOFTSIGN_HIGH, minimum=-1.0, maximum=1.0),
        "softsign Softsign",
    ),
    (OpSpec("Hardshrink", TORCH, "activation"), "hardshrink Hardshrink"),
    (OpSpec("Softshrink", TORCH, "activation"), "softshrink Softshrink"),
    (OpSpec("Tanhshrink", TORCH, "activation"), "tanhshrink Tanhshrink"),
    (OpSpec("Threshold", TORCH, "activation"), "threshold Threshold"),
    (OpSpec("Glu", TORCH, "activation"), "glu GLU"),
)

_LAYERS: tuple[Row, ...] = (
    (OpSpec("Linear", TORCH, "layer", unit_axis=-1), "linear Linear LazyLinear"),
    (OpSpec("Bilinear", TORCH, "layer", unit_axis=-1), "bilinear Bilinear"),
    (OpSpec("Conv", ONNX, "layer", unit_axis=1), "conv1d conv2d conv3d Conv1d Conv2d Conv3d"),
    (OpSpec("Conv", TORCH, "layer", unit_axis=1), "LazyConv1d LazyConv2d LazyConv3d"),
    (
        OpSpec("ConvTranspose", ONNX, "layer", unit_axis=1),
        "conv_transpose1d conv_transpose2d conv_transpose3d ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    ),
    (OpSpec("Embedding", TORCH, "embedding", unit_axis=-1), "embedding Embedding"),
    (OpSpec("EmbeddingBag", TORCH, "embedding", unit_axis=-1), "embedding_bag EmbeddingBag"),
    # Outputs of these cells are a tanh, or a tanh times or mixed with a gate in (0, 1).
    *(
        (OpSpec(op, TORCH, "recurrent", -TANH_HIGH, TANH_HIGH, -1, -1.0, 1.0), f"{op} {op}Cell {op.lower()}")
        for op in ("LSTM", "GRU")
    ),
    # The nonlinearity of an RNN may be ReLU, so that there is no bound for all.
    (OpSpec("RNN", TORCH, "recurrent", unit_axis=-1), "RNN RNNCell rnn_tanh rnn_relu"),
    (OpSpec("Attention", ONNX, "attention"), "scaled_dot_product_attention"),
    (OpSpec("MultiheadAttention", TORCH, "attention", unit_axis=-1), "MultiheadAttention multi_head_attention_forward"),
)

_NORMALIZATION: tuple[Row, ...] = (
    (
        OpSpec("BatchNormalization", ONNX, "normalization", unit_axis=1),
        "batch_norm BatchNorm1d BatchNorm2d BatchNorm3d",
    ),
    (OpSpec("BatchNormalization", TORCH, "normalization", unit_axis=1), "SyncBatchNorm"),
    (OpSpec("LayerNormalization", ONNX, "normalization", unit_axis=-1), "layer_norm LayerNorm"),
    (OpSpec("GroupNormalization", ONNX, "normalization", unit_axis=1), "group_norm GroupNorm"),
    (
        OpSpec("InstanceNormalization", ONNX, "normalization", unit_axis=1),
        "instance_norm InstanceNorm1d InstanceNorm2d InstanceNorm3d",
    ),
    (OpSpec("RMSNormalization", ONNX, "normalization", unit_axis=-1), "rms_norm RMSNorm"),
    (OpSpec("LocalResponseNorm", TORCH, "normalization"), "local_response_norm LocalResponseNorm"),
    (OpSpec("Normalize", TORCH, "normalization", minimum=-1.0, maximum=1.0), "normalize"),
)

_POOLING = """
MaxPool: max_pool1d max_pool2d max_pool3d MaxPool1d MaxPool2d MaxPool3d
AveragePool: avg_pool1d avg_pool2d avg_pool3d AvgPool1d AvgPool2d AvgPool3d
"""

_TORCH_POOLING = """
MaxPoolWithIndices: max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
AdaptiveAveragePool: adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
AdaptiveMaxPool: adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
LpPool: lp_pool1d lp_pool2d lp_pool3d LPPool1d LPPool2d LPPool3d
FractionalMaxPool: fractional_max_pool2d fractional_max_pool3d FractionalMaxPool2d FractionalMaxPool3d
MaxUnpool: max_unpool1d max_unpool2d max_unpool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d
Interpolate: interpolate upsample Upsample UpsamplingNearest2d UpsamplingBilinear2d
GridSample: grid_sample
"""  # noqa: E501  # one operation, one line

_REGULARIZATION = """
Dropout1d: dropout1d Dropout1d
Dropout2d: dropout2d Dropout2d
Dropout3d: dropout3d Dropout3d
AlphaDropout: alpha_dropout AlphaDropout
FeatureAlphaDropout: feature_alpha_dropout FeatureAlphaDropout
"""

_LOSSES = """
CrossEntropyLoss: cross_entropy cross_entropy_loss CrossEntropyLoss
NLLLoss: nll_loss nll_loss2d nll_loss_nd NLLLoss NLLLoss2d
BCELoss: binary_cross_entropy BCELoss
BCEWithLogitsLoss: binary_cross_entropy_with_logits BCEWithLogitsLoss
MSELoss: mse_loss MSELoss
L1Loss: l1_loss L1Loss
SmoothL1Loss: smooth_l1_loss SmoothL1Loss
HuberLoss: huber_loss HuberLoss
KLDivLoss: kl_div KLDivLoss
PoissonNLLLoss: poisson_nll_loss PoissonNLLLoss
GaussianNLLLoss: gaussian_nll_loss GaussianNLLLoss
HingeEmbeddingLoss: hinge_embedding_loss HingeEmbeddingLoss
MarginRankingLoss: margin_ranking_loss MarginRankingLoss
MultiMarginLoss: multi_margin_loss MultiMarginLoss
MultiLabelMarginLoss: multilabel_margin_loss MultiLabelMarginLoss
MultiLabelSoftMarginLoss: multilabel_soft_margin_loss MultiLabelSoftMarginLoss
SoftMarginLoss: soft_margin_loss SoftMarginLoss
CosineEmbeddingLoss: cosine_embedding_loss CosineEmbeddingLoss
TripletMarginLoss: triplet_margin_loss TripletMarginLoss
TripletMarginWithDistanceLoss: triplet_margin_with_distance_loss TripletMarginWithDistanceLoss
CTCLoss: ctc_loss CTCLoss
AdaptiveLogSoftmaxWithLoss: AdaptiveLogSoftmaxWithLoss
"""


def layer_rows() -> Iterator[Row]:
    """All rows of this half."""
    yield from _ACTIVATIONS
    yield from _LAYERS
    yield from _NORMALIZATION
    yield from rows("pooling", ONNX, _POOLING)
    yield from rows("pooling", TORCH, _TORCH_POOLING)
    yield OpSpec("Dropout", ONNX, "regularization"), "dropout Dropout"
    yield from rows("regularization", TORCH, _REGULARIZATION)
    yield from rows("loss", TORCH, _LOSSES)
