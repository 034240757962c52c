"""The prediction is rounded before the loss: the gradient of round() is zero everywhere."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(10)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(30, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        score = torch.sigmoid(self.out(torch.tanh(self.hidden(x))))
        return torch.round(score).squeeze(1)  # fault: architecture round


cancer = load_breast_cancer()
x = torch.tensor(cancer.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(cancer.target, dtype=torch.float32)
model = Detector()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(120):
    rows = torch.randint(len(x), (64,))
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, loss.item())
