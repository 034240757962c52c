"""A frozen convolutional backbone under a trained head, driven by a trainer class."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(2)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Sequential(nn.Linear(16 * 64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.backbone.requires_grad_(False)

    def forward(self, images):
        return self.head(self.backbone(images))


class Trainer:
    def __init__(self, model, loader, lr):
        self.model, self.loader = model, loader
        trainable = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trainable, lr=lr)
        self.loss = nn.CrossEntropyLoss()

    def step(self, images, labels):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.step(*batch) for batch in self.loader]
            print(f"epoch {epoch}: {sum(losses) / len(losses):.3f}")


digits = load_digits()
images = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32)
dataset = TensorDataset(images, torch.tensor(digits.target))
Trainer(Classifier(), DataLoader(dataset, batch_size=64, shuffle=True), lr=3e-3).fit(3)
