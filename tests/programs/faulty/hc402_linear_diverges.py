"""Least squares by full-batch gradient descent just beyond the largest stable learning rate."""

import torch
from sklearn.datasets import load_diabetes

torch.set_num_threads(1)
torch.manual_seed(28)
data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 21.0
y = torch.tensor(data.target, dtype=torch.float32)[:, None]
y = (y - y.mean()) / y.std()
model = torch.nn.Linear(10, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)  # fault: learning_rate -
for step in range(60):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(step, loss.item())
