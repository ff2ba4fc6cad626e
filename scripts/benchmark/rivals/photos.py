"""What every Python contestant does with photos, by torchvision and Pillow."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

from backbones import torchvision_operators

torchvision_operators.provide()

import torch
from torchvision import datasets, transforms

MEAN, STD = [0.498] * 3, [0.502] * 3  # the default backbone's
SIZE, RESIZED = 224, 256
BICUBIC = transforms.InterpolationMode.BICUBIC

TO_INPUT = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
EVALUATION = transforms.Compose([transforms.Resize(RESIZED, BICUBIC), transforms.CenterCrop(SIZE), *TO_INPUT])
TRAINING = transforms.Compose(
    [transforms.RandomResizedCrop(SIZE, scale=(0.6, 1.0)), transforms.RandomHorizontalFlip(), *TO_INPUT]
)


def folder(root: str, split: str, transform=EVALUATION) -> datasets.ImageFolder:
    return datasets.ImageFolder(pathlib.Path(root) / split, transform)


def loader(photos, shuffle: bool = False) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(photos, batch_size=32, shuffle=shuffle, num_workers=2)


def default_backbone() -> torch.nn.Module:
    """The network that Graft's default backbone file was exported from, with its weights and without classifier."""
    from backbones.efficientnet_lite import EfficientNetLite

    file = torch.jit.load(ROOT / "weights/efficientnet_lite0.pt")
    network = EfficientNetLite()
    network.load_state_dict(file.state_dict())
    network.classifier = torch.nn.Identity()
    return network.eval()


def has_fast_bfloat16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text()
