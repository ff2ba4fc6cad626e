"""Weights without a network: files of tensors, read without running anything, and laid into a named architecture."""

import pathlib
import zipfile

import torch
from torch import Tensor, nn

from .torchscript_file import ExportError

# Where training scripts commonly put the network's tensors; the first that is there is taken, and said.
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net")
SHOWN = 3


def is_torchscript(path: pathlib.Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read(path: pathlib.Path):
    """What the file holds, as far as it is plain data."""
    if not path.is_file():
        raise ExportError(f"there is no file '{path}'")
    if is_torchscript(path):
        raise ExportError(f"'{path}' is a TorchScript file, network included: graft takes it as it is")
    if path.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file
        except ImportError as error:
            raise ExportError(f"'{path}' needs a package: pip install safetensors") from error
        reader, options = load_file, {}
    else:
        reader, options = torch.load, {"map_location": "cpu", "weights_only": True}
    try:
        return reader(path, **options)
    except Exception as error:  # a different type for every way in which a file can be wrong
        raise ExportError(
            f"'{path}' is no file of tensors alone ({type(error).__name__}): save module.state_dict()"
        ) from error


def is_tensors(content) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(item, Tensor) for item in content.values())


def unwrap(content, path: pathlib.Path) -> tuple[dict[str, Tensor], list[str]]:
    """The dictionary of tensors within what training scripts save, and what was done to get there."""
    notes = []
    while not is_tensors(content):
        keys = list(content) if isinstance(content, dict) else []
        wrapper = next((key for key in WRAPPERS if key in keys and isinstance(content[key], dict)), None)
        if wrapper is None:
            found = f"keys {', '.join(map(str, keys[:SHOWN]))}" if keys else f"a {type(content).__name__}"
            raise ExportError(f"'{path}' holds no state_dict ({found}): expected a dictionary of tensors")
        notes.append(f"its '{wrapper}'")
        content = content[wrapper]
    return content, notes


def strip_prefix(tensors: dict[str, Tensor], own: list[str]) -> tuple[dict[str, Tensor], list[str]]:
    """Takes off the names that a wrapping module (DataParallel, Lightning, torch.compile) puts before every key."""
    notes = []
    while True:
        first = {key.partition(".")[0] for key in tensors}
        prefix = f"{next(iter(first))}."
        if len(first) != 1 or any(key.startswith(prefix) or f"{key}." == prefix for key in own):
            return tensors, notes
        if not all(key.startswith(prefix) for key in tensors):
            return tensors, notes
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
        notes.append(f"without the prefix '{prefix}'")


def listed(what: str, items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"{len(items)} {what}: {', '.join(items[:SHOWN])}{more}"


def differences(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """One text for each way in which the keys and shapes are not the network's own."""
    counters = ".num_batches_tracked"  # of BatchNorm; files from before it existed lack it, and nothing depends on it
    missing = [key for key in own if key not in tensors and not key.endswith(counters)]
    unexpected = [key for key in tensors if key not in own]
    shapes = [
        f"{key} is {list(tensors[key].shape)}, expected {list(value.shape)}"
        for key, value in own.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
    return [listed(what, items) for what, items in kinds if items]


def load(module: nn.Module, path: pathlib.Path, architecture: str) -> list[str]:
    """Lays the file's tensors into the module. Returns what was done to them on the way."""
    own = module.state_dict()
    tensors, notes = unwrap(read(path), path)
    tensors, stripped = strip_prefix(tensors, list(own))
    problems = differences(tensors, own)
    if problems:
        hint = "another architecture, or other classes (--num-classes N)?"
        raise ExportError(f"'{path}' does not fit {architecture}: {'; '.join(problems)}: {hint}")
    module.load_state_dict(tensors, strict=False)
    return notes + stripped
