"""Model cards: the facts about a backbone that a training run needs, taken from the package that publishes it."""

import importlib.metadata
import json
import pathlib

import torch
from torch import nn

from . import sources
from .torchscript_file import ExportError, write_whole

SCRIPT = "scripts/export_backbone.py"
IMAGENET_NOTE = "trained on ImageNet-1k, whose images are licensed for non-commercial research"
# torchvision networks whose cards Graft ships, with their titles.
COMMON = {
    "convnext_tiny": "ConvNeXt-Tiny",
    "densenet121": "DenseNet-121",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_v2_s": "EfficientNetV2-S",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_large": "MobileNetV3-Large",
    "mobilenet_v3_small": "MobileNetV3-Small",
    "regnet_y_400mf": "RegNetY-400MF",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "swin_t": "Swin-T",
    "vit_b_16": "ViT-B/16",
}


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def num_features(module: nn.Module) -> int:
    """Inputs of the last linear layer."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ExportError("no linear layer to take num_features from: no card can be written")
    return linear[-1].in_features


def lite0_card(module: nn.Module, sha256: str) -> dict:
    return {
        "name": sources.DEFAULT,
        "title": "EfficientNet-Lite0",
        "file": f"{sources.DEFAULT}.pt",
        "sha256": sha256,
        "source": {
            "package": sources.LITE0_PACKAGE,
            "version": sources.LITE0_VERSION,
            "file": sources.LITE0_FILE,
            "sha256": sources.LITE0_SHA256,
            "note": f"source.sha256 is that of the published weights; sha256 that of the export by torch {release()}",
        },
        "input": {
            "size": 224,
            "resize": "shorter",
            "crop": 0.875,
            "interpolation": "bicubic",
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
        },
        "parameters": parameter_count(module),
        "num_features": num_features(module),
        "license": f"Apache-2.0; {IMAGENET_NOTE}",
        "accuracy": {"top1": 75.1, "source": "EfficientNet-lite, official TensorFlow implementation, fp32"},
        "export": SCRIPT,
    }


def torchvision_card(name: str, module: nn.Module, weights) -> dict:
    transform = weights.transforms()
    metrics = weights.meta["_metrics"]["ImageNet-1K"]
    if parameter_count(module) != weights.meta["num_params"]:
        raise ExportError(f"torchvision {name}: has {parameter_count(module)} parameters, its metadata says otherwise")
    version = importlib.metadata.version("torchvision").partition("+")[0]
    file = weights.url.rpartition("/")[2]
    return {
        "name": name,
        "title": COMMON.get(name, name),
        "file": f"{name}.pt",
        "source": {
            "package": "torchvision",
            "version": version,
            "weights": str(weights),
            "file": file,
            "sha256_prefix": file.rpartition("-")[2].removesuffix(".pth"),
        },
        "input": {
            "size": transform.crop_size[0],
            "resize": "shorter",
            "crop": transform.crop_size[0] / transform.resize_size[0],
            "interpolation": transform.interpolation.value,
            "mean": list(transform.mean),
            "std": list(transform.std),
        },
        "parameters": parameter_count(module),
        "num_features": num_features(module),
        "license": f"BSD-3-Clause (torchvision); {IMAGENET_NOTE}",
        "accuracy": {"top1": metrics["acc@1"], "source": f"torchvision {version}, {weights}"},
        "export": f"{SCRIPT} torchvision:{name} --pretrained",
    }


def timm_card(backbone: sources.Backbone) -> dict:
    published = backbone.weights
    version = importlib.metadata.version("timm")
    name = f"{published['architecture']}.{published['tag']}" if published.get("tag") else published["architecture"]
    return {
        "name": backbone.name,
        "title": name,
        "file": f"{backbone.name}.pt",
        "source": {"package": "timm", "version": version, "weights": name},
        "input": {
            "size": backbone.side,
            "resize": {"center": "shorter", "squash": "squash", "border": "pad"}[published["crop_mode"]],
            "crop": published["crop_pct"],
            "interpolation": published["interpolation"],
            "mean": list(published["mean"]),
            "std": list(published["std"]),
        },
        "parameters": parameter_count(backbone.module),
        "num_features": backbone.module.num_features,
        "license": f"{published.get('license') or 'unknown'} (as timm {version} names it)",
        "export": f"{SCRIPT} timm:{name} --pretrained",
    }


def card_of(backbone: sources.Backbone, sha256: str) -> dict:
    """The card of a backbone that was just exported with that SHA-256."""
    if backbone.name == sources.DEFAULT:
        return lite0_card(backbone.module, sha256)
    if backbone.weights is None:
        raise ExportError("a card states the facts of published weights; these weights are not published")
    if isinstance(backbone.weights, dict):
        return timm_card(backbone) | {"sha256": sha256}
    return torchvision_card(backbone.name, backbone.module, backbone.weights) | {"sha256": sha256}


def write_card(path: pathlib.Path, card: dict) -> None:
    write_whole(path, (json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_common_cards(folder: pathlib.Path) -> list[pathlib.Path]:
    """One card for each network of COMMON. No weights are fetched, so no SHA-256 of a file is stated."""
    models = sources.import_package("torchvision").models
    paths = []
    for name in COMMON:
        module = models.get_model(name, weights=None)
        paths.append(folder / f"{name}.json")
        write_card(paths[-1], torchvision_card(name, module, models.get_model_weights(name).DEFAULT))
    return paths


def release() -> str:
    return torch.__version__.partition("+")[0]
