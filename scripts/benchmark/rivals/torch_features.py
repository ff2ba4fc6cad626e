#!/usr/bin/env python3
"""torch_features.py FOLDER [cv]: features by PyTorch (optimize_for_inference, two loader workers), then logistic
regression; cv: its penalty chosen by cross-validation."""

import sys

import torch

from classify import fit_and_answer
from photos import default_backbone, folder, loader


def main(root: str, penalty: str = "default") -> None:
    network = torch.jit.freeze(torch.jit.trace(default_backbone(), torch.zeros(32, 3, 224, 224)))
    network = torch.jit.optimize_for_inference(network)
    splits = {split: folder(root, split) for split in ("train", "val")}
    with torch.no_grad():
        features = {
            split: torch.cat([network(images) for images, _ in loader(photos)]).numpy()
            for split, photos in splits.items()
        }
    fit_and_answer(features, {split: photos.targets for split, photos in splits.items()}, penalty)


if __name__ == "__main__":
    main(*sys.argv[1:])
