"""Raw measurements of up to several thousand go into a sigmoid layer: every unit sits at 0 or 1."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(20)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(30, 24)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(torch.sigmoid(self.hidden(x)))


data = load_breast_cancer()
x = torch.tensor(data.data, dtype=torch.float32)
y = torch.tensor(data.target, dtype=torch.float32)[:, None]
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(250):
    rows = torch.randint(len(x), (32,))
    logits = model(x[rows])  # fault: normalization -
    loss = nn.functional.binary_cross_entropy_with_logits(logits, y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, loss.item())
