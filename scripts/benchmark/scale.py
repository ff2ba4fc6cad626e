"""Audits and trains on more and more small photos, and writes docs/scale.md's measured part."""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import measured_part  # noqa: E402

PAGE = ROOT / "docs/scale.md"
WORK = ROOT / "build/scale"
GRAFT = ROOT / "build/release/graft"
TEMPLATES = sorted((ROOT / "tests/data/photos").glob("*/*.jpg"))
FEWEST = 1_000  # what LibTorch and a small run take
SIDE, FEATURES, EPOCHS = 32, 32, 3
CLASSES = ("left", "right")
PLANNED = (100_000, 1_000_000, 100_000_000)


@dataclasses.dataclass(frozen=True)
class Taken:
    seconds: float
    bytes: int  # of memory, at the peak


def run(*command: object, cache: pathlib.Path) -> Taken:
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out,
                                   env=os.environ | {"XDG_CACHE_HOME": str(cache)})
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            out.seek(0)
            raise SystemExit(f"error: {' '.join(map(str, command))}:\n{out.read().decode()[-2000:]}")
    return Taken(time.perf_counter() - start, usage.ru_maxrss * 1024)


def make_photos(count: int) -> pathlib.Path:
    """Each with bytes of its own: a number behind the end of a JPEG, which no decoder reads."""
    folder = WORK / f"photos-{count}"
    if (folder / "done").exists():
        return folder
    templates = [file.read_bytes() for file in TEMPLATES]
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / CLASSES[i % 2] / f"{i:08}.jpg").write_bytes(templates[i % len(templates)] + i.to_bytes(8, "little"))
    (folder / "done").touch()
    return folder


def make_network() -> pathlib.Path:
    """So small that what is measured is everything but the network."""
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 4, 4), torch.nn.ReLU(), torch.nn.Conv2d(8, FEATURES, 4, 4), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(FEATURES, 10),
    )
    file = WORK / "network.pt"
    torch.jit.script(network.eval()).save(file)
    return file


def measured(count: int, network: pathlib.Path) -> dict[str, Taken]:
    photos = make_photos(count)
    print(f"{count} photos", flush=True)
    with tempfile.TemporaryDirectory(dir=WORK) as work:
        cache = pathlib.Path(work, "cache")
        train = [GRAFT, "train", photos, "--backbone", network, "--set", f"input.size={SIDE}",
                 "--set", f"phases.0.epochs={EPOCHS}", "--quiet"]
        return {
            "audit": run(GRAFT, "audit", photos, "--json", cache=cache),
            "train": run(*train, "--out", f"{work}/first", cache=cache),
            "again": run(*train, "--out", f"{work}/second", cache=cache),
        }


def line_through(counts: list[int], values: list[float], at: int) -> float:
    """What two counts foretell for a third."""
    slope = (values[1] - values[0]) / (counts[1] - counts[0])
    return values[1] + slope * (at - counts[1])


def sizes_table(found: dict[int, dict[str, Taken]]) -> list[str]:
    rows = ["| images | audit | | train | | train again | |", "|---|---|---|---|---|---|---|"]
    for count, taken in found.items():
        cells = [f"{each.seconds:.1f} s | {each.bytes / 2**20:.0f} MiB" for each in taken.values()]
        rows.append(f"| {count:,} | {' | '.join(cells)} |")
    return rows


def bytes_an_image(found: dict[int, dict[str, Taken]], what: str) -> float:
    """Of memory, beside what the fewest images take and without the features that training keeps."""
    fewest, *_, most = found
    features = 0 if what == "audit" else FEATURES * 4
    return (found[most][what].bytes - found[fewest][what].bytes) / (most - fewest) - features


def memory_lines(found: dict[int, dict[str, Taken]]) -> list[str]:
    fewest, *_, most = found
    audit, train, again = (bytes_an_image(found, what) for what in ("audit", "train", "again"))
    return [
        f"Beside what {fewest:,} images take, an image costs {audit:.0f} bytes of memory in an audit, {train:.0f} in training and "
        f"{again:.0f} in a second run, the {FEATURES * 4} bytes of its kept features left out: **{train * most / 1e6:.0f} MB** for {most:,} in training.",
    ]


def foretold_lines(found: dict[int, dict[str, Taken]]) -> list[str]:
    _, *two, most = found
    lines = []
    for what, words in (("audit", "an audit"), ("train", "training"), ("again", "a second run")):
        taken = found[most][what]
        seconds = line_through(two, [found[count][what].seconds for count in two], most)
        memory = line_through(two, [found[count][what].bytes for count in two], most)
        lines.append(f"| {words} | {seconds:.0f} s | {taken.seconds:.0f} s | {memory / 2**20:.0f} MiB | {taken.bytes / 2**20:.0f} MiB |")
    head = f"Foretold for {most:,} images by the two sizes before, on a straight line, and taken:"
    return [head, "", "| | foretold | taken | foretold | taken |", "|---|---|---|---|---|", *lines]


def planned_lines(each: float) -> list[str]:
    """For a real network: what an image costs by `graft inspect --plan`, in seconds of the wall clock.

    each: bytes of memory an image in training, without its features
    """
    plan = json.loads(subprocess.run(
        [GRAFT, "inspect", "efficientnet_lite0", "--plan", ROOT / "data/elpv/manifest.csv", "--json"],
        check=True, capture_output=True, env=os.environ | {"XDG_CACHE_HOME": str(WORK / "plan")},
    ).stdout)
    phase = plan["phases"][0]
    computed = phase["rows_to_compute"]
    images = phase["images"]["train"] + phase["images"]["val"]
    decode, frozen = phase["decoding_s"] / computed, (phase["frozen_s"] - phase["engines_s"]) / computed
    step = (phase["training_s"] + phase["validation_s"]) / (phase["epochs"] * images)
    row = phase["bytes"] / images
    lines = [
        f"EfficientNet-Lite0 at 224 pixels on {os.cpu_count()} cores, by `graft inspect --plan` on ELPV's cells: decoding {decode * 1e3:.2f} ms an image, "
        f"frozen layers {frozen * 1e3:.2f} ms, the head {step * 1e3:.3f} ms an epoch; {row:.0f} bytes of features. For the preset's {phase['epochs']} epochs of the head:",
        "", "| images | decoding and frozen layers | the head | features | the rest of memory |", "|---|---|---|---|---|",
    ]
    for count in PLANNED:
        hours = [count * (decode + frozen) / 3600, count * step * phase["epochs"] / 3600]
        lines.append(f"| {count:,} | {hours[0]:.1f} h | {hours[1]:.1f} h | {count * row / 1e9:.1f} GB | {count * each / 1e9:.2f} GB |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/scale", description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest number of images (default a million)")
    most = parser.parse_args().most
    WORK.mkdir(parents=True, exist_ok=True)
    network = make_network()
    found = {count: measured(count, network) for count in (FEWEST, most // 100, most // 10, most)}
    text = "\n".join([*sizes_table(found), "", *memory_lines(found), "", *foretold_lines(found), "", *planned_lines(bytes_an_image(found, "train"))])
    print(text)
    measured_part.replace(PAGE, "scripts/scale", text)
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
