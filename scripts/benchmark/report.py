"""Writes what was measured: a table, docs/performance.md, and a picture."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

from contests import ROOT, START_ALONE, Line

sys.path.insert(0, str(ROOT / "scripts"))
import measured_part  # noqa: E402

PAGE = ROOT / "docs/performance.md"
README = ROOT / "README.md"
HEADING = "## On "


@dataclasses.dataclass(frozen=True)
class Default:
    """A run with default settings, with nothing cached."""

    data: str
    images: dict[str, int]
    accuracy: float
    seconds: float

    @staticmethod
    def of(data: str, runs: list) -> "Default":
        said = runs[0].said
        return Default(data, said["images"], said["accuracy"], statistics.median(run.seconds for run in runs))

    @staticmethod
    def quickstart() -> "Default":
        metrics = json.loads((ROOT / "runs/quickstart/metrics.json").read_text())
        if metrics["timing"]["features_s"] == 0:
            sys.exit("error: runs/quickstart was trained from a cache: remove it and run scripts/quickstart with an empty one")
        return Default("ELPV, what `scripts/quickstart` trains", metrics["images"], metrics["best"]["val"]["accuracy"],
                       metrics["timing"]["total_s"])

    def row(self) -> str:
        return (f"| {self.data} | {self.images['train']} | {self.images['val']} | {self.accuracy:.1%} "
                f"| {self.seconds:.0f} |")


@dataclasses.dataclass(frozen=True)
class Result:
    line: Line
    ours: float
    theirs: float
    ratios: list[float]
    accuracies: list[float | None]  # ours, theirs

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool:
        """So many times better, and no less accurate."""
        ours, theirs = self.accuracies
        return self.ratio >= self.line.goal and (ours is None or theirs is None or ours >= theirs)


@dataclasses.dataclass(frozen=True)
class Profile:
    """Where the seconds of one of Graft's runs went."""

    run: str
    parts: dict[str, float]

    @staticmethod
    def of_training(run: str, measurement) -> "Profile":
        timing = measurement.said["timing"]
        return Profile(run, {
            "starting": measurement.seconds - timing["total_s"],
            "photos and backbone": timing["total_s"] - timing["epochs_s"] - timing["export_s"],
            "frozen layers": timing["features_s"],
            "epochs": timing["epochs_s"] - timing["features_s"],
            "exporting, proving, measuring": timing["export_s"],
        })

    def row(self) -> str:
        whole = sum(self.parts.values())
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.parts.items())
        return f"| {self.run} | {whole:.2f} | {parts} |"


