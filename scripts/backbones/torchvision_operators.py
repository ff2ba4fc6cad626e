"""Makes torchvision and timm importable beside any torch.

A torchvision wheel carries compiled operators (non-maximum suppression and the like) for one build of torch. Beside
another build they do not load, and the import fails although classification networks use none of them.
"""

import importlib.util
import pathlib
import re

import torch

OPERATOR_NAME = re.compile(r'torchvision::(\w+)"|register_meta\("(\w+)"')


def provide() -> None:
    """Declares torchvision's operators by name where its compiled ones do not load. Call before the first import.

    A declared operator has no implementation: calling one raises NotImplementedError.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or hasattr(provide, "library"):
        return
    package = pathlib.Path(spec.origin).parent
    try:
        for compiled in package.glob("_C*.so"):
            torch.ops.load_library(compiled)
            return
    except OSError:
        pass  # built for another torch: declare the names below
    registrations = (package / "_meta_registrations.py").read_text(encoding="utf-8")
    names = {first or second for first, second in OPERATOR_NAME.findall(registrations)}
    provide.library = torch.library.Library("torchvision", "FRAGMENT")  # lives as long as the process
    for name in sorted(names):
        provide.library.define(f"{name}(Tensor x) -> Tensor")
