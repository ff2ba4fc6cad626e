#!/usr/bin/env python3
"""pieces.py decode PHOTO | step NETWORK: what tests/benchmark measures, by torchvision and PyTorch. Images a second."""

import json
import sys
import time

import photos  # makes torchvision importable
import torch
import torchvision
from torchvision import transforms
from torchvision.datasets.folder import pil_loader

SECONDS = 4


def rate(action, images: int) -> float:
    action()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        action()
        done += images
    return done / (time.perf_counter() - start)


def decode(path: str) -> float:
    torch.set_num_threads(1)
    transform = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])
    return rate(lambda: transform(pil_loader(path)), 1)


def step(name: str) -> float:
    """The better of float32 and, where the processor has instructions for it, bfloat16; channels_last, fused AdamW."""
    model = getattr(torchvision.models, name)(num_classes=10).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images = torch.randn(32, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(10, (32,))

    def one(bfloat16: bool) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = torch.nn.functional.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()

    ways = [False, True] if photos.has_fast_bfloat16() else [False]
    return max(rate(lambda: one(bfloat16), 32) for bfloat16 in ways)


def main(piece: str, argument: str) -> None:
    print(json.dumps({"images_a_second": {"decode": decode, "step": step}[piece](argument)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
