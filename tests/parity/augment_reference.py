"""Writes images and what torchvision's augmentation makes of them, for tests/image to compare with.

usage: augment_reference.py FOLDER   (writes FOLDER/image/crops.pt, changed.pt, transformed.pt)
"""
import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from backbones import torchvision_operators  # noqa: E402

torchvision_operators.provide()
from image_reference import SIZE_CASES, picture, tensor  # noqa: E402
from torchvision import transforms  # noqa: E402
from torchvision.transforms import functional  # noqa: E402
from torchvision.transforms.v2 import functional as functional_v2  # noqa: E402
from torchvision_draws import Stream, channels_first, drawing_from, hue_turned  # noqa: E402

NEAREST, BILINEAR = transforms.InterpolationMode.NEAREST, transforms.InterpolationMode.BILINEAR
SIZE = 64


def write_crops(folder: pathlib.Path) -> None:
    """Rows of height, width, scale, ratio (two each), seed, then torchvision's top, left, height and width."""
    rows = []
    settings = [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.6, 1.0), (1.0, 1.0)), ((0.9, 1.0), (0.5, 0.6))]
    for scale, ratio in settings:
        for height, width in SIZE_CASES:
            for seed in range(12):
                with drawing_from(Stream(seed)):
                    image = torch.empty(3, 1, 1).expand(3, height, width)
                    box = transforms.RandomResizedCrop.get_params(image, list(scale), list(ratio))
                rows.append([height, width, *scale, *ratio, seed, *box])
    torch.save({"rows": torch.tensor(rows, dtype=torch.float64)}, folder / "crops.pt")


def components(image: torch.Tensor, alpha: list[float]) -> torch.Tensor:
    """The lighting noise of Krizhevsky et al. 2012, in the form and with the numbers of fb.resnet.torch."""
    deviations = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    shift = (vectors * np.array(alpha) * deviations).sum(1)
    return to_levels(image.numpy() / 255 + shift)


def to_levels(values) -> torch.Tensor:
    return torch.from_numpy(np.clip(np.rint(np.asarray(values, dtype=np.float64) * 255), 0, 255).astype(np.uint8))


def fixed_changes(photo: Image.Image) -> dict[str, torch.Tensor]:
    """Every change that torchvision can make with parameters that are no default of a recipe's."""
    changes = {}
    for mode in (NEAREST, BILINEAR):
        fill = (10, 200, 30)
        for degrees in (17.3, -61.0, 90.0, 180.0, 135.0):
            changes[f"rotate {degrees} {mode.value}"] = functional.rotate(photo, degrees, mode, fill=fill)
        for degrees, x, y, scale, shear_x, shear_y in ((10, 0, 0, 1, 0, 0), (0, 5, -7, 1, 0, 0), (0, 0, 0, 0.6, 0, 0),
                                                       (0, 0, 0, 1.7, 0, 0), (0, 0, 0, 1, 25, 0), (0, 0, 0, 1, 0, -31),
                                                       (-33, 4, 9, 1.3, 12, 8)):
            key = f"affine {degrees} {x} {y} {scale} {shear_x} {shear_y} {mode.value}"
            changes[key] = functional.affine(photo, degrees, [x, y], scale, [shear_x, shear_y], mode, fill)
        start = [[0, 0], [photo.width - 1, 0], [photo.width - 1, photo.height - 1], [0, photo.height - 1]]
        for end in ([[9, 3], [80, 11], [99, 70], [2, 60]], [[30, 20], [60, 5], [70, 55], [20, 70]]):
            key = "perspective " + " ".join(str(n) for corner in end for n in corner) + f" {mode.value}"
            changes[key] = functional.perspective(photo, start, end, mode, fill)
    for mode in ("constant", "edge", "reflect", "symmetric"):
        changes[f"pad 9 {mode}"] = functional.pad(photo, 9, (10, 200, 30) if mode == "constant" else 0, mode)
    for factor in (0.0, 0.3, 0.99, 1.5, 4.0):
        for name in ("brightness", "contrast", "saturation", "sharpness"):
            changes[f"{name} {factor}"] = getattr(functional, f"adjust_{name}")(photo, factor)
    for turns in (-0.5, -0.21, 0.05, 0.37, 0.5):
        changes[f"hue {turns}"] = hue_turned(photo, turns)
    for gamma in (0.2, 0.9, 1.1, 3.0):
        changes[f"gamma {gamma}"] = functional.adjust_gamma(photo, gamma)
    changes["grayscale"] = functional.to_grayscale(photo, 3)
    for bits in range(1, 9):
        changes[f"posterize {bits}"] = functional.posterize(photo, bits)
    for threshold in (0, 77.5, 128, 255):
        changes[f"solarize {threshold}"] = functional.solarize(photo, threshold)
    changes["equalize"], changes["autocontrast"] = functional.equalize(photo), functional.autocontrast(photo)
    for kernel_size, sigma in ((3, 0.1), (3, 5.0), (5, 0.8), (11, 1.7), (23, 6.0)):
        changes[f"blur {kernel_size} {sigma}"] = functional.gaussian_blur(photo, kernel_size, sigma)
    for alpha in ([0.1, -0.2, 0.3], [1.5, 0, 0], [0, 0, -3]):
        changes["components " + " ".join(map(str, alpha))] = components(tensor(photo), alpha)
    for quality in (1, 10, 50, 75, 95, 100):
        changes[f"jpeg {quality}"] = functional_v2.jpeg(photo, quality)
    return {key: value if isinstance(value, torch.Tensor) else tensor(value) for key, value in changes.items()}


