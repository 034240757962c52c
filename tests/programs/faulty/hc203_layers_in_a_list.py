"""Hidden layers kept in a plain list, so that the optimizer never hears of them."""

import torch
from sklearn.datasets import make_circles
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(3)


class Rings(nn.Module):
    def __init__(self, width=16, depth=3):
        super().__init__()
        self.hidden = [nn.Linear(2 if i == 0 else width, width) for i in range(depth)]  # fault: training_loop Linear
        self.score = nn.Linear(width, 1)

    def forward(self, x):
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.score(x).squeeze(1)


points, ring = make_circles(600, noise=0.05, factor=0.7, random_state=0)
points, ring = torch.tensor(points, dtype=torch.float32), torch.tensor(ring, dtype=torch.float32)
model = Rings()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(10):
    for rows in torch.randperm(600).split(30):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(points[rows]), ring[rows])
        loss.backward()
        optimizer.step()
print(loss.item())
