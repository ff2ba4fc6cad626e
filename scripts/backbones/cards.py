"""Model cards: the facts about a backbone that a training run needs, taken from the package that publishes it."""

import importlib.metadata
import json
import pathlib

from torch import nn

from . import lite, sources
from .backbone import Backbone
from .torchscript_file import ExportError, write_whole

SCRIPT = "scripts/export_backbone.py"
IMAGENET_NOTE = "trained on ImageNet-1k, whose images are licensed for non-commercial research"
TIMM_RESIZE = {"center": "shorter", "squash": "squash"}
INTERPOLATIONS = ("bilinear", "bicubic")
# Networks whose cards Graft ships beside the Lite ones, with their titles.
COMMON = {
    "torchvision:convnext_base": "ConvNeXt-Base",
    "torchvision:convnext_small": "ConvNeXt-Small",
    "torchvision:convnext_tiny": "ConvNeXt-Tiny",
    "torchvision:densenet121": "DenseNet-121",
    "torchvision:efficientnet_b0": "EfficientNet-B0",
    "torchvision:efficientnet_b1": "EfficientNet-B1",
    "torchvision:efficientnet_b2": "EfficientNet-B2",
    "torchvision:efficientnet_b3": "EfficientNet-B3",
    "torchvision:efficientnet_b4": "EfficientNet-B4",
    "torchvision:efficientnet_v2_s": "EfficientNetV2-S",
    "torchvision:mobilenet_v2": "MobileNetV2",
    "torchvision:mobilenet_v3_large": "MobileNetV3-Large",
    "torchvision:mobilenet_v3_small": "MobileNetV3-Small",
    "torchvision:regnet_y_400mf": "RegNetY-400MF",
    "torchvision:regnet_y_800mf": "RegNetY-800MF",
    "torchvision:regnet_y_1_6gf": "RegNetY-1.6GF",
    "torchvision:regnet_y_3_2gf": "RegNetY-3.2GF",
    "torchvision:regnet_y_8gf": "RegNetY-8GF",
    "torchvision:resnet18": "ResNet-18",
    "torchvision:resnet34": "ResNet-34",
    "torchvision:resnet50": "ResNet-50",
    "torchvision:resnet101": "ResNet-101",
    "torchvision:resnet152": "ResNet-152",
    "torchvision:swin_t": "Swin-T",
    "torchvision:swin_s": "Swin-S",
    "torchvision:swin_b": "Swin-B",
    "torchvision:vit_b_16": "ViT-B/16",
    "timm:deit_tiny_patch16_224.fb_in1k": "DeiT-Ti/16",
    "timm:deit_small_patch16_224.fb_in1k": "DeiT-S/16",
    "timm:deit_base_patch16_224.fb_in1k": "DeiT-B/16",
    "timm:mobilenetv4_conv_small.e2400_r224_in1k": "MobileNetV4-Conv-Small",
    "timm:mobilenetv4_conv_medium.e500_r256_in1k": "MobileNetV4-Conv-Medium",
    "timm:tf_efficientnet_lite3.in1k": "EfficientNet-Lite3",
    "timm:tf_efficientnet_lite4.in1k": "EfficientNet-Lite4",
    "timm:vit_small_patch16_224.augreg_in21k_ft_in1k": "ViT-S/16",
    "timm:vit_small_patch14_dinov2.lvd142m": "DINOv2 ViT-S/14",
    "timm:vit_small_patch14_dinov2.lvd142m --size 224": "DINOv2 ViT-S/14 at 224 pixels",
    "timm:vit_base_patch14_dinov2.lvd142m": "DINOv2 ViT-B/14",
    "timm:vit_base_patch14_dinov2.lvd142m --size 224": "DINOv2 ViT-B/14 at 224 pixels",
    "timm:vit_base_patch16_clip_224.laion2b": "CLIP ViT-B/16, LAION-2B",
    "timm:vit_base_patch16_clip_quickgelu_224.openai": "CLIP ViT-B/16, OpenAI",
    "timm:vit_base_patch32_clip_224.laion2b": "CLIP ViT-B/32, LAION-2B",
    "timm:vit_base_patch32_clip_quickgelu_224.openai": "CLIP ViT-B/32, OpenAI",
}


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def num_features(module: nn.Module) -> int:
    """Inputs of the last linear layer."""
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ExportError("no linear layer to take num_features from: no card can be written")
    return linear[-1].in_features


def release(package: str) -> str:
    return importlib.metadata.version(package).partition("+")[0]


def lite_card(name: str, module: nn.Module) -> dict:
    row = lite.TABLE[name]
    note = f"source.sha256 is that of the published weights; sha256 that of the export by torch {release('torch')}"
    return {
        "name": name,
        "title": name.replace("efficientnet_lite", "EfficientNet-Lite"),
        "file": f"{name}.pt",
        "source": {
            "package": row.package,
            "version": lite.VERSION,
            "file": row.path,
            "sha256": row.sha256,
            "note": note,
        },
        "input": {
            "size": row.side,
            "resize": "shorter",
            "crop": row.side / (row.side + 32),
            "interpolation": "bicubic",
            "mean": [127 / 255] * 3,
            "std": [128 / 255] * 3,
        },
        "parameters": parameter_count(module),
        "num_features": num_features(module),
        "license": f"Apache-2.0; {IMAGENET_NOTE}",
        "accuracy": {"top1": row.top1, "source": "EfficientNet-lite, official TensorFlow implementation, fp32"},
        "export": f"{SCRIPT} {name}",
    }


