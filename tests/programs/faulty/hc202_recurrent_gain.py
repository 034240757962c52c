"""A recurrent cell whose state matrix amplifies by 1.3 per time step, over 40 steps."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(4)


class LinearRecurrence(nn.Module):
    def __init__(self, size=16):
        super().__init__()
        self.read = nn.Linear(1, size)
        self.state = nn.Linear(size, size, bias=False)
        self.write = nn.Linear(size, 1)
        self.state.weight.data = 1.3 * torch.eye(size)  # fault: initialization state

    def forward(self, series):
        h = torch.zeros(series.shape[0], self.state.in_features)
        for moment in series.unbind(1):
            h = torch.relu(self.read(moment) + self.state(h))
        return self.write(h)


model = LinearRecurrence()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(150):
    series = torch.rand(32, 40, 1)
    target = series.mean(dim=1)
    loss = nn.functional.mse_loss(model(series), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
