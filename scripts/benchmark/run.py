#!/usr/bin/env python3
"""Runs the contests and writes docs/performance.md. scripts/bench sets up what it needs and starts it."""

import argparse
import fnmatch
import json
import pathlib
import statistics
import sys
import tempfile

import contests
import files
import report
from measure import Measurement, measure

sys.path.insert(0, str(contests.RIVALS))
CORES = [0, 1]


def substituted(contestant: contests.Contestant, work: str, seed: int) -> tuple[list[str], dict[str, str]]:
    put = lambda text: text.replace("{work}", work).replace("{seed}", str(seed))
    return [put(word) for word in contestant.command], {k: put(v) for k, v in contestant.environment.items()}


def normalised(said: dict) -> dict:
    """What Graft's commands print, in the rivals' words."""
    if "benchmarks" in said:
        return {"images_a_second": said["benchmarks"][0]["items_per_second"]}
    if "metrics" in said:
        metrics = said["metrics"]
        return {"accuracy": metrics["best"]["val"]["accuracy"], "images": metrics["images"], "timing": metrics["timing"]}
    return said


def hold(contest: contests.Contest, rounds: int) -> dict[str, list[Measurement]]:
    contestants = contest.contestants()
    found: dict[str, list[Measurement]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as work:
            for contestant in contestants:
                command, environment = substituted(contestant, work, number)
                result = measure(command, environment, CORES)
                result.said.update(normalised(result.said))
                found[contestant.name].append(result)
                print(f"bench: {contest.name} {number + 1}/{rounds} {contestant.name}: {result.seconds:.1f} s, "
                      f"{result.memory / 2**20:.0f} MiB {short(result.said)}", flush=True)
    return found


def short(said: dict) -> str:
    return json.dumps({key: said[key] for key in ("accuracy", "images_a_second") if key in said})


def ratios(line: contests.Line, found: dict[str, list[Measurement]]) -> list[float]:
    """How many times better, round by round."""
    pairs = zip(found[line.ours], found[line.rival])
    values = [(ours.value(line.unit), theirs.value(line.unit)) for ours, theirs in pairs]
    return [theirs / ours if line.less_is_better else ours / theirs for ours, theirs in values]


def result_of(line: contests.Line, found: dict[str, list[Measurement]]) -> report.Result:
    middle = lambda name, key: statistics.median(result.value(key) for result in found[name])
    accuracies = [
        middle(name, "accuracy") if all("accuracy" in result.said for result in found[name]) else None
        for name in (line.ours, line.rival)
    ]
    return report.Result(line, middle(line.ours, line.unit), middle(line.rival, line.unit), ratios(line, found),
                         accuracies)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("photos", nargs="+", type=pathlib.Path, metavar="FOLDER", help="photos in train/ and val/")
    parser.add_argument("--rounds", type=int, default=3, help="of each contest; medians are reported (default 3)")
    parser.add_argument("--only", metavar="GLOB", nargs="+", default=["*"],
                        help="contests of such names alone; the page says which were left out")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    options = parser.parse_args()
    photo_sets = [folder.resolve() for folder in options.photos]
    files.make_files(photo_sets[0])
    report.Default.quickstart()  # said now, not when all is measured
    from photos import has_fast_bfloat16

    everything = contests.all_contests(photo_sets, has_fast_bfloat16())
    chosen = [contest for contest in everything if any(fnmatch.fnmatch(contest.name, glob) for glob in options.only)]
    if not chosen:
        sys.exit(f"error: --only {' '.join(options.only)} names no contest")
    kept = report.Kept()
    for contest in chosen:
        found = hold(contest, options.rounds)
        results = [result_of(line, found) for line in contest.lines]
        data = contest.name.removeprefix("features-")
        kept.put(contest.name, results, None if data == contest.name else report.Default.of(data, found["Graft"]),
                 report.profiles(data, found))
        print(report.table(results))
    if not options.no_page:
        report.write(kept, [contest.name for contest in everything])


if __name__ == "__main__":
    main()
