#!/usr/bin/env python3
"""Draws docs/pictures/graft.svg, the picture of the README. With --check it only says whether the file is up to date."""

import pathlib
import sys

PICTURE = pathlib.Path(__file__).resolve().parent.parent / "docs/pictures/graft.svg"
WIDTH, HEIGHT = 900, 404

INK, QUIET, PAPER = "#22303c", "#5f7180", "#ffffff"
FROZEN, FROZEN_EDGE = "#dcebf7", "#5b93c0"
TRAINED, TRAINED_EDGE = "#dff1dc", "#4f9a4a"
FILE, FILE_EDGE = "#fdf3da", "#c79a2b"

STAGES = ["conv_stem", "blocks.0", "blocks.1", "…", "blocks.6", "conv_head"]
HEAD = ["batch_norm", "linear 256", "relu", "linear"]
FILE_CONTENT = ["preprocessing", "backbone", "head", "class names", "recipe, metrics", "golden pair"]
USERS = ["graft predict", "torch.jit.load, Python alone", "graft::Predictor, C++"]


def text(x, y, content, size=13, color=INK, anchor="middle", weight="normal"):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{content}</text>'
    )


def box(x, y, width, height, fill, edge, dashed=False):
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.5"{dash}/>'
    )


def arrow(points, color=INK):
    path = " L".join(f"{x} {y}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.8" marker-end="url(#tip)"/>'


def backbone():
    """The stages in a row, frozen, from the images on the left to the cut on the right."""
    parts = [text(265, 40, "anyone's TorchScript backbone", 15, weight="bold")]
    parts.append(text(265, 60, "scripted or traced, no source code needed", 12, QUIET))
    for i, stage in enumerate(STAGES):
        x = 40 + 76 * i
        parts += [box(x, 84, 66, 74, FROZEN, FROZEN_EDGE), text(x + 33, 125, stage, 11)]
    parts.append(f'<path d="M40 172 v8 h446 v-8" fill="none" stroke="{FROZEN_EDGE}" stroke-width="1.5"/>')
    parts.append(text(263, 199, "frozen: runs once an image, its activations are kept", 12, QUIET))
    return parts


def cut():
    """The classifier, cut off and fallen away."""
    return [
        f'<path d="M500 70 V178" stroke="#b5443c" stroke-width="2" stroke-dasharray="7 5"/>',
        text(500, 58, "cut", 13, "#b5443c", weight="bold"),
        '<g opacity="0.55" transform="rotate(14 560 300)">',
        box(520, 86, 96, 44, "#eceff1", "#90a0ac", dashed=True),
        text(568, 104, "classifier", 12, QUIET),
        text(568, 121, "1000 classes", 11, QUIET),
        "</g>",
    ]


def head():
    """The new head, grafted on below the cut and reached from the backbone's features."""
    parts = [box(296, 248, 348, 84, TRAINED, TRAINED_EDGE), text(470, 270, "head", 14, weight="bold")]
    for i, layer in enumerate(HEAD):
        x = 308 + 82 * i
        width = 74 if i < 3 else 78
        parts += [box(x, 282, width, 36, PAPER, TRAINED_EDGE), text(x + width / 2, 304, layer, 10.5)]
    parts.append(text(470, 352, "grafted on and trained on your photos, with as many", 12, QUIET))
    parts.append(text(470, 368, "of the last stages as the recipe's phases name", 12, QUIET))
    parts.append(arrow([(492, 121), (512, 121), (512, 240)], TRAINED_EDGE))
    return parts


def photos():
    parts = []
    for i, color in enumerate(["#b8d8be", "#f0c9a6", "#c9c2e6"]):
        x, y = 92 + 12 * i, 262 + 12 * i
        parts.append(f'<rect x="{x}" y="{y}" width="76" height="52" rx="3" fill="{color}" stroke="{INK}"/>')
        parts.append(f'<path d="M{x + 8} {y + 44} l18 -22 l12 12 l10 -8 l20 18 z" fill="{PAPER}" opacity="0.85"/>')
        parts.append(f'<circle cx="{x + 58}" cy="{y + 14}" r="6" fill="{PAPER}" opacity="0.85"/>')
    parts.append(text(142, 362, "your photos", 14, weight="bold"))
    parts.append(text(142, 379, "one folder a class", 12, QUIET))
    parts.append(arrow([(86, 290), (20, 290), (20, 121), (36, 121)]))
    return parts


def file():
    parts = [
        f'<path d="M716 92 h120 l26 26 v176 h-146 z" fill="{FILE}" stroke="{FILE_EDGE}" stroke-width="1.8"/>',
        f'<path d="M836 92 v26 h26" fill="none" stroke="{FILE_EDGE}" stroke-width="1.8"/>',
        text(789, 58, "one TorchScript file", 15, weight="bold"),
        text(789, 77, "reloaded and compared", 12, QUIET),
        text(770, 116, "model.pt", 14, weight="bold"),
    ]
    parts += [text(789, 146 + 25 * i, line, 12.5) for i, line in enumerate(FILE_CONTENT)]
    parts.append(arrow([(646, 290), (682, 290), (682, 200), (708, 200)]))
    parts.append(arrow([(789, 296), (789, 322)]))
    parts += [text(789, 341 + 18 * i, user, 12.5) for i, user in enumerate(USERS)]
    return parts


def picture():
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>Graft cuts the classifier off a pretrained backbone, grafts a new head on, trains it on your photos and "
        "writes one TorchScript file</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{INK}"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="{PAPER}"/>',
        *backbone(),
        *cut(),
        *head(),
        *photos(),
        *file(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    if "--check" in sys.argv[1:]:
        fresh = PICTURE.is_file() and PICTURE.read_text() == picture()
        if not fresh:
            print(f"error: {PICTURE.name} is not what this script draws: run scripts/draw_pictures.py", file=sys.stderr)
        return 0 if fresh else 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture())
    return 0


if __name__ == "__main__":
    sys.exit(main())
