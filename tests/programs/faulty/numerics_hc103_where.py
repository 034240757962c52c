"""A signed square root by torch.where: the branch that is not taken spoils the gradient."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(11)


class SoftRoot(nn.Module):
    def forward(self, x):
        root = x.sqrt()  # fault: numerics 1.sqrt
        return torch.where(x > 0, root, torch.zeros_like(x))


data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 20
y = torch.tensor(data.target, dtype=torch.float32)
y = ((y - y.mean()) / y.std()).unsqueeze(1)
model = nn.Sequential(nn.Linear(10, 24), SoftRoot(), nn.Linear(24, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(6):
    optimizer.zero_grad()
    loss = nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, float(loss))
