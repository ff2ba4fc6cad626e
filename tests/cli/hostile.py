"""Files that somebody made to do harm, and files that came to harm, each made from a small harmless network."""

import io
import pathlib
import struct
import zipfile

import torch
from torch import nn

MEGABYTE = 1 << 20


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean([2, 3]))


def records_of(module=None) -> dict[str, bytes]:
    """The records of a saved network, by name inside its folder, in the file's order."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module or Net().eval()), buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {info.filename.split("/", 1)[1]: archive.read(info) for info in archive.infolist()}


def write(path: pathlib.Path, records, method=zipfile.ZIP_STORED, folder="net") -> pathlib.Path:
    """Writes records; a list of pairs may hold a name twice, a value may be (bytes, method of packing)."""
    pairs = records.items() if isinstance(records, dict) else records
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in pairs:
            content, how = content if isinstance(content, tuple) else (content, method)
            archive.writestr(f"{folder}/{name}" if folder else name, content, compress_type=how)
    return path


def source_name(records) -> str:
    return next(name for name in records if name.endswith(".py") and b"class Net" in records[name])


def with_line(records, line: str) -> dict[str, bytes]:
    """The program with a line at the start of its forward."""
    name = source_name(records)
    text = records[name].decode()
    head, _, body = text.partition(") -> Tensor:\n")
    return records | {name: f"{head}) -> Tensor:\n    {line}\n{body}".encode()}


def with_method(records, method: str) -> dict[str, bytes]:
    name = source_name(records)
    return records | {name: records[name].rstrip() + b"\n" + method.encode()}


def with_source(records, change) -> dict[str, bytes]:
    name = source_name(records)
    changed = change(records[name].decode())
    assert changed.encode() != records[name]
    return records | {name: changed.encode()}


def with_pickle(records, old: bytes, new: bytes, name="data.pkl") -> dict[str, bytes]:
    assert old in records[name]
    return records | {name: records[name].replace(old, new, 1)}


def binint(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def set_state(body: str) -> str:
    return (
        "  def __getstate__(self: __torch__.hostile.Net) -> int:\n    return 0\n"
        f"  def __setstate__(self: __torch__.hostile.Net, state: int) -> NoneType:\n    {body}\n    return None\n"
    )


def deep_calls(records) -> dict[str, bytes]:
    lines = [f"def f{i}(x: Tensor) -> Tensor:\n  return __torch__.deep.f{i + 1}(x)\n" for i in range(3000)]
    lines.append("def f3000(x: Tensor) -> Tensor:\n  return x\n")
    return with_line(records, "y = __torch__.deep.f0(x)") | {"code/__torch__/deep.py": "".join(lines).encode()}


def doubling_calls(records) -> dict[str, bytes]:
    twice = "def f{0}(x: Tensor) -> Tensor:\n  return __torch__.deep.f{1}(__torch__.deep.f{1}(x))\n"
    source = "".join(twice.format(i, i + 1) for i in range(40)) + "def f40(x: Tensor) -> Tensor:\n  return torch.relu(x)\n"
    program = with_source(records, lambda text: text.replace("torch.relu(", "__torch__.deep.f0("))
    return program | {"code/__torch__/deep.py": source.encode()}


def deep_classes(records) -> dict[str, bytes]:
    """Classes each of which holds the next: loading one loads them all, one inside the other."""
    each = "class C{0}(Module):\n  __parameters__ = []\n  __buffers__ = []\n  next : __torch__.deep.C{1}\n"
    source = "".join(each.format(i, i + 1) for i in range(3000))
    source += "class C3000(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
    program = with_source(records, lambda text: text.replace("  training", "  deep : __torch__.deep.C0\n  training", 1))
    return program | {"code/__torch__/deep.py": source.encode()}


def patch_directory(data: bytes, name: bytes, offset: int, value: bytes) -> bytes:
    """Overwrites a field of a record's entry in the zip's central directory."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
    return data[: at + offset] + value + data[at + offset + len(value) :]
