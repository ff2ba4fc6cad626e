#!/usr/bin/env python3
"""Exports a backbone as a TorchScript file that `graft train --backbone FILE` takes.

Without arguments: EfficientNet-Lite0 with its ImageNet weights, into weights/efficientnet_lite0.pt.
"""

import argparse
import hashlib
import importlib.util
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

from backbones import cards, lite, sources, torchscript_file
from backbones.torchscript_file import ExportError

EXAMPLES = """examples:
  export_backbone.py                                        the default backbone; also efficientnet_lite1, _lite2
  export_backbone.py torchvision:resnet18 --pretrained      published weights, fetched by torchvision
  export_backbone.py timm:vit_small_patch14_dinov2.lvd142m --pretrained --size 224
  export_backbone.py timm:mobilenetv4_conv_small --random   random weights, for tests
  export_backbone.py python:nets.py:small_net --size 96     what the function small_net() of nets.py returns
  export_backbone.py state_dict:my.pth --architecture torchvision:resnet18 --num-classes 5
"""
STATED = ("mean", "std", "interpolation", "resize", "crop")  # of a card's input, by its owner


def number(kind: type, low: float, high: float):
    """An argument's type: a number of that kind within those limits, which are a model card's."""

    def read(text: str):
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: expected {low} to {high}")
        return value

    read.__name__ = kind.__name__  # argparse names the type by it
    return read


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("backbone", nargs="?", default=sources.DEFAULT, help="what to export (see examples)")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="the package's published weights")
    weights.add_argument("--random", action="store_true", help="random weights, seed 0")
    architecture = "of a state_dict: torchvision:NAME, timm:NAME or python:FILE:FUNCTION"
    parser.add_argument("--architecture", metavar="SOURCE", help=architecture)
    outputs, side = number(int, 1, 1000000), number(int, 8, 4096)
    parser.add_argument("--num-classes", type=outputs, metavar="N", help="of the classifier, where not the usual")
    parser.add_argument("--size", type=side, metavar="N", help="side of the images in pixels, where not the usual")
    parser.add_argument("--trace", action="store_true", help="trace without trying to script")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="default: weights/NAME.pt of this project")
    parser.add_argument("--check", action="store_true", help="also compare with the package efficientnet-lite-pytorch")
    only_cards = "write the cards of torchvision and timm, nothing else"
    parser.add_argument("--write-cards", type=pathlib.Path, metavar="DIR", help=only_cards)
    card = parser.add_argument_group("model card", "what Graft then knows of a network of your own")
    card.add_argument("--card", type=pathlib.Path, metavar="FILE", help="also write it; models/NAME.json is found")
    card.add_argument("--mean", type=number(float, -1000, 1000), nargs=3, metavar=("R", "G", "B"))
    card.add_argument("--std", type=number(float, 1e-6, 1000), nargs=3, metavar=("R", "G", "B"))
    card.add_argument("--interpolation", choices=cards.INTERPOLATIONS)
    card.add_argument("--resize", choices=("shorter", "squash"), help="the shorter side and a crop, or both sides")
    part = number(float, 0.1, 1)
    card.add_argument("--crop", type=part, metavar="C", help="side of the crop, as a part of the shorter side")
    return parser


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Of the command line, or of the words given. Ends the process where they make no sense together."""
    parser = make_parser()
    arguments = parser.parse_args(words)
    kind = arguments.backbone.partition(":")[0]
    own = kind in ("state_dict", "python")
    published = kind in ("torchvision", "timm")
    if published and not (arguments.pretrained or arguments.random):
        parser.error("say --pretrained or --random")
    if not published and (arguments.pretrained or arguments.random):
        parser.error(f"{arguments.backbone} brings its own weights: leave out --pretrained and --random")
    if arguments.architecture and kind != "state_dict":
        parser.error("--architecture goes with state_dict:FILE")
    if arguments.check and arguments.backbone not in lite.TABLE:
        parser.error(f"--check goes with {', '.join(lite.TABLE)}")
    if arguments.backbone in lite.TABLE and arguments.size is not None:
        parser.error(f"{arguments.backbone} has a size of its own: leave out --size")
    named = arguments.architecture if kind == "state_dict" else arguments.backbone
    takes_classes = (kind == "state_dict" or arguments.random) and not (named or "").startswith("python:")
    if arguments.num_classes is not None and not takes_classes:
        parser.error("--num-classes goes with --random and state_dict: anything else has its own")
    stated = [f"--{name}" for name in STATED if getattr(arguments, name) is not None]
    if stated and not (own and arguments.card):
        parser.error(f"{stated[0]} goes with --card and state_dict: or python:, of whose images nothing is known")
    return arguments


def export(arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    backbone = sources.build(
        arguments.backbone,
        pretrained=arguments.pretrained,
        architecture=arguments.architecture,
        num_classes=arguments.num_classes,
        size=arguments.size,
    )
    batches = [torch.randn(count, 3, backbone.side, backbone.side) for count in (2, 1)]
    compiled, how = torchscript_file.compile_module(backbone.module, batches[0], trace=arguments.trace)
    content = torchscript_file.serialized(compiled)
    difference = torchscript_file.check_reload(content, backbone.module, batches)
    print(f"export: {backbone.origin}, {backbone.side} pixels; {how}; reloaded, differs by {difference:.1e}")
    if arguments.check:
        print(f"export: differs from efficientnet-lite-pytorch by {lite.check_against_package(backbone, batches):.1e}")
    out = arguments.out or ROOT / "weights" / f"{backbone.name}.pt"
    card = None
    if arguments.card:
        stated = {name: getattr(arguments, name) for name in STATED if getattr(arguments, name) is not None}
        card = cards.card_of(backbone, hashlib.sha256(content).hexdigest(), stated)
        card |= {"name": arguments.card.stem, "file": out.name}
    sha256 = torchscript_file.write_whole(out, content)
    print(f"export: wrote {out}, {len(content) / 1e6:.1f} MB, SHA-256 {sha256}")
    if card:
        cards.write_card(arguments.card, card)
        print(f"export: wrote {arguments.card}")


def main(words: list[str] | None = None) -> int:
    arguments = parse_arguments(words)
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
