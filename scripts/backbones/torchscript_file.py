"""Module -> TorchScript -> file: compiled, free of this machine's paths, reloaded and compared, written whole."""

import hashlib
import io
import os
import pathlib
import warnings

import torch
from torch import Tensor, nn

RELATIVE_TOLERANCE = 1e-5


class ExportError(Exception):
    """What a user can mend; its text is shown as it is."""


def compile_module(module: nn.Module, images: Tensor) -> tuple[torch.jit.ScriptModule, str]:
    """Scripts the module, or traces it on images where scripting fails. Returns it with how it was made, and why."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return torch.jit.script(module), "scripted"
        except Exception as error:  # the compiler raises many types, plain RuntimeError among them
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[0] if lines else type(error).__name__
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return torch.jit.trace(module, images, check_trace=False), f"traced: scripting failed with '{reason}'"


def serialized(compiled: torch.jit.ScriptModule) -> bytes:
    """The file's bytes without the debug records, which hold paths of this machine. Same module, same bytes."""
    saved = io.BytesIO()
    torch.jit.save(compiled, saved)
    saved.seek(0)
    reader = torch._C.PyTorchFileReader(saved)
    result = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(result)
    writer.set_min_version(int(reader.get_record("version")))
    for name in reader.get_all_records():
        if name.endswith(".debug_pkl") or name in ("version", ".data/serialization_id"):
            continue  # the writer makes the last two itself
        record = reader.get_record(name)
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return result.getvalue()


def write_whole(path: pathlib.Path, content: bytes) -> str:
    """Writes beside path, syncs, renames, so that path never holds part of a file. Returns the SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return hashlib.sha256(content).hexdigest()


def first_tensor(output) -> Tensor:
    """The logits of a network that returns a tensor, a tuple or a named tuple of them."""
    return output if isinstance(output, Tensor) else output[0]


def relative_difference(output: Tensor, expected: Tensor) -> float:
    """Largest difference, in units of the largest magnitude expected."""
    if output.shape != expected.shape:
        raise ExportError(f"the file gives {list(output.shape)}, the Python module {list(expected.shape)}")
    scale = float(expected.abs().max()) or 1.0
    return float((output - expected).abs().max()) / scale


def check_reload(content: bytes, module: nn.Module, batches: list[Tensor]) -> float:
    """Loads the bytes afresh and compares with the module on each batch. Returns the largest relative difference."""
    reloaded = torch.jit.load(io.BytesIO(content)).eval()
    worst = 0.0
    with torch.no_grad():
        for images in batches:
            expected = first_tensor(module(images))
            worst = max(worst, relative_difference(first_tensor(reloaded(images)), expected))
    if not worst <= RELATIVE_TOLERANCE:  # also when it is no number
        raise ExportError(f"the file differs from its module by {worst:.1e}, at most {RELATIVE_TOLERANCE:.0e} expected")
    return worst
