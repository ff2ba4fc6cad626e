"""Module -> TorchScript -> file: compiled, free of this machine's paths, reloaded and compared, written whole."""

import hashlib
import io
import os
import pathlib
import warnings

import torch
from torch import Tensor, nn

RELATIVE_TOLERANCE = 1e-5
VERSION_RECORDS = ("version", ".data/version")  # the second in files with operators that came later, such as GELU


class ExportError(Exception):
    """What a user can mend; its text is shown as it is."""


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def compile_module(module: nn.Module, images: Tensor, *, trace: bool = False) -> tuple[torch.jit.ScriptModule, str]:
    """Scripts the module, or traces it on images where that fails or is not wanted. Returns it with how and why."""
    how = "traced: as asked"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if not trace:
            try:
                return torch.jit.script(module), "scripted"
            except Exception as error:  # the compiler raises many types, plain RuntimeError among them
                how = f"traced: scripting failed with '{first_line(error)}'"
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        try:
            with torch.no_grad():
                return torch.jit.trace(module, images, check_trace=False, strict=False), how
        except Exception as error:  # the module's own, or the tracer's
            raise ExportError(f"{how}; tracing failed with '{first_line(error)}'") from error


def serialized(compiled: torch.jit.ScriptModule) -> bytes:
    """The file's bytes without the debug records, which hold paths of this machine. Same module, same bytes."""
    saved = io.BytesIO()
    torch.jit.save(compiled, saved)
    saved.seek(0)
    reader = torch._C.PyTorchFileReader(saved)
    result = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(result)
    names = reader.get_all_records()
    version = next(name for name in VERSION_RECORDS if name in names)
    writer.set_min_version(int(reader.get_record(version)))
    for name in names:
        if name.endswith(".debug_pkl") or name in (version, ".data/serialization_id"):
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
    """The logits of a network that returns a tensor, or a tuple, list or dictionary that begins with them."""
    if isinstance(output, Tensor):
        return output
    values = list(output.values()) if isinstance(output, dict) else output
    if not isinstance(values, (list, tuple)) or not values:
        raise ExportError(f"the network returns a {type(output).__name__}: expected tensors, logits first")
    return first_tensor(values[0])


def relative_difference(output: Tensor, expected: Tensor) -> float:
    """Largest difference, in units of the largest magnitude expected."""
    if output.shape != expected.shape:
        raise ExportError(f"the file gives {list(output.shape)}, the Python module {list(expected.shape)}")
    scale = float(expected.abs().max()) or 1.0
    return float((output - expected).abs().max()) / scale


def last_line(error: BaseException) -> str:
    """Where TorchScript says what happened, below the code in which it did."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def outputs_of(network, batches: list[Tensor], explain) -> list[Tensor]:
    """The logits of each batch. explain(batch) is what to say where the network fails on it."""
    outputs = []
    for images in batches:
        try:
            with torch.no_grad():
                outputs.append(first_tensor(network(images)))
        except ExportError:
            raise
        except Exception as error:  # somebody's code: whatever it raises
            raise ExportError(f"{explain(images)} ('{last_line(error)}')") from error
    return outputs


def check_reload(content: bytes, module: nn.Module, batches: list[Tensor]) -> float:
    """Loads the bytes afresh and compares with the module on each batch. Returns the largest relative difference."""

    def network_fails(images: Tensor) -> str:
        return f"the Python network fails on images of {images.shape[-1]} pixels: another --size?"

    def file_fails(images: Tensor) -> str:
        fixed = f"tracing fixes what Python computes for {len(batches[0])}"
        return f"the file fails on a batch of {len(images)}: {fixed}, scripting may need --trace"

    expected = outputs_of(module, batches, network_fails)
    outputs = outputs_of(torch.jit.load(io.BytesIO(content)).eval(), batches, file_fails)
    differences = list(map(relative_difference, outputs, expected))
    for difference in differences:
        if not difference <= RELATIVE_TOLERANCE:  # also when it is no number
            raise ExportError(
                f"the file differs from its module by {difference:.1e}, at most {RELATIVE_TOLERANCE:.0e} expected"
            )
    return max(differences)