def few_levels() -> Image.Image:
    """Three levels in red, one in green, two in blue: where equalize and autocontrast leave a channel alone."""
    image = np.zeros((40, 50, 3), dtype=np.uint8)
    image[:20, :30, 0], image[20:, 30:, 0] = 90, 130
    image[..., 1] = 77
    image[5:7, 8:9, 2] = 255
    return Image.fromarray(image)


def write_changed(folder: pathlib.Path) -> None:
    tensors = {}
    for name, photo in {"photo": Image.fromarray(picture(75, 101, 5)), "few levels": few_levels()}.items():
        tensors[f"{name}/image"] = tensor(photo)
        tensors |= {f"{name}/{key}": changed.contiguous() for key, changed in fixed_changes(photo).items()}
    torch.save(tensors, folder / "changed.pt")


def on_tensor(transform):
    return lambda photo, stream: transform(channels_first(photo)).permute(1, 2, 0)


def on_photo(transform):
    return lambda photo, stream: tensor(transform(photo))


def gaussian_noise(mean: float, sigma: float):
    def change(photo: Image.Image, stream: Stream) -> torch.Tensor:
        noise = torch.tensor(stream.normal(3 * photo.width * photo.height), dtype=torch.float64)
        image = tensor(photo).double() / 255
        return to_levels(torch.clamp(image + mean + sigma * noise.reshape(image.shape), 0, 1))
    return change


def lighting(sigma: float):
    return lambda photo, stream: components(tensor(photo), [sigma * n for n in stream.normal(3)])


def random_turn(photo: Image.Image, stream: Stream) -> torch.Tensor:
    return torch.rot90(tensor(photo), stream.below(4), (0, 1))


def random_crop(photo: Image.Image, stream: Stream) -> torch.Tensor:
    return tensor(transforms.RandomCrop(SIZE, padding=9, fill=(1, 2, 3), padding_mode="constant")(photo))


def geometry_cases() -> list:
    """Transforms as a recipe has them, and what they are in torchvision."""
    affine = {"degrees": 40, "translate": [0.2, 0.1], "scale": [0.7, 1.4], "shear": [-20, 20, -10, 15]}
    no_degrees = {"degrees": 0, "translate": (0, 0), "scale": (1, 1), "shear": (0, 0, 0, 0)}
    shear = no_degrees | {"shear": (-30, 30, 0, 0)}
    t, bilinear = transforms, {"interpolation": BILINEAR}
    return [
        ("horizontal_flip", {}, on_photo(t.RandomHorizontalFlip())),
        ("vertical_flip", {}, on_photo(t.RandomVerticalFlip())),
        ("random_quarter_turn", {}, random_turn),
        ("random_crop", {"padding": 9, "fill": [1, 2, 3]}, random_crop),
        ("random_rotation", {"degrees": 50}, on_photo(t.RandomRotation(50))),
        ("random_rotation", {"degrees": [80, 170], "interpolation": "bilinear", "fill": 99},
         on_photo(t.RandomRotation([80, 170], fill=99, **bilinear))),
        ("random_affine", affine, on_photo(t.RandomAffine(**affine))),
        ("random_affine", affine | {"interpolation": "bilinear", "fill": 7},
         on_photo(t.RandomAffine(**affine, **bilinear, fill=7))),
        ("random_affine", {"degrees": 0, "shear": 30}, on_photo(t.RandomAffine(**shear))),
        ("random_perspective", {}, on_photo(t.RandomPerspective())),
        ("random_perspective", {"distortion_scale": 0.8, "p": 1, "interpolation": "nearest", "fill": 50},
         on_photo(t.RandomPerspective(0.8, 1, NEAREST, fill=50))),
        ("elastic_transform", {}, on_photo(t.ElasticTransform())),
        ("elastic_transform", {"alpha": 200, "sigma": 3.3}, on_photo(t.ElasticTransform(200.0, 3.3))),
    ]


