"""Writes images and what Pillow and torchvision make of them, for tests/image to compare with.

usage: image_reference.py FOLDER   (writes FOLDER/image/files/*, decoded.pt, reduced.pt, resized.pt, fitted.pt, views.pt)
"""
import io
import pathlib
import struct
import sys
import warnings
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from backbones import torchvision_operators  # noqa: E402

torchvision_operators.provide()
from torchvision import transforms  # noqa: E402
from torchvision.transforms import functional  # noqa: E402

ORIENTATION = 0x0112
SIZE_CASES = [(375, 500), (500, 375), (224, 224), (57, 43), (1, 1), (1000, 40), (31, 992), (256, 300), (700, 150)]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Something like a photo: smooth shades, hard edges and a little noise."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = []
    for channel in range(3):
        plane = 120 + 90 * np.sin(7 * x + channel) * np.cos(5 * y + seed) + 60 * ((9 * (x + y)).astype(int) % 2)
        planes.append(plane + random.normal(0, 6, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB")))


def png(width: int, height: int, depth: int, color: int, rows: list[bytes], extra: bytes = b"") -> bytes:
    """A PNG of a kind that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def orientation_files(photo: Image.Image) -> dict[str, bytes]:
    files = {}
    for value in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        files[f"orientation{value}.jpg"] = encoded(photo, "JPEG", quality=92, exif=exif)
        files[f"orientation{value}.png"] = encoded(photo, "PNG", exif=exif)
        files[f"orientation{value}.webp"] = encoded(photo, "WEBP", lossless=True, exif=exif)
        files[f"orientation{value}.tif"] = encoded(photo, "TIFF", tiffinfo={ORIENTATION: value})
    return files


def jpeg_files(photo: Image.Image) -> dict[str, bytes]:
    files = {f"sampling{i}.jpg": encoded(photo, "JPEG", quality=88, subsampling=i) for i in range(3)}
    files["progressive.jpg"] = encoded(photo, "JPEG", quality=88, progressive=True)
    files["grey.jpg"] = encoded(photo.convert("L"), "JPEG", quality=88)
    files["cmyk.jpg"] = encoded(photo.convert("CMYK"), "JPEG", quality=88)
    return files


def png_files(photo: Image.Image, deep: np.ndarray) -> dict[str, bytes]:
    height, width = deep.shape[:2]
    palette = photo.quantize(200)
    grey_row = [row.astype(">u2").tobytes() for row in deep[..., 0]]
    files = {"rgb.png": encoded(photo, "PNG"), "rgba.png": encoded(with_alpha(photo), "PNG")}
    files["la.png"] = encoded(with_alpha(photo).convert("LA"), "PNG")
    files["grey.png"] = encoded(photo.convert("L"), "PNG")
    files["black_and_white.png"] = encoded(photo.convert("1"), "PNG")
    files["palette.png"] = encoded(palette, "PNG")
    files["palette_transparent.png"] = encoded(palette, "PNG", transparency=bytes(range(200)))
    files["palette_4_colors.png"] = encoded(photo.quantize(4), "PNG", bits=2)
    files["rgb16.png"] = png(width, height, 16, 2, [row.astype(">u2").tobytes() for row in deep])
    files["grey16.png"] = png(width, height, 16, 0, grey_row)
    rows = [row.tobytes() for row in np.array(photo)]
    files["broken_profile.png"] = png(width, height, 8, 2, rows, chunk(b"iCCP", b"broken\0\0nonsense"))
    return files


def other_files(photo: Image.Image, deep: np.ndarray) -> dict[str, bytes]:
    palette, rgba = photo.quantize(200), with_alpha(photo)
    files = {"rgb.webp": encoded(photo, "WEBP", quality=90), "rgba.webp": encoded(rgba, "WEBP", lossless=True)}
    files |= {"rgb.bmp": encoded(photo, "BMP"), "rgba.bmp": encoded(rgba, "BMP")}
    files |= {"palette.bmp": encoded(palette, "BMP"), "grey.bmp": encoded(photo.convert("L"), "BMP")}
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        files[f"rgb_{name}.tif"] = encoded(photo, "TIFF", compression=name)
    files |= {"palette.tif": encoded(palette, "TIFF"), "rgba.tif": encoded(rgba, "TIFF")}
    files |= {"grey.tif": encoded(photo.convert("L"), "TIFF"), "cmyk.tif": encoded(photo.convert("CMYK"), "TIFF")}
    files["black_and_white.tif"] = encoded(photo.convert("1"), "TIFF")
    files["grey16.tif"] = encoded(Image.fromarray(deep[..., 0]), "TIFF")
    return files


def with_alpha(photo: Image.Image) -> Image.Image:
    alpha = np.linspace(0, 255, photo.width * photo.height).reshape(photo.height, photo.width)
    return Image.fromarray(np.dstack([np.array(photo), alpha.astype(np.uint8)]), "RGBA")


def write_decoded(folder: pathlib.Path) -> None:
    photo = Image.fromarray(picture(75, 101, 1))
    deep = picture(75, 101, 2).astype(np.uint16) * 256 + picture(75, 101, 3)
    files = orientation_files(photo) | jpeg_files(photo) | png_files(photo, deep) | other_files(photo, deep)
    (folder / "files").mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, content in files.items():
        (folder / "files" / name).write_bytes(content)
        with Image.open(io.BytesIO(content)) as image:
            expected[f"{name}/rgb"] = tensor(ImageOps.exif_transpose(image))
    # Pillow clips 16-bit grey at 255, which leaves a white image: the high byte is what was meant.
    for name in ("grey16.png", "grey16.tif"):
        expected[f"{name}/rgb"] = torch.from_numpy((deep[..., :1] >> 8).astype(np.uint8)).repeat(1, 1, 3)
    torch.save(expected, folder / "decoded.pt")


def write_reduced(folder: pathlib.Path) -> None:
    content = encoded(Image.fromarray(picture(611, 803, 4)), "JPEG", quality=92)
    (folder / "files" / "large.jpg").write_bytes(content)
    expected = {}
    for factor in (1, 2, 4, 8):
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (803 // factor, 611 // factor))
            expected[str(factor)] = tensor(image)
    torch.save(expected, folder / "reduced.pt")


def write_resized(folder: pathlib.Path) -> None:
    cases = [(375, 500, 256, 341), (375, 500, 224, 224), (57, 43, 224, 168), (101, 67, 50, 33), (1, 1, 7, 7),
             (3, 200, 4, 266), (480, 640, 17, 23), (90, 90, 90, 90), (64, 90, 64, 45),
             (57, 43, 56, 56), (60, 70, 50, 90), (700, 150, 373, 80), (104, 85, 86, 76), (104, 85, 86, 75)]
    tensors = {}
    for index, (height, width, to_height, to_width) in enumerate(cases):
        image = Image.fromarray(picture(height, width, index))
        tensors[f"{index}.image"] = tensor(image)
        for name, kind in FILTERS.items():
            tensors[f"{index}.{name}"] = tensor(image.resize((to_width, to_height), kind))
    torch.save(tensors, folder / "resized.pt")


def write_fitted(folder: pathlib.Path) -> None:
    """torchvision's evaluation transforms on Pillow images, for four ways to prepare a 56 x 56 input."""
    size, tensors = 56, {}
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    for index, (height, width) in enumerate(SIZE_CASES):
        image = Image.fromarray(picture(height, width, index))
        tensors[f"{index}.image"] = tensor(image)
        for name, side in {"crop": 64, "whole": size, "squash": (size, size)}.items():
            for filter_name, kind in FILTERS.items():
                fit = transforms.Compose([transforms.Resize(side, kind), transforms.CenterCrop(size)])
                fitted = fit(image)
                tensors[f"{index}.{name}.{filter_name}"] = tensor(fitted)
        normalized = transforms.Normalize(mean, std)(transforms.ToTensor()(fitted))
        tensors[f"{index}.normalized"] = normalized
    torch.save(tensors, folder / "fitted.pt")


def write_views(folder: pathlib.Path) -> None:
    """torchvision's crops and flips of images that are of the resized size already, for a 56 x 56 input."""
    size, tensors = 56, {}
    for index, (height, width) in enumerate([(64, 91), (90, 64), (64, 64), (64, 301)]):
        image = Image.fromarray(picture(height, width, index))
        fitted = functional.center_crop(image, size)
        upside_down = functional.vflip(fitted)
        views = {
            "none": [fitted], "hflip": [fitted, functional.hflip(fitted)],
            "flips": [fitted, functional.hflip(fitted), upside_down, functional.hflip(upside_down)],
            "five_crop": functional.five_crop(image, size), "ten_crop": functional.ten_crop(image, size),
        }
        tensors[f"{index}.image"] = tensor(image)
        tensors |= {f"{index}.{name}": torch.stack([tensor(view) for view in seen]) for name, seen in views.items()}
    torch.save(tensors, folder / "views.pt")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]) / "image"
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", message="Palette images with Transparency")
    for write in (write_decoded, write_reduced, write_resized, write_fitted, write_views):
        write(folder)


if __name__ == "__main__":
    main()
