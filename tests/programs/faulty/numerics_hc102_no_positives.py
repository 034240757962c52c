"""A box regression term over the positive samples of a batch; some batches have none."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(7)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(12, 24)
        self.classify = nn.Linear(24, 1)
        self.locate = nn.Linear(24, 4)

    def forward(self, features):
        hidden = torch.relu(self.trunk(features))
        return self.classify(hidden), self.locate(hidden)


def train(steps=15):
    model = Detector()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for step in range(steps):
        features = torch.randn(8, 12)
        positive = features[:, 0] > (3.5 if step == 9 else 0.0)
        boxes = features[:, 1:5]
        scores, located = model(features)
        classification = nn.functional.binary_cross_entropy_with_logits(scores[:, 0], positive.float())
        squared = (located - boxes) ** 2
        location = squared[positive].mean()  # fault: numerics mean
        loss = classification + location
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


train()