def torchvision_card(backbone: Backbone, weights) -> dict:
    transform, version = weights.transforms(), release("torchvision")
    if parameter_count(backbone.module) != weights.meta["num_params"]:
        raise ExportError(f"{backbone.origin}: has {parameter_count(backbone.module)} parameters, its metadata differs")
    metrics = weights.meta["_metrics"]["ImageNet-1K"]
    file = weights.url.rpartition("/")[2]
    size = transform.crop_size[0]
    facts = {
        "source": {
            "package": "torchvision",
            "version": version,
            "weights": str(weights),
            "file": file,
            "sha256_prefix": file.rpartition("-")[2].removesuffix(".pth"),
        },
        "input": {
            "size": backbone.side,
            "resize": "shorter",
            "crop": size / transform.resize_size[0],
            "interpolation": transform.interpolation.value,
            "mean": list(transform.mean),
            "std": list(transform.std),
        },
        "parameters": parameter_count(backbone.module),
        "num_features": num_features(backbone.module),
        "license": f"{weights.meta.get('license', 'BSD-3-Clause')} (torchvision); {IMAGENET_NOTE}",
    }
    if backbone.side == size:  # measured at that size
        facts["accuracy"] = {"top1": metrics["acc@1"], "source": f"torchvision {version}, {weights}"}
    return facts


def timm_card(backbone: Backbone, published: dict) -> dict:
    version = release("timm")
    resize, interpolation = TIMM_RESIZE.get(published["crop_mode"]), published["interpolation"]
    if resize is None or interpolation not in INTERPOLATIONS:
        raise ExportError(f"{backbone.origin}: resized as '{published['crop_mode']}', '{interpolation}': Graft cannot")
    classifier = backbone.module.get_classifier()
    features = classifier.in_features if isinstance(classifier, nn.Linear) else backbone.module.num_features
    return {
        "source": {"package": "timm", "version": version, "weights": backbone.source.removeprefix("timm:")},
        "input": {
            "size": backbone.side,
            "resize": resize,
            "crop": published["crop_pct"],
            "interpolation": interpolation,
            "mean": list(published["mean"]),
            "std": list(published["std"]),
        },
        "parameters": parameter_count(backbone.module),
        "num_features": features,
        "license": f"{published.get('license') or 'unknown'} (as timm {version} names it)",
    }


def published_card(backbone: Backbone, weights) -> dict:
    """The card of a network of torchvision or timm, but for the SHA-256 of a file."""
    head = {
        "name": backbone.name,
        "title": COMMON.get(backbone.source + backbone.options, backbone.name),
        "file": f"{backbone.name}.pt",
    }
    facts = (timm_card if isinstance(weights, dict) else torchvision_card)(backbone, weights)
    return head | facts | {"export": f"{SCRIPT} {backbone.source} --pretrained{backbone.options}"}


def own_card(backbone: Backbone, stated: dict) -> dict:
    """The card of somebody's own network: what the file shows, and what they state of its input."""
    return {
        "name": backbone.name,
        "title": backbone.name,
        "file": f"{backbone.name}.pt",
        "source": {"note": backbone.origin},
        "input": {"size": backbone.side} | stated,
        "parameters": parameter_count(backbone.module),
        "export": f"{SCRIPT} {backbone.source}{backbone.options}",
    }


def is_published(source: str) -> bool:
    return source in lite.TABLE or source.startswith(("torchvision:", "timm:"))


def card_of(backbone: Backbone, sha256: str, stated: dict) -> dict:
    """The card of a backbone that was just exported with that SHA-256; `stated` is its owner's word on its input."""
    if isinstance(backbone.weights, lite.Published):
        card = lite_card(backbone.name, backbone.module)
    elif backbone.weights is not None:
        card = published_card(backbone, backbone.weights)
    elif is_published(backbone.source):
        raise ExportError("a card states the facts of published weights; these weights are not published")
    else:
        card = own_card(backbone, stated)
    return insert_sha256(card, sha256)


def insert_sha256(card: dict, sha256: str) -> dict:
    """The card with that of its file, behind the file's name."""
    items = list(card.items())
    place = [key for key, _ in items].index("file") + 1
    return dict([*items[:place], ("sha256", sha256), *items[place:]])


def write_card(path: pathlib.Path, card: dict) -> None:
    write_whole(path, (json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_common_cards(folder: pathlib.Path) -> list[pathlib.Path]:
    """One card for each network of COMMON. No weights are fetched, so no SHA-256 of a file is stated."""
    models = sources.import_package("torchvision").models
    paths = []
    for source in COMMON:
        backbone = sources.skeleton(source)
        name = source.partition(":")[2]
        published = source.startswith("torchvision:")
        weights = models.get_model_weights(name).DEFAULT if published else backbone.module.pretrained_cfg
        paths.append(folder / f"{backbone.name}.json")
        write_card(paths[-1], published_card(backbone, weights))
    return paths
