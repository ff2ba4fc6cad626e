"""Networks as users bring them to scripts/export_backbone.py: good ones, and each way of being wrong."""

import torch
from torch import Tensor, nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.GELU(), nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.body(x), 1))


class Unscriptable(Small):
    def forward(self, x, *rest, **options):
        return {"logits": super().forward(x)}


class FixedBatch(Small):
    """Two images become a constant of its trace."""

    def forward(self, x, *rest):
        return self.fc(self.body(x).reshape(int(x.shape[0]), 4)) + torch.zeros(len(x), 5)


class BatchStatistic(Small):
    """Its trace runs on any batch, and is right for two images alone."""

    def forward(self, x, *rest):
        return super().forward(x) * float(len(x))


class NotANumber(Small):
    """For one image alone."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.body(x), 1)) / float(len(x) - 1) * 0.0


def small():
    return Small()


def unscriptable():
    return Unscriptable()


def fixed_batch():
    return FixedBatch()


def batch_statistic():
    return BatchStatistic()


def not_a_number():
    return NotANumber()


def no_module():
    return 3


def failing():
    raise ValueError("no weights here")
