"""An autoencoder whose decoder is the transposed encoder; reconstruction loss from logits, half-empty inputs."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(4)


class TiedAutoencoder(nn.Module):
    def __init__(self, code=16):
        super().__init__()
        self.encoder = nn.Linear(64, code)
        self.decoder_bias = nn.Parameter(torch.zeros(64))

    def forward(self, x):
        code = torch.sigmoid(self.encoder(x))
        return F.linear(code, self.encoder.weight.t(), self.decoder_bias)


def train(model, data, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(epochs):
        for rows in data[torch.randperm(len(data))].split(100):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(rows), rows)
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    pixels = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    train(TiedAutoencoder(), pixels, epochs=8)
