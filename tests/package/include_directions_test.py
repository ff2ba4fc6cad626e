"""Includes go one way: a folder of src/graft takes only from those listed for it; some headers only from named folders."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
BASE = {"core"}
MODEL = BASE | {"image", "backbone", "head", "optim"}
ALLOWED = {
    "core": BASE,
    "image": BASE | {"image"},
    "backbone": BASE | {"image", "backbone"},
    "head": BASE | {"head"},
    "optim": BASE | {"optim"},
    "artifact": BASE | {"image", "artifact"},
    "data": MODEL | {"data"},
    "export": MODEL | {"data", "artifact", "export"},
    "train": MODEL | {"data", "artifact", "export", "train"},
    "tune": MODEL | {"data", "artifact", "export", "train", "tune"},
    "report": MODEL | {"data", "artifact", "export", "train", "report"},
}
# What only some folders may include, and the files beside them that may, with the reason.
RESTRICTED = (
    (re.compile(r"opencv2/|jpeglib"), {"image"}, {}),
    (
        re.compile(r"torch/csrc/jit/(?!api/module\.h)"),
        {"backbone", "core", "export"},
        {
            "artifact/predictor.cpp": "freezes the module that it runs",
            "train/checkpoint.cpp": "writes and reads LibTorch's pickles",
        },
    ),
    (re.compile(r"TORCH_VERSION"), {"core"}, {}),
)


def problems_of(path):
    inside = path.relative_to(SOURCES / "graft")
    folder = inside.parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'#include [<"]graft/(\w+)/', line)
        if include and include[1] not in ALLOWED[folder]:
            yield f"{inside}:{number}: {folder}/ does not include {include[1]}/"
        for pattern, folders, exceptions in RESTRICTED:
            if pattern.search(line) and folder not in folders and str(inside) not in exceptions:
                yield f"{inside}:{number}: only {', '.join(sorted(folders))} may use {pattern.pattern}"


def main():
    files = [path for path in (SOURCES / "graft").glob("*/*") if path.suffix in (".h", ".cpp")]
    problems = [problem for path in files for problem in problems_of(path)]
    print("\n".join(problems) or f"{len(files)} files include in one direction")
    sys.exit(1 if problems or not files else 0)


main()
