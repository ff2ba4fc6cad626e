"""What a run's folder holds, as Python reads it."""

import csv
import json
import pathlib
import warnings

import torch
from tensorboard.backend.event_processing import event_accumulator
from torch.jit import _pickle

# LibTorch's pickler tags a dictionary with its type, and Python wants to be told that this is harmless.
torch.serialization.add_safe_globals([_pickle.restore_type_tag])


def load_module(path: pathlib.Path, extra_files: dict | None = None) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as a whole
        return torch.jit.load(str(path), _extra_files=extra_files)


def module_tensors(path: pathlib.Path) -> dict[str, torch.Tensor]:
    """Every parameter and buffer by name."""
    module = load_module(path)
    return dict(module.named_parameters()) | dict(module.named_buffers())


def checkpoint_tensors(run: pathlib.Path, name: str = "last") -> dict[str, torch.Tensor]:
    tensors = torch.load(run / f"checkpoint/{name}.pt", weights_only=True)
    del tensors["state.json"]
    return dict(tensors)


def history(run: pathlib.Path) -> list[dict]:
    """One record an epoch, without the time that it took."""
    path = run / "history.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [without_time(record) for record in records]


def metrics(run: pathlib.Path) -> dict:
    """metrics.json without the time that the run took."""
    content = json.loads((run / "metrics.json").read_text())
    return content | {"timing": sorted(content["timing"]), "last": without_time(content["last"])}


def curves(run: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """By tag the steps and values that TensorBoard shows."""
    events = event_accumulator.EventAccumulator(str(run))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def without_time(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in ("seconds", "images_per_second")}


def table(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def differing(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> list[str]:
    """Names of tensors that are not the same bit for bit, or that one side lacks."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if not same_bits(found.get(name), expected.get(name))]


def same_bits(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    if a is None or b is None or a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.detach().contiguous().numpy().tobytes() == b.detach().contiguous().numpy().tobytes()
