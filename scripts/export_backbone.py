#!/usr/bin/env python3
"""Exports a backbone as a TorchScript file that `graft train --backbone FILE` takes.

Without arguments: EfficientNet-Lite0 with its ImageNet weights, into weights/efficientnet_lite0.pt.
"""

import argparse
import importlib.util
import io
import os
import pathlib
import sys
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent


def restart_where_torch_is() -> None:
    """Goes on in a fresh interpreter: one that has torch, with the hash seed that the same bytes need.

    TorchScript writes a class's constants in the order of a set of strings, which the seed decides.
    """
    python = sys.executable
    if importlib.util.find_spec("torch") is None:
        python = str(ROOT / ".venv/bin/python")
        if sys.executable == python or not os.path.exists(python):
            sys.exit("error: Python has no torch: run scripts/setup quickstart, or install torch")
    if python != sys.executable or os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(python, [python, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})


if __name__ == "__main__":
    restart_where_torch_is()

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # nothing here needs it

import torch

from backbones import cards, sources, torchscript_file
from backbones.torchscript_file import ExportError

EXAMPLES = """examples:
  export_backbone.py                                        the default backbone
  export_backbone.py torchvision:resnet18 --pretrained      published weights, fetched by torchvision
  export_backbone.py timm:mobilenetv4_conv_small --random   random weights, for tests
  export_backbone.py state_dict:my.pth --architecture torchvision:resnet18 --num-classes 5
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("backbone", nargs="?", default=sources.DEFAULT, help="what to export (see examples)")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="the package's published weights")
    weights.add_argument("--random", action="store_true", help="random weights, seed 0")
    parser.add_argument("--architecture", metavar="SOURCE", help="of a state_dict: torchvision:NAME or timm:NAME")
    parser.add_argument("--num-classes", type=int, metavar="N", help="outputs of the classifier, where not the usual")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="default: weights/NAME.pt of this project")
    parser.add_argument("--card", type=pathlib.Path, metavar="FILE", help="also write the model card")
    parser.add_argument("--check", action="store_true", help="also compare with the package efficientnet-lite-pytorch")
    parser.add_argument("--write-cards", type=pathlib.Path, metavar="DIR", help="only write torchvision's cards")
    arguments = parser.parse_args()
    published = arguments.backbone.startswith(("torchvision:", "timm:"))
    if published and not (arguments.pretrained or arguments.random):
        parser.error("say --pretrained or --random")
    if not published and (arguments.pretrained or arguments.random):
        parser.error(f"{arguments.backbone} brings its own weights: leave out --pretrained and --random")
    if arguments.architecture and not arguments.backbone.startswith("state_dict:"):
        parser.error("--architecture goes with state_dict:FILE")
    if arguments.check and arguments.backbone != sources.DEFAULT:
        parser.error(f"--check goes with {sources.DEFAULT}")
    if arguments.num_classes is not None and (arguments.backbone == sources.DEFAULT or arguments.pretrained):
        parser.error("--num-classes goes with --random and state_dict: published weights have their own")
    return arguments


def check_against_package(module: torch.nn.Module, batches: list[torch.Tensor]) -> float:
    """Compares with the independent implementation that the weights were published for."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ExportError(
            "--check needs the package: pip install --no-deps efficientnet-lite-pytorch==0.1.0"
        ) from error
    reference = EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(torch.load(io.BytesIO(sources.lite0_weights()), weights_only=True))
    reference.eval()
    with torch.no_grad():
        worst = max(torchscript_file.relative_difference(module(images), reference(images)) for images in batches)
    if not worst < 1e-5:
        raise ExportError(f"logits differ from efficientnet-lite-pytorch's by {worst:.1e}, less than 1e-5 expected")
    return worst


def export(arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    backbone = sources.build(
        arguments.backbone,
        pretrained=arguments.pretrained,
        architecture=arguments.architecture,
        num_classes=arguments.num_classes,
    )
    batches = [torch.randn(count, 3, backbone.side, backbone.side) for count in (2, 1)]
    compiled, how = torchscript_file.compile_module(backbone.module, batches[0])
    content = torchscript_file.serialized(compiled)
    difference = torchscript_file.check_reload(content, backbone.module, batches)
    print(f"export: {backbone.origin}; {how}; reloaded, differs by {difference:.1e}")
    if arguments.check:
        print(
            f"export: differs from efficientnet-lite-pytorch by {check_against_package(backbone.module, batches):.1e}"
        )
    out = arguments.out or ROOT / "weights" / f"{backbone.name}.pt"
    sha256 = torchscript_file.write_whole(out, content)
    print(f"export: wrote {out}, {len(content) / 1e6:.1f} MB, SHA-256 {sha256}")
    if arguments.card:
        cards.write_card(arguments.card, cards.card_of(backbone, sha256))
        print(f"export: wrote {arguments.card}")


def main() -> int:
    arguments = parse_arguments()
    try:
        if arguments.write_cards:
            for path in cards.write_common_cards(arguments.write_cards):
                print(f"export: wrote {path}")
        else:
            export(arguments)
    except (ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
