#!/usr/bin/env python3
"""Made tests/data/photos from TrashNet's training photos: make_photos.py FOLDER, where FOLDER holds glass/ and paper/."""

import pathlib
import sys

from PIL import Image

CLASSES = ("glass", "paper")
PER_CLASS = 12
SHORTER_SIDE = 96


def main(source: pathlib.Path) -> None:
    for name in CLASSES:
        target = pathlib.Path(__file__).parent / "photos" / name
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted((source / name).glob("*.jpg"))[:PER_CLASS]:
            photo = Image.open(path).convert("RGB")
            scale = SHORTER_SIDE / min(photo.size)
            size = tuple(round(side * scale) for side in photo.size)
            photo.resize(size, Image.Resampling.LANCZOS).save(target / path.name, quality=85)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
