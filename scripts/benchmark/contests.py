"""Who is run, and which two of them make a line of the table."""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ROOT / "build/bench/files"
GRAFT = str(ROOT / "build/release/graft")
PIECES = str(ROOT / "build/release/graft_benchmarks")
RIVALS = ROOT / "scripts/benchmark/rivals"
BACKBONE = str(ROOT / "weights/efficientnet_lite0.pt")

START_ALONE = "Graft's start alone"  # of which nearly all is LibTorch's

NETWORKS = ["mobilenet_v2", "efficientnet_lite0", "resnet18", "vit_tiny", "convnext_tiny"]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A command; {work} in it stands for a folder that the contestants of one round share and that is new each round,
    {seed} for another number each round."""

    name: str
    command: list[str]
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: how many times better `ours` is than `rival`."""

    what: str
    ours: str
    rival: str
    unit: str  # "seconds", "memory", or a key of what both print, of which more is better
    goal: float

    @property
    def less_is_better(self) -> bool:
        return self.unit in ("seconds", "memory")


@dataclasses.dataclass(frozen=True)
class Contest:
    """Contestants that are run in turn, round after round."""

    name: str
    contestants: Callable[[], list[Contestant]]  # called when the contest is held: to make them may take seconds
    lines: list[Line]


def rival(name: str, script: str, *arguments: str) -> Contestant:
    return Contestant(name, [sys.executable, str(RIVALS / script), *arguments])


def graft_train(name: str, photos: pathlib.Path, run: str, *options: str, cache: str = "") -> Contestant:
    """With a cache of its own, or with that of another run."""
    command = [GRAFT, "train", str(photos), "--backbone", BACKBONE, "--out", "{work}/" + run, "--json", *options]
    return Contestant(name, command, {"XDG_CACHE_HOME": "{work}/cache-" + (cache or run)})


def features_contest(photos: pathlib.Path, with_tutorial: bool) -> Contest:
    where = photos.name
    contestants = [
        graft_train("Graft", photos, "cold"),
        graft_train("Graft, second run", photos, "warm", cache="cold"),
        rival("OpenVINO + scikit-learn", "openvino_features.py", str(FILES / "efficientnet_lite0.xml"), str(photos)),
        rival("PyTorch + scikit-learn", "torch_features.py", str(photos)),
    ]
    lines = [
        Line(f"head alone, {where}, against OpenVINO features + scikit-learn", "Graft", "OpenVINO + scikit-learn",
             "seconds", 1.2),
        Line(f"the same, {where}, against PyTorch features + scikit-learn", "Graft", "PyTorch + scikit-learn",
             "seconds", 2.5),
        Line(f"second run on the same photos, {where}, against the first", "Graft, second run", "Graft", "seconds", 5),
        Line(f"peak memory, {where}, against PyTorch features + scikit-learn", "Graft", "PyTorch + scikit-learn",
             "memory", 2),
    ]
    if with_tutorial:
        contestants.append(rival("PyTorch tutorial loop", "training_loop.py", "tutorial", str(photos)))
        lines.append(Line(f"head alone, {where}, against the PyTorch tutorial loop, 10 epochs", "Graft",
                          "PyTorch tutorial loop", "seconds", 25))
    return Contest(f"features-{where}", lambda: contestants, lines)


def linear_contest(photos: pathlib.Path) -> Contest:
    return Contest(
        f"linear-{photos.name}",
        lambda: [
            graft_train("Graft, probe", photos, "probe", "--preset", "probe"),
            graft_train("Graft, linear", photos, "linear", "--preset", "linear"),
            rival("PyTorch + scikit-learn", "torch_features.py", str(photos), "cv"),
        ],
        [Line(f"preset {preset}, {photos.name}, against PyTorch features + scikit-learn with its penalty by cross-validation",
              f"Graft, {preset}", "PyTorch + scikit-learn", "seconds", 1) for preset in ("probe", "linear")],
    )


# Of so few validation photos one is half a percent: seeds tell more than the same seed again.
def finetune_contest(photos: pathlib.Path) -> Contest:
    return Contest(
        f"finetune-{photos.name}",
        lambda: [
            graft_train("Graft", photos, "finetune", "--preset", "finetune", "--seed", "{seed}"),
            rival("PyTorch", "training_loop.py", "finetune", str(photos), "{seed}"),
        ],
        [Line(f"last two stages with augmentation, {photos.name}, against PyTorch eager", "Graft", "PyTorch",
              "seconds", 1.5)],
    )


def piece(name: str, ours: str, theirs: Contestant, what: str, goal: float) -> Contest:
    command = [PIECES, f"--benchmark_filter=^{ours}$", "--benchmark_format=json", "--benchmark_min_time=4"]
    return Contest(name, lambda: [Contestant("Graft", command), theirs],
                   [Line(what, "Graft", theirs.name, "images_a_second", goal)])


def engine_contest(network: str, precision: str) -> Contest:
    limit = 0.75 if network in ("vit_tiny", "convnext_tiny") else 1.0
    theirs = rival("OpenVINO", "engine.py", str(FILES / f"{network}.xml"), precision)
    return piece(f"engine-{network}-{precision}", f"frozen_engine/{network}/{precision}/.*", theirs,
                 f"frozen engine, {network}, {precision}, against OpenVINO", limit)


def piece_contests() -> list[Contest]:
    photo = str(FILES / "photo.jpg")
    steps = [
        piece(f"step-{network}", f"full_step/{network}/.*", rival("PyTorch", "pieces.py", "step", network),
              f"full fine-tuning step, {network}, against PyTorch eager at its best", 1.1)
        for network in ("resnet18", "mobilenet_v2")
    ]
    decode = piece("decode", "decode_and_fit", rival("torchvision", "pieces.py", "decode", photo),
                   "decode + resize of a 512 x 384 JPEG, one core, against torchvision (Pillow)", 3)
    return [decode, *steps]


def start_contest() -> Contest:
    model, photo = str(FILES / "model.pt"), str(FILES / "photo.jpg")
    return Contest(
        "start",
        lambda: [
            Contestant("Graft", [GRAFT, "predict", model, photo]),
            Contestant(START_ALONE, [GRAFT, "--version"]),
            Contestant("Python + torch", [sys.executable, str(ROOT / "examples/predict.py"), model, photo]),
        ],
        [Line("one image, process start to answer, against Python + torch", "Graft", "Python + torch", "seconds", 5)],
    )


def all_contests(photo_sets: list[pathlib.Path], has_bfloat16: bool) -> list[Contest]:
    precisions = ["f32", "bf16"] if has_bfloat16 else ["f32"]
    return [
        *piece_contests(),
        start_contest(),
        *(engine_contest(network, precision) for network in NETWORKS for precision in precisions),
        *(features_contest(photos, photos is photo_sets[0]) for photos in photo_sets),
        *(linear_contest(photos) for photos in photo_sets),
        *(finetune_contest(photos) for photos in photo_sets[:1]),
    ]
