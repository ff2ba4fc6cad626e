"""EfficientNet-Lite (Liu et al., TensorFlow 2020; Tan & Le 2019, arXiv 1905.11946) with timm's parameter names.

Written so that TorchScript compiles it to a plain graph: no branch, no shape arithmetic, nothing in place. The
stochastic depth and dropout of its first training are left out: a graft brings its own.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Lite0's. Expansion, output channels, kernel, stride of the first block, number of blocks; one row a stage.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
STEM_CHANNELS = 32
NUM_FEATURES = 1280
BATCH_NORM_EPSILON = 1e-3


class Conv2dSame(nn.Conv2d):
    """Stride-2 convolution with TensorFlow's "same" padding: one row more at the end of an even side.

    Instead of padding the image unevenly, the kernel grows by a leading row and column of zeros under even padding: the
    same sums, and a kernel that freezing folds to a constant, so that nothing stands between two fused convolutions.
    It is for even sides; "same" padding of an odd one is symmetric, which any convolution can.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, groups: int):
        super().__init__(in_channels, out_channels, kernel, stride=2, padding=kernel // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel = F.pad(self.weight, [1, 0, 1, 0])
        return F.conv2d(x, kernel, None, self.stride, self.padding, self.dilation, self.groups)


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm that leaves its count of batches alone: nothing uses it, and counting writes into the graph."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=BATCH_NORM_EPSILON)

    def normalize(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.normalize(x)


class BatchNormAct(BatchNorm):
    """BatchNorm and ReLU6, under one name as in timm."""

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(self.normalize(x), 0.0, 6.0)


def convolution(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, side: int = 0
) -> nn.Conv2d:
    """With "same" padding of maps of that side, which matters where the stride is 2."""
    if stride == 2 and side % 2 == 0:
        return Conv2dSame(in_channels, out_channels, kernel, groups)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)


def scaled_channels(channels: int, width: float) -> int:
    """The multiple of 8 nearest to channels x width, but never a tenth below it."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


class DepthwiseSeparableConv(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, side: int):
        super().__init__()
        self.conv_dw = convolution(in_channels, in_channels, kernel, stride, in_channels, side)
        self.bn1 = BatchNormAct(in_channels)
        self.conv_pw = convolution(in_channels, out_channels, 1)
        self.bn2 = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))


class InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, side: int, expansion: int):
        super().__init__()
        width = in_channels * expansion
        self.has_skip = stride == 1 and in_channels == out_channels
        self.conv_pw = convolution(in_channels, width, 1)
        self.bn1 = BatchNormAct(width)
        self.conv_dw = convolution(width, width, kernel, stride, width, side)
        self.bn2 = BatchNormAct(width)
        self.conv_pwl = convolution(width, out_channels, 1)
        self.bn3 = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv_pw(x))
        y = self.bn3(self.conv_pwl(self.bn2(self.conv_dw(y))))
        return y + x if self.has_skip else y


class GlobalPool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)


class EfficientNetLite(nn.Module):
    """float [N, 3, H, W], normalised -> logits [N, num_classes].

    Any sides will do; TensorFlow's padding is reproduced for those that halve as `side` does, odd where it is odd.
    Width scales Lite0's channels but for stem and head, depth its counts of blocks but for the first and last stage.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, side: int = 224, num_classes: int = 1000):
        super().__init__()
        self.conv_stem = convolution(3, STEM_CHANNELS, 3, stride=2, side=side)
        self.bn1 = BatchNormAct(STEM_CHANNELS)
        side = (side + 1) // 2
        stages, channels = [], STEM_CHANNELS
        for row, (expansion, unscaled, kernel, stride, count) in enumerate(STAGES):
            out_channels = scaled_channels(unscaled, width)
            blocks = []
            for index in range(count if row in (0, len(STAGES) - 1) else math.ceil(depth * count)):
                step = stride if index == 0 else 1
                if expansion == 1:
                    blocks.append(DepthwiseSeparableConv(channels, out_channels, kernel, step, side))
                else:
                    blocks.append(InvertedResidual(channels, out_channels, kernel, step, side, expansion))
                channels, side = out_channels, (side + step - 1) // step
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = convolution(channels, NUM_FEATURES, 1)
        self.bn2 = BatchNormAct(NUM_FEATURES)
        self.global_pool = GlobalPool()
        self.classifier = nn.Linear(NUM_FEATURES, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.bn1(self.conv_stem(x)))
        x = self.global_pool(self.bn2(self.conv_head(x)))
        return self.classifier(x)
