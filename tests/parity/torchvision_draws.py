"""Lets torchvision draw from Graft's random stream, so that its transforms and Graft's can be compared draw by draw.

Import after torchvision_operators.provide().
"""
import contextlib
import math

import numpy as np
import torch
from image_reference import tensor
from PIL import Image
from torchvision.transforms import autoaugment, functional
from torchvision.transforms import transforms as torchvision_source
from torchvision.transforms.v2 import functional as functional_v2


class Stream:
    """graft::RandomStream: SplitMix64."""

    def __init__(self, seed: int):
        self.state = seed

    def bits(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (self.state ^ self.state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return mixed ^ mixed >> 31

    def uniform(self) -> float:
        return (self.bits() >> 11) / 2**53

    def uniform_(self, low, high) -> torch.Tensor:
        return torch.tensor(float(low) + float(high - low) * self.uniform(), dtype=torch.float64)

    def below(self, count: int) -> int:
        drawn = self.bits()
        while drawn < 2**64 % count:
            drawn = self.bits()
        return drawn % count

    def shuffled(self, count: int) -> list[int]:
        items = list(range(count))
        for i in range(count, 1, -1):
            j = self.below(i)
            items[i - 1], items[j] = items[j], items[i - 1]
        return items

    def normal(self, count: int) -> list[float]:
        """Marsaglia and Bray's polar method."""
        numbers = []
        while len(numbers) < count:
            x, y = -1 + 2 * self.uniform(), -1 + 2 * self.uniform()
            square = x * x + y * y
            if 0 < square < 1:
                numbers += [n * math.sqrt(-2 * math.log(square) / square) for n in (x, y)]
        return numbers[:count]


class TorchWithStream:
    """torch, but for what draws: from our stream, and in float64 so that nothing rounds otherwise."""

    def __init__(self, stream: Stream):
        self.stream = stream

    def __getattr__(self, name: str):
        return getattr(torch, name)

    def tensor(self, values) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)

    def empty(self, count: int) -> Stream:
        return self.stream

    def rand(self, size) -> torch.Tensor:
        drawn = [self.stream.uniform() for _ in range(math.prod(np.atleast_1d(size)))]
        return torch.tensor(drawn, dtype=torch.float64).reshape(size)

    def randint(self, low: int, high, size=None, dtype=None) -> torch.Tensor:
        low, high = (0, low) if size is None else (low, high)
        return torch.tensor(low + self.stream.below(high - low))

    def randperm(self, count: int) -> torch.Tensor:
        return torch.tensor(self.stream.shuffled(count))


def channels_first(image: Image.Image) -> torch.Tensor:
    return tensor(image).permute(2, 0, 1)


@contextlib.contextmanager
def drawing_from(stream: Stream):
    """torchvision draws from `stream` as long as this is open, and turns hues of photos as it does those of tensors."""
    sources, adjust_hue = (torchvision_source, autoaugment), functional.adjust_hue
    for source in sources:
        source.torch = TorchWithStream(stream)
    functional.adjust_hue = lambda photo, turns: Image.fromarray(hue_turned(photo, turns).numpy())
    try:
        yield
    finally:
        functional.adjust_hue = adjust_hue
        for source in sources:
            source.torch = torch


def hue_turned(photo: Image.Image, turns: float) -> torch.Tensor:
    return functional_v2.adjust_hue(channels_first(photo), turns).permute(1, 2, 0).contiguous()
