#!/usr/bin/env python3
"""Writes tests/data/formats: one small image in every file format and pixel layout that decoding has to know, and files
that are no images. All are made from numbers, so the same Pillow writes the same bytes.

Every readable file except those of orientation-*.jpg shows the same 24x16 picture: red grows to the right, green
downwards, blue is 255 in the top left quarter. orientation-N.jpg show it too, once turned upright by their EXIF tag N.
"""

import pathlib

import numpy
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / "formats"
WIDTH, HEIGHT = 24, 16
ORIENTATION_TAG = 0x0112
# What a camera that tags N has stored, from the upright picture: the inverse of the turn that the tag asks for.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture() -> Image.Image:
    pixels = numpy.zeros((HEIGHT, WIDTH, 3), numpy.uint8)
    pixels[:, :, 0] = numpy.linspace(0, 255, WIDTH).round()
    pixels[:, :, 1] = numpy.linspace(0, 255, HEIGHT).round()[:, None]
    pixels[: HEIGHT // 2, : WIDTH // 2, 2] = 255
    return Image.fromarray(pixels)


def write_layouts(image: Image.Image) -> None:
    ramp = numpy.asarray(image.convert("L"))
    alpha = Image.fromarray(numpy.linspace(0, 255, WIDTH * HEIGHT).astype(numpy.uint8).reshape(HEIGHT, WIDTH))
    image.save(FOLDER / "rgb.jpg", quality=95, subsampling=0)
    image.save(FOLDER / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    image.convert("L").save(FOLDER / "grey.jpg", quality=95)
    image.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95)
    image.save(FOLDER / "rgb.png")
    image.convert("L").save(FOLDER / "grey.png")
    image.convert("1").save(FOLDER / "bilevel.png")
    image.quantize(16).save(FOLDER / "palette.png")
    image.quantize(16).save(FOLDER / "palette-transparent.png", transparency=0)
    Image.fromarray(ramp.astype(numpy.uint16) * 257).save(FOLDER / "grey-16bit.png")
    with_alpha = image.copy()
    with_alpha.putalpha(alpha)
    with_alpha.save(FOLDER / "rgba.png")
    grey_alpha = image.convert("L")
    grey_alpha.putalpha(alpha)
    grey_alpha.save(FOLDER / "grey-alpha.png")


def write_containers(image: Image.Image) -> None:
    image.save(FOLDER / "lossless.webp", lossless=True)
    image.save(FOLDER / "lossy.webp", quality=80)
    image.save(FOLDER / "rgb.bmp")
    image.save(FOLDER / "rgb.tiff")
    image.convert("L").save(FOLDER / "grey.tiff", compression="tiff_lzw")
    image.save(FOLDER / "first-frame.gif", save_all=True, append_images=[Image.new("RGB", image.size)], duration=100)
    (FOLDER / "png-named.jpg").write_bytes((FOLDER / "rgb.png").read_bytes())


def write_orientations(image: Image.Image) -> None:
    for orientation, stored in STORED.items():
        photo = image if stored is None else image.transpose(stored)
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        photo.save(FOLDER / f"orientation-{orientation}.jpg", quality=95, subsampling=0, exif=exif)


def write_damaged() -> None:
    jpeg, png = (FOLDER / "rgb.jpg").read_bytes(), (FOLDER / "rgb.png").read_bytes()
    (FOLDER / "truncated.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    (FOLDER / "truncated.png").write_bytes(png[: len(png) * 2 // 3])
    (FOLDER / "header-only.jpg").write_bytes(jpeg[:20])
    (FOLDER / "empty.jpg").write_bytes(b"")
    (FOLDER / "text.jpg").write_text("This is a text, whatever its name says.\n")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    image = picture()
    write_layouts(image)
    write_containers(image)
    write_orientations(image)
    write_damaged()


if __name__ == "__main__":
    main()
