"""A softmax in front of the binary loss of a model with one output: its output is always 1."""

import torch
from sklearn.datasets import make_classification
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(6)


class Screening(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 16)
        self.score = nn.Linear(16, 1)

    def forward(self, x):
        x = torch.tanh(self.hidden(x))
        return torch.softmax(self.score(x), dim=-1)  # fault: activation softmax


x, y = make_classification(600, 10, random_state=1)
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
model = Screening()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(4):
    for rows in torch.randperm(600).split(30):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
print(loss.item())
