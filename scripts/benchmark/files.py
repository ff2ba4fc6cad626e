"""Makes what the contests run on, under build/bench/files: networks for both sides, a photo, an exported model."""

import pathlib
import subprocess
import sys

from contests import BACKBONE, FILES, GRAFT, NETWORKS, RIVALS

sys.path.insert(0, str(RIVALS))

BATCH = 8


def feature_network(name: str):
    """With the weights of Graft's default backbone, or random ones: speed does not depend on them."""
    import photos
    import timm
    import torchvision

    if name == "efficientnet_lite0":
        return photos.default_backbone()
    if name == "vit_tiny":
        return timm.create_model("vit_tiny_patch16_224", num_classes=0).eval()
    return getattr(torchvision.models, name)(weights=None).eval()


def write_network(name: str) -> None:
    import openvino
    import photos
    import torch

    torch.manual_seed(0)
    network = feature_network(name)
    example = torch.zeros(BATCH, 3, photos.SIZE, photos.SIZE)
    with torch.no_grad():
        torch.jit.trace(network, example).save(str(FILES / f"{name}.pt"))
        converted = openvino.convert_model(network, example_input=example, input=[BATCH, 3, photos.SIZE, photos.SIZE])
    openvino.save_model(converted, FILES / f"{name}.xml", compress_to_fp16=False)


def write_photo(photo_set: pathlib.Path) -> None:
    """A real photo, scaled to the size at which the contest of decoding is held."""
    from PIL import Image

    first = min((photo_set / "train").rglob("*.jp*g"))
    Image.open(first).convert("RGB").resize((512, 384), Image.Resampling.BICUBIC).save(FILES / "photo.jpg", quality=90)


def write_model(photo_set: pathlib.Path) -> None:
    run = FILES / "model_run"
    subprocess.run([GRAFT, "train", photo_set, "--backbone", BACKBONE, "--out", run, "--set", "phases.0.epochs=2",
                    "--quiet"], check=True)
    (run / "model.pt").rename(FILES / "model.pt")


def make_files(photo_set: pathlib.Path) -> None:
    FILES.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        if not (FILES / f"{name}.xml").exists():
            write_network(name)
    if not (FILES / "photo.jpg").exists():
        write_photo(photo_set)
    if not (FILES / "model.pt").exists():
        write_model(photo_set)