def profiles(data: str, found: dict[str, list]) -> list[Profile]:
    """Of the run in the middle of each contestant's."""
    middle = {name: sorted(runs, key=lambda run: run.seconds)[len(runs) // 2] for name, runs in found.items()}
    if START_ALONE in middle:
        start = middle[START_ALONE].seconds
        rest = middle["Graft"].seconds - start
        return [Profile("one image", {"LibTorch's start": start, "reading, folding and running the network": rest})]
    return [Profile.of_training(f"{data}, {name}", run) for name, run in middle.items() if "timing" in run.said]


def amount(value: float, unit: str) -> str:
    if unit == "seconds":
        return f"{value:.1f} s"
    if unit == "memory":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.0f}/s"


def percent(accuracy: float | None) -> str:
    return "" if accuracy is None else f" ({accuracy:.1%})"


def row(result: Result) -> str:
    line = result.line
    ours, theirs = (
        amount(value, line.unit) + percent(accuracy)
        for value, accuracy in zip((result.ours, result.theirs), result.accuracies)
    )
    spread = f"{min(result.ratios):.2f} to {max(result.ratios):.2f}"
    reached = "yes" if result.reached else "**no**"
    return f"| {line.what} | {ours} | {theirs} | **{result.ratio:.2f}** ({spread}) | {line.goal:g} | {reached} |"


def table(results: list[Result]) -> str:
    head = ["| what | Graft | rival | times better (all rounds) | goal | reached |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *map(row, results)])


def processor() -> str:
    """Its own name of itself and what it has of the instructions that decide how fast networks run."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)[1]
    has = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag} " in text.replace("\n", " ")]
    return f"{name} ({', '.join(has)})"


def machine() -> str:
    packages = ("torch", "torchvision", "openvino", "scikit-learn", "pillow")
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in packages)
    return f"{processor()}, two of {os.cpu_count()} cores; {versions}"


def commit() -> str:
    """With "-dirty" where more than documents has changed since."""
    said = lambda *command: subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    changed = said("status", "--porcelain", "--", ".", ":!docs", ":!README.md")
    return said("describe", "--always") + ("-dirty" if changed else "")


def picture() -> pathlib.Path:
    words = re.sub("[^a-z0-9]+", "-", processor().lower()).strip("-")
    return ROOT / f"docs/pictures/performance-{words}.svg"


def draw(results: list[Result]) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "graft"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(results) + 1))
    places = range(len(results))
    colors = ["#4f9a4a" if result.reached else "#c79a2b" for result in results]
    axes.barh(places, [result.ratio for result in results], color=colors)
    axes.plot([result.line.goal for result in results], places, "|", color="#22303c", markersize=14, label="goal")
    axes.axvline(1, color="#5f7180", linewidth=0.8)
    axes.set_yticks(places, [result.line.what for result in results], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("times better than the rival (median)")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    figure.savefig(picture(), bbox_inches="tight", metadata={"Date": None})


class Kept:
    """What was measured on this machine, by contest: a contest that is held again replaces what it found before."""

    FILE = ROOT / "build/bench/results.json"

    def __init__(self):
        before = json.loads(self.FILE.read_text()) if self.FILE.exists() else {}
        self.contests = {name: found for name, found in before.items() if found["machine"] == machine()}

    def put(self, contest: str, results: list[Result], default: Default | None, profiles_of: list[Profile]) -> None:
        self.contests[contest] = {
            "machine": machine(), "results": [dataclasses.asdict(result) for result in results],
            "default": dataclasses.asdict(default) if default else None,
            "profiles": [dataclasses.asdict(profile) for profile in profiles_of],
        }
        self.FILE.write_text(json.dumps(self.contests, indent=1))

    def results(self, contest: str) -> list[Result]:
        return [Result(**found | {"line": Line(**found["line"])}) for found in self.contests[contest]["results"]]

    def profiles(self, contest: str) -> list[Profile]:
        return [Profile(**found) for found in self.contests[contest]["profiles"]]

    def defaults(self) -> list[Default]:
        return [Default(**found["default"]) for found in self.contests.values() if found["default"]]


def write_defaults(defaults: list[Default]) -> None:
    head = ["| data | training photos | validation photos | accuracy | seconds |", "|---|---|---|---|---|"]
    rows = [default.row() for default in (Default.quickstart(), *defaults)]
    measured_part.replace(README, "scripts/bench", "\n".join([*head, *rows, "", f"Measured on: {machine()}."]))


def with_section(part: str, heading: str, text: str) -> str:
    """The part with this section put in place of the one of the same heading, or behind the others."""
    sections = {}
    for section in filter(str.strip, re.split(f"^(?={re.escape(HEADING)})", part, flags=re.MULTILINE)):
        sections[section.partition("\n")[0]] = section.strip("\n")
    sections[heading] = f"{heading}\n\n{text}"
    return "\n\n".join(sections.values())


def write(kept: Kept, contests: list[str]) -> None:
    """What is kept of these contests, in their order, as this machine's section: those of other machines stay."""
    results = [result for contest in contests if contest in kept.contests for result in kept.results(contest)]
    left_out = [contest for contest in contests if contest not in kept.contests]
    rounds = sorted({len(result.ratios) for result in results})
    text = "\n".join([
        f"Measured on: {machine()}; Graft at {commit()}. Rounds of a contest: {' or '.join(map(str, rounds))}; in each, all contestants "
        "of a line run one after the other on the same two cores.", *(["", f"Not measured: {', '.join(left_out)}."] if left_out else []), "",
        f"![Ratios](pictures/{picture().name})", "", table(results), "",
        "Where the seconds of Graft's own runs went:", "", "| run | seconds | of these |", "|---|---|---|",
        *(profile.row() for contest in contests if contest in kept.contests for profile in kept.profiles(contest)),
    ])
    part = measured_part.read(PAGE, "scripts/bench")
    measured_part.replace(PAGE, "scripts/bench", with_section(part, HEADING + processor(), text))
    draw(results)
    if all(contest in kept.contests for contest in contests if contest.startswith("features-")):
        write_defaults(kept.defaults())
