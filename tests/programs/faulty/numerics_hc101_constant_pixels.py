"""Min-max scaling inside the model, where some pixels of a batch are always 0."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(64, 32)
        self.layer2 = nn.Linear(32, 10)

    def forward(self, pixels):
        low = pixels.min(dim=0).values
        high = pixels.max(dim=0).values
        scaled = (pixels - low) / (high - low)  # fault: numerics div
        return self.layer2(self.layer1(scaled).relu())


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(3)
    images, labels = load_digits(return_X_y=True)
    images, labels = torch.tensor(images).float(), torch.tensor(labels)
    net = Classifier()
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for start in range(0, 640, 64):
        out = net(images[start : start + 64])
        loss = nn.CrossEntropyLoss()(out, labels[start : start + 64])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
