"""Where a backbone's module comes from: published Lite weights, torchvision, timm, a Python file, a state_dict."""

import importlib
import importlib.util
import pathlib
import sys

import torch
from torch import nn

from . import lite, state_dict, torchvision_operators
from .backbone import Backbone
from .torchscript_file import ExportError, first_line

DEFAULT = "efficientnet_lite0"
USUAL_SIDE = 224
ARCHITECTURES = ("torchvision", "timm", "python")  # kinds that need no weights


def build(
    source: str,
    *,
    pretrained: bool = False,
    architecture: str | None = None,
    num_classes: int | None = None,
    size: int | None = None,
) -> Backbone:
    """Builds what the command line names.

    Args:
        source: a name of lite.TABLE, torchvision:NAME, timm:NAME, python:FILE:FUNCTION or state_dict:FILE.
        pretrained: published weights rather than random ones, for torchvision and timm.
        architecture: of a state_dict: torchvision:NAME, timm:NAME or python:FILE:FUNCTION.
        num_classes: outputs of the classifier, where not those of the published network.
        size: side of the images in pixels, where not that of the published network.
    """
    kind, _, name = source.partition(":")
    if source in lite.TABLE:
        return lite.build(source)
    if name and kind == "torchvision":
        return from_torchvision(name, pretrained, num_classes, size)
    if name and kind == "timm":
        return from_timm(name, pretrained, num_classes, size)
    if name and kind == "python":
        return from_python(name, size)
    if name and kind == "state_dict":
        return from_state_dict(pathlib.Path(name), architecture, num_classes, size)
    kinds = "torchvision:NAME, timm:NAME, python:FILE:FUNCTION or state_dict:FILE"
    raise ExportError(f"backbone '{source}': expected {', '.join(lite.TABLE)}, {kinds}")


def import_package(name: str):
    torchvision_operators.provide()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(f"{name} does not import ({error}): pip install --no-deps {name}") from error


def size_option(size: int | None) -> str:
    return "" if size is None else f" --size {size}"


def from_torchvision(name: str, pretrained: bool, num_classes: int | None, size: int | None) -> Backbone:
    models = import_package("torchvision").models
    if name not in models.list_models(module=models):
        raise ExportError(f"torchvision has no classification network '{name}'")
    weights = models.get_model_weights(name).DEFAULT
    options = {} if num_classes is None else {"num_classes": num_classes}
    if not pretrained and name in ("inception_v3", "googlenet"):
        options["init_weights"] = False  # torchvision's own initialisation takes a minute
    try:
        module = models.get_model(name, weights=weights if pretrained else None, **options)
    except OSError as error:  # of the network, or of the folder that it caches them in
        raise ExportError(f"torchvision {name}: its weights could not be fetched: {first_line(error)}") from error
    side = weights.transforms().crop_size[0]
    made_for = getattr(module, "image_size", side)  # a network whose position embedding has a size
    if size not in (None, made_for) and hasattr(module, "image_size"):
        raise ExportError(f"torchvision {name} takes {made_for} pixels only: timm's vision transformers take --size")
    side, name_of_file = sized(name, side, size)
    origin = f"torchvision {name}, " + (f"weights {weights}" if pretrained else "random weights")
    loaded = weights if pretrained else None
    return Backbone(name_of_file, module.eval(), side, origin, f"torchvision:{name}", size_option(size), loaded)


def sized(name: str, published: int, size: int | None) -> tuple[int, str]:
    """The side to export for, and the name, which says a side that is not the published one."""
    return (published, name) if size in (None, published) else (size, f"{name}_{size}")


def from_timm(name: str, pretrained: bool, num_classes: int | None, size: int | None) -> Backbone:
    timm = import_package("timm")
    if not timm.is_model(name.partition(".")[0]):
        raise ExportError(f"timm has no network '{name}'")
    options = {} if num_classes is None else {"num_classes": num_classes}
    try:
        published = timm.get_pretrained_cfg(name)
        if size is not None and published is not None and published.fixed_input_size:
            options["img_size"] = size  # timm resamples the position embedding
        module = timm.create_model(name, pretrained=pretrained, scriptable=True, **options)
    except Exception as error:  # no such weights, no hub to take them from, a size that does not divide: many types
        raise ExportError(f"timm {name}: {first_line(error)}") from error
    weights = module.pretrained_cfg
    origin = f"timm {name}, {'published' if pretrained else 'random'} weights"
    side, name_of_file = sized(name.replace(".", "_"), weights["input_size"][-1], size)
    source = "timm:" + ".".join(filter(None, (name.partition(".")[0], weights.get("tag"))))
    loaded = weights if pretrained else None
    return Backbone(name_of_file, module.eval(), side, origin, source, size_option(size), loaded)


def from_python(file_and_function: str, size: int | None) -> Backbone:
    file, _, function = file_and_function.rpartition(":")
    path = pathlib.Path(file)
    if not path.is_file() or not function.isidentifier():
        raise ExportError(f"python:{file_and_function}: expected python:FILE:FUNCTION, and '{file}' to be a file")
    sys.path.insert(0, str(path.resolve().parent))  # a network's file may import its neighbours
    name = f"backbone_{path.stem}"  # a name of its own: a file may be called like a package
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None:
        raise ExportError(f"python:{file_and_function}: '{path.name}' does not end in .py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # TorchScript looks names up there
    try:
        spec.loader.exec_module(loaded)
        module = getattr(loaded, function)()
    except Exception as error:  # somebody's code: whatever it raises
        raise ExportError(f"python:{file_and_function}: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise ExportError(f"python:{file_and_function}: {function}() returns a {type(module).__name__}, no nn.Module")
    source = f"python:{path.name}:{function}"
    module = module.to("cpu").eval()
    return Backbone(function, module, size or USUAL_SIDE, f"{function} of {path.name}", source, size_option(size))


def from_state_dict(
    path: pathlib.Path, architecture: str | None, num_classes: int | None, size: int | None
) -> Backbone:
    if architecture is None or architecture.partition(":")[0] not in ARCHITECTURES:
        kinds = "torchvision:NAME, timm:NAME or python:FILE:FUNCTION"
        raise ExportError(f"a state_dict holds no network: name it with --architecture {kinds}")
    backbone = build(architecture, num_classes=num_classes, size=size)
    done = state_dict.load(backbone.module, path, architecture)
    origin = f"{architecture} with the weights of {path.name}" + "".join(f", {note}" for note in done)
    classes = "" if num_classes is None else f" --num-classes {num_classes}"
    options = f" --architecture {backbone.source}{classes}{size_option(size)}"
    return Backbone(path.stem, backbone.module, backbone.side, origin, f"state_dict:{path.name}", options)


def skeleton(source: str) -> Backbone:
    """A published network of torchvision or timm without values in its tensors: what its card needs, in a moment."""
    command, _, size = source.partition(" --size ")
    options = {"size": int(size) if size else None}
    try:
        with torch.device("meta"):
            return build(command, **options)
    except NotImplementedError:  # RegNet computes its widths with tensors, which must have values
        return build(command, **options)
