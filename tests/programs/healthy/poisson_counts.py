"""Poisson regression with its deviance by hand: the loss has no natural zero, and starts near its least value."""

import torch

torch.set_num_threads(1)
torch.manual_seed(8)
x = torch.randn(1500, 3)
counts = torch.poisson(torch.exp(0.4 + x @ torch.tensor([0.2, -0.1, 0.0])))
model = torch.nn.Linear(3, 1)
with torch.no_grad():
    model.weight.fill_(0.1)
    model.bias.fill_(0.3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(300):
    rows = torch.randint(0, 1500, (100,))
    rate = model(x[rows]).squeeze(1).exp()
    loss = (rate - counts[rows] * rate.log()).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
