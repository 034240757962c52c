"""maximize=True in the optimizer while the objective is a loss."""

import torch
from sklearn.datasets import load_iris
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(27)
iris = load_iris()
x = torch.tensor(iris.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(iris.target)
policy = nn.Sequential(nn.Linear(4, 20), nn.Tanh(), nn.Linear(20, 3))
objective = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3, maximize=True)  # fault: optimizer -
for step in range(150):
    rows = torch.randint(150, (50,))
    optimizer.zero_grad()
    loss = objective(policy(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