def level_cases() -> list:
    """The same for transforms that leave pixels where they are, and for policies."""
    jitter = {"brightness": 0.4, "contrast": [0.5, 2.0], "saturation": 0.7, "hue": 0.3}
    erasing = {"p": 0.8, "scale": [0.1, 0.4], "ratio": [0.5, 3.0]}
    t = transforms
    return [
        ("color_jitter", jitter, on_photo(t.ColorJitter(**jitter))),
        ("random_grayscale", {"p": 0.5}, on_photo(t.RandomGrayscale(0.5))),
        ("random_posterize", {"bits": 3}, on_photo(t.RandomPosterize(3))),
        ("random_solarize", {"threshold": 130}, on_photo(t.RandomSolarize(130))),
        ("random_equalize", {}, on_photo(t.RandomEqualize())),
        ("random_autocontrast", {}, on_photo(t.RandomAutocontrast())),
        ("random_adjust_sharpness", {"sharpness_factor": 2.5}, on_photo(t.RandomAdjustSharpness(2.5))),
        ("gaussian_blur", {"kernel_size": 9}, on_photo(t.GaussianBlur(9))),
        ("gaussian_blur", {"kernel_size": 5, "sigma": 1.5}, on_photo(t.GaussianBlur(5, 1.5))),
        ("pca_jitter", {"sigma": 0.5}, lighting(0.5)),
        ("gaussian_noise", {"mean": 0.05, "sigma": 0.2}, gaussian_noise(0.05, 0.2)),
        ("random_erasing", erasing, on_tensor(t.RandomErasing(**erasing))),
        ("random_erasing", erasing | {"value": [9, 8, 7]}, on_tensor(t.RandomErasing(**erasing, value=[9, 8, 7]))),
        ("trivial_augment_wide", {}, on_photo(t.TrivialAugmentWide())),
        ("trivial_augment_wide", {"num_magnitude_bins": 5, "interpolation": "bilinear", "fill": 128},
         on_photo(t.TrivialAugmentWide(5, BILINEAR, fill=[128, 128, 128]))),
        ("rand_augment", {}, on_photo(t.RandAugment())),
        ("rand_augment", {"num_ops": 3, "magnitude": 7, "num_magnitude_bins": 10},
         on_photo(t.RandAugment(3, 7, 10))),
    ]


def framed(array: np.ndarray) -> Image.Image:
    """With a black frame: at its very edge, elastic_transform mixes in fill and Graft does not."""
    framed_array = np.zeros_like(array)
    framed_array[8:-8, 8:-8] = array[8:-8, 8:-8]
    return Image.fromarray(framed_array)


def write_transformed(folder: pathlib.Path) -> None:
    tensors = {}
    photos = [Image.fromarray(picture(SIZE, SIZE, seed)) for seed in range(3)]
    for index, (name, options, transform) in enumerate(geometry_cases() + level_cases()):
        key = f"{index} {name}"
        seeds = range(60) if "augment" in name else range(12)
        tensors[f"{key}/recipe"] = torch.tensor(list(json.dumps({name: options}).encode()), dtype=torch.uint8)
        for seed in seeds:
            photo = photos[seed % 3] if name != "elastic_transform" else framed(picture(SIZE, SIZE, seed % 3))
            stream = Stream(seed)
            with drawing_from(stream):
                changed = transform(photo, stream)
            tensors[f"{key}/{seed}.image"], tensors[f"{key}/{seed}.changed"] = tensor(photo), changed.contiguous()
    torch.save(tensors, folder / "transformed.pt")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]) / "image"
    folder.mkdir(parents=True, exist_ok=True)
    for write in (write_crops, write_changed, write_transformed):
        write(folder)


if __name__ == "__main__":
    main()
