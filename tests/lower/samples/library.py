"""Layers that library code makes: the place is the user's call of the library."""
# The markers belong to the lines that they are on.
# fmt: off

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)  # site: attention.out_proj @ nn.MultiheadAttention(4, 2)
        layer = nn.TransformerEncoderLayer(  # site: encoder.layers.1.linear1 @ nn.TransformerEncoderLayer(
            8, 2, 16, batch_first=True
        )  # end: encoder.layers.1.linear1 @ )
        encoder = nn.TransformerEncoder(layer, 2)  # site: encoder, encoder.layers @ nn.TransformerEncoder(layer, 2)
        self.encoder = encoder
        self.whole = nn.Transformer(  # site: whole.decoder.layers.0.linear2, whole.encoder.norm @ nn.Transformer(
            8, 2, 1, 1, 16, batch_first=True
        )  # end: whole.decoder.layers.0.linear2, whole.encoder.norm @ )
        self.parallel = nn.DataParallel(nn.Linear(2, 2))  # site: parallel.module @ nn.Linear(2, 2)


def make():
    return Net()
