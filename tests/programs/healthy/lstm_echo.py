"""An LSTM that predicts a noisy wave one step ahead, with gradient clipping and a cosine schedule to 0."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(3)


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, series):
        states, _ = self.lstm(series)
        return self.readout(states[:, -1])


def sample(count=32, length=20):
    phase = 6.28 * torch.rand(count, 1)
    time = torch.arange(length + 1) * 0.3
    wave = torch.sin(time + phase) + 0.05 * torch.randn(count, length + 1)
    return wave[:, :-1, None], wave[:, -1:]


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=150)
for i in range(150):
    series, following = sample()
    loss = nn.functional.mse_loss(model(series), following)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    if i % 30 == 0:
        print(i, loss.item())
