"""What Graft owes every backbone file, checked from outside: by the program, and by what plain torch reads.

1. inspect says the kind, and the width of the features that Python computes;
2. a probe changes no tensor of the backbone, and the artifact's features are Python's: within 1e-5 of the largest, or,
   where freezing has folded BatchNorm, within 1e-3, and then the file's own logits follow from them within 1e-5;
3. the artifact, saved again by Python, answers the same bit for bit;
4. fine-tuning changes the parameters that `train` names, each of them, and nothing else, buffers included; what the
   training engine measured is what the exported file gives;
5. verify holds, and predict says what torch computes.
"""

import dataclasses
import io
import json
import pathlib
import re
import subprocess
import sys

from networks import FROZEN, Network

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/cli"))

import program  # noqa: E402
import run_state  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

EXACT = 1e-5
# Folding rounds the weights once more, to the file's type.
FOLDED = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
PROBABILITY = 1e-4
LOSS = 1e-3
PATIENCE_SECONDS = 1800
LAST_STAGES = 2
TRAIN = ("head", f"last:{LAST_STAGES}")
PER_CLASS = 6
PHOTO_SIDE = 96

# One step a phase over all photos, which are the validation set too: the loss falls, so the second phase is the best.
COMMON = ("--threads", "1", "--quiet", "--set", 'head=[{"linear": "classes"}]', "--set", "stop.metric=loss",
          "--set", "phases.0.epochs=1")
PROBE = ("--preset", "probe", *COMMON)
FINETUNE = ("--preset", "finetune", *COMMON, "--set", "phases.1.epochs=1", "--set", "cache.views=1",
            "--set", "data.augment.transforms=[]", "--set", 'phases.0.optimizer={"sgd": {"lr": 1e-9}}',
            # Moves what has the faintest gradient, softmax hides a bias of attention but for rounding: not in bfloat16.
            "--set", "phases.1.optimizer.adamw.eps=1e-30", "--set", "precision=fp32")


class ContractError(Exception):
    """The program failed where it should not; its line of error."""


@dataclasses.dataclass
class Outcome:
    problems: list[str] = dataclasses.field(default_factory=list)
    asked: str = ""  # the word that the program asked for and got
    facts: dict = dataclasses.field(default_factory=dict)  # from inspect, for the documentation


def write_photos(folder: pathlib.Path) -> pathlib.Path:
    """Twelve small photos of two classes, lossless, the same for training and validation."""
    for source in sorted(program.PHOTOS.iterdir()):
        for path in sorted(source.glob("*.jpg"))[:PER_CLASS]:
            photo = Image.open(path).convert("RGB")
            photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
            for split in ("train", "val"):
                target = folder / split / source.name / f"{path.stem}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                photo.save(target)
    return folder


