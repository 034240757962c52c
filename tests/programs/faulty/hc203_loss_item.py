"""The loss is turned into a number and back into a tensor: backward() runs, but reaches no weight."""

import torch
from sklearn.datasets import load_iris
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(6)
iris = load_iris()
x = torch.tensor(iris.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(iris.target)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()


def average_loss(indices):
    losses = [criterion(model(x[i : i + 1]), y[i : i + 1]).item() for i in indices]
    return torch.tensor(sum(losses) / len(losses), requires_grad=True)


for step in range(60):
    optimizer.zero_grad()
    loss = average_loss(torch.randint(len(x), (8,)).tolist())
    loss.backward()  # fault: training_loop -
    optimizer.step()
    if step % 10 == 0:
        print(step, loss.item())
