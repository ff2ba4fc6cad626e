#!/usr/bin/env python3
"""training_loop.py tutorial|finetune FOLDER [SEED]: training as PyTorch's transfer-learning tutorial shows it.

tutorial: the network is a fixed feature extractor under a linear layer, ten epochs.
finetune: the same epochs as Graft's preset of that name: twelve of a head, then eight of the last two stages as well;
the frozen layers run without gradient, in bfloat16 where the processor has instructions for it, in channels_last.
"""

import contextlib
import json
import sys

import torch

from photos import TRAINING, default_backbone, folder, has_fast_bfloat16, loader


def head_of(classes: int) -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.BatchNorm1d(1280), nn.Dropout(0.25), nn.Linear(1280, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(0.5),
        nn.Linear(256, classes),
    )


def frozen_precision():
    return torch.autocast("cpu", torch.bfloat16) if has_fast_bfloat16() else contextlib.nullcontext()


class Parted(torch.nn.Module):
    """Lite0 whose first layers are frozen, all but the last two stages, or all."""

    def __init__(self, network: torch.nn.Module, head: torch.nn.Module):
        super().__init__()
        self.network, self.head, self.trains_stages = network.to(memory_format=torch.channels_last), head, False

    def stages(self):
        return [self.network.blocks[6], self.network.conv_head]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        net = self.network
        with torch.no_grad(), frozen_precision():
            x = net.bn1(net.conv_stem(images.contiguous(memory_format=torch.channels_last)))
            for block in net.blocks[:6]:
                x = block(x)
        with torch.set_grad_enabled(self.trains_stages and torch.is_grad_enabled()):
            x = net.global_pool(net.bn2(net.conv_head(net.blocks[6](x.float()))))
        return self.head(x)


def evaluate(model, photos) -> float:
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in loader(photos):
            right += int((model(images).argmax(1) == labels).sum())
    return right / len(photos)


def train(model, photos, epochs: int, optimizer, schedule_of, smoothing: float) -> float:
    """The best accuracy on the validation photos."""
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    batches = loader(photos["train"], shuffle=True)
    schedule = schedule_of(optimizer, epochs)
    best = 0.0
    for _ in range(epochs):
        model.train()
        if isinstance(model, Parted):
            model.network.eval()
        for images, labels in batches:
            optimizer.zero_grad()
            criterion(model(images), labels).backward()
            optimizer.step()
        schedule.step()
        best = max(best, evaluate(model, photos["val"]))
    return best


def tutorial(photos, classes: int) -> float:
    model = default_backbone()
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier = torch.nn.Linear(1280, classes)
    optimizer = torch.optim.SGD(model.classifier.parameters(), lr=0.001, momentum=0.9)
    step_decay = lambda optimizer, _: torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    return train(model, photos, 10, optimizer, step_decay, smoothing=0)


def finetune(photos, classes: int) -> float:
    model = Parted(default_backbone(), head_of(classes))
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    best = train(model, photos, 12, torch.optim.AdamW(model.head.parameters(), lr=0.003), cosine, smoothing=0.1)
    model.trains_stages = True
    trained = [*model.head.parameters(), *(p for stage in model.stages() for p in stage.parameters())]
    return max(best, train(model, photos, 8, torch.optim.AdamW(trained, lr=0.0003), cosine, smoothing=0.1))


def main(way: str, root: str, seed: str = "0") -> None:
    torch.manual_seed(int(seed))
    photos = {"train": folder(root, "train", TRAINING), "val": folder(root, "val")}
    accuracy = {"tutorial": tutorial, "finetune": finetune}[way](photos, len(photos["train"].classes))
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