def relative_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference in units of the largest magnitude expected; infinite for other shapes."""
    if found.shape != expected.shape:
        return float("inf")
    return float((found - expected).abs().max()) / float(expected.abs().max())


def pooled(features: torch.Tensor) -> torch.Tensor:
    """[N, C] of [N, C], tokens [N, T, C] or a map [N, C, H, W]."""
    return features.flatten(2).mean(2) if features.dim() == 4 else features.mean(1) if features.dim() == 3 else features


class FileContract:
    """The contract over one file of one network, in a folder of its own."""

    def __init__(self, executable: pathlib.Path, file: pathlib.Path, network: Network, kind: str, photos, work):
        self.executable, self.file, self.network, self.kind = executable, file, network, kind
        self.photos, self.work = photos, work
        self.reference = torch.load(file.with_name(f"{network.name}.reference.pt"), weights_only=True)
        self.outcome = Outcome()
        self.classifier = []  # --classifier WORD, once the program has asked

    def check(self) -> Outcome:
        try:
            self.check_inspection()
            probe = self.train("probe", PROBE)
            self.check_features(probe / "model.pt")
            kept = self.check_untouched(probe / "model.pt")
            finetuned = self.train("finetune", FINETUNE)
            self.check_trained(finetuned, kept)
            self.run("verify", finetuned / "model.pt")
            self.check_predictions(finetuned / "model.pt")
        except ContractError as error:
            self.problem(str(error))
        return self.outcome

    def problem(self, text: str) -> None:
        self.outcome.problems.append(text)

    def expect(self, condition: bool, text: str) -> None:
        if not condition:
            self.problem(text)

    def start(self, *arguments) -> subprocess.CompletedProcess:
        command = [str(part) for part in (self.executable, *arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=program.environment(), cwd=self.work
        )

    def run(self, *arguments) -> str:
        result = self.start(*arguments)
        if result.returncode != 0:
            raise ContractError(f"{arguments[0]}: {self.error_of(result)}")
        return result.stdout

    def error_of(self, result: subprocess.CompletedProcess) -> str:
        lines = program.error_lines(result)
        if lines:
            return " | ".join(lines).removeprefix("error: ").replace(str(self.file), self.file.name)
        last = result.stderr.strip().splitlines()[-1:] or ["nothing on standard error"]
        return f"status {result.returncode} without an error line: {last[0]}"

    def check_inspection(self) -> None:
        command = ("inspect", self.file, "--size", self.network.side, "--json", "--train", *TRAIN)
        result = self.start(*command)
        expected = self.network.asks.get(self.kind, "")
        asks = result.returncode == 1 and "--classifier" in result.stderr + result.stdout
        if asks:
            self.expect(bool(expected), f"asks for a word: {self.error_of(result)}")
            self.outcome.asked = expected or ("keep" if self.headless() else "replace")
            self.classifier = ["--classifier", self.outcome.asked]
            result = self.start(*command, *self.classifier)
        else:
            self.expect(not expected, "no longer asks: take its mark off in networks.py")
        if result.returncode != 0:
            raise ContractError(f"inspect: {self.error_of(result)}")
        facts = self.outcome.facts = json.loads(result.stdout)
        kind = "frozen" if self.kind in FROZEN else self.kind
        self.expect(facts["kind"] == kind, f"inspect: says {facts['kind']}, is {kind}")
        width = pooled(self.reference["features"]).shape[1]
        self.expect(facts["num_features"] == width, f"inspect: {facts['num_features']} features, Python has {width}")
        none = facts["classifier"]["out"] == 0
        self.expect(none == self.headless(), f"inspect: classifier is '{facts['classifier']['path']}'")

    def headless(self) -> bool:
        return self.network.family.startswith("no classifier")

    def train(self, name: str, options) -> pathlib.Path:
        run = self.work / name
        size = f"input.size={self.network.side}"
        self.run("train", self.photos, "--backbone", self.file, "--set", size, *options, *self.classifier, "--out", run)
        return run

    def check_features(self, model: pathlib.Path) -> None:
        artifact = run_state.load_module(model)
        folded = self.kind in FROZEN and bool(self.reference["batch_norm"])
        tolerance = FOLDED[self.network.dtype] if folded else EXACT
        with torch.no_grad():
            for count in ("", "3"):
                images = self.reference[f"images{count}"]
                features = artifact.features(images)
                worst = relative_difference(features, pooled(self.reference[f"features{count}"]))
                text = f"features of {len(images)} images differ from Python's by {worst:.1e}"
                self.expect(worst <= tolerance, text)
            if folded and self.network.dtype == "float32":
                self.check_own_logits(artifact)
            self.check_reload(artifact)

    def check_own_logits(self, artifact) -> None:
        """Of a file whose BatchNorm is folded: its own logits are the classifier over the artifact's features."""
        if "weight" not in self.reference or self.reference["features"].dim() > 2 or self.network.origin == "own":
            return  # more than one linear layer makes them; the features are compared all the same
        with torch.no_grad():
            features = artifact.features(self.reference["images"])
            logits = torch.nn.functional.linear(features, self.reference["weight"], self.reference["bias"])
            output = run_state.load_module(self.file)(self.reference["images"])
        worst = relative_difference(logits, output if isinstance(output, torch.Tensor) else output[0])
        self.expect(worst <= EXACT, f"the file's own logits differ from those of the features by {worst:.1e}")

    def check_reload(self, artifact) -> None:
        saved = io.BytesIO()
        torch.jit.save(artifact, saved)
        saved.seek(0)
        images = self.reference["images3"]
        same = run_state.same_bits(torch.jit.load(saved).features(images), artifact.features(images))
        self.expect(same, "the artifact, saved again, answers otherwise")

    def check_untouched(self, model: pathlib.Path) -> dict:
        """Every tensor of the backbone in the artifact is the file's. Returns them."""
        tensors = run_state.module_tensors(model)
        kept = {n.removeprefix("backbone."): t for n, t in tensors.items() if n.startswith("backbone.")}
        if self.kind not in FROZEN:  # a frozen file has no names to compare
            file = run_state.load_module(self.file)
            # A module that stands in several places keeps its tensors under any of its names.
            tensors = file.state_dict() | dict(file.named_buffers())
            source = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
            differing = run_state.differing(kept, {name: source.get(name) for name in kept})
            self.expect(not differing, f"a probe changed {listed(differing)}")
        return kept

    def check_trained(self, run: pathlib.Path, before: dict) -> None:
        tensors = run_state.module_tensors(run / "model.pt")
        after = {n.removeprefix("backbone."): t for n, t in tensors.items() if n.startswith("backbone.")}
        records = run_state.history(run)
        self.expect(records[-1]["best"], "fine-tuning did not lower the loss, so its epoch is not what was exported")
        trainable = run_state.load_module(run / "model.pt").named_parameters()
        parameters = {name.removeprefix("backbone.") for name, _ in trainable}
        paths = {layer["path"] for layer in self.outcome.facts["layers"] if layer["trained"]}
        named = {name for name in parameters if name in after and name.rpartition(".")[0] in paths}
        # What the network itself holds, such as tokens and positions, is one line of inspect's but enters anywhere.
        loose = {name for name in named if "." not in name}
        expected = named - loose
        moved = set(run_state.differing(after, before))
        self.expect(bool(named & moved), "nothing of the backbone trained")
        self.expect(moved >= expected, f"did not train: {listed(expected - moved)}")
        self.expect(moved <= named, f"changed, though frozen: {listed(moved - named)}")
        self.expect(not loose or bool(loose & moved), f"did not train, any of: {listed(loose)}")
        for stage in self.outcome.facts["stages"][-LAST_STAGES:]:
            own = {name for name in parameters if name in after and name.startswith(f"{stage}.")}
            self.expect(bool(own), f"stage {stage} holds no parameter")
            self.expect(own <= named, f"stage {stage} holds what `train` leaves: {listed(own - named)}")
        measured = json.loads((run / "metrics.json").read_text())["best"]["val"]["loss"]
        trained = records[-1]["val_loss"]
        text = f"training measured a loss of {trained:.5f}, the artifact has {measured:.5f}"
        self.expect(abs(measured - trained) <= LOSS * abs(measured), text)

    def check_predictions(self, model: pathlib.Path) -> None:
        paths = sorted((self.photos / "val").glob("*/*.png"))[::5]
        artifact = run_state.load_module(model)
        answers = json.loads(self.run("predict", model, *paths, "--json", "--top", len(artifact.classes)))
        for path, answer in zip(paths, answers, strict=True):
            photo = Image.open(path)
            pixels = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
            with torch.no_grad():
                expected = artifact(pixels.view(1, photo.height, photo.width, 3))[0]
            found = torch.zeros_like(expected)
            for row in answer["top"]:
                found[row["index"]] = row["probability"]
            worst = float((found - expected).abs().max())
            self.expect(worst <= PROBABILITY, f"predict differs from torch by {worst:.1e}")


def listed(names) -> str:
    """At most three of them, and how many there are."""
    names = sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
