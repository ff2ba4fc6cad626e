#!/usr/bin/env python3
"""Runs the contract (contract.py) over the zoo (networks.py): one line a file, a summary, status 1 on any failure.

usage: zoo_test.py PROGRAM FOLDER [NAME...]   FOLDER caches the files and what was found, such as build/zoo

What has passed with the same program, file and contract is not run again (--again does).
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import fnmatch
import hashlib
import json
import os
import pathlib
import sys
import tempfile
import time

import export_zoo
from networks import KINDS, NETWORKS

HERE = pathlib.Path(__file__).parent


def digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True)
class Job:
    network: object
    kind: str

    @property
    def name(self) -> str:
        return f"{self.network.name}.{self.kind}"


class Zoo:
    """The folder of files and records."""

    def __init__(self, executable: pathlib.Path, folder: pathlib.Path):
        self.executable, self.folder = executable, folder
        self.records = folder / "records"
        self.program_hash = digest(executable)
        self.contract_hash = digest(HERE / "contract.py")

    def file(self, job: Job) -> pathlib.Path:
        return self.folder / f"{job.name}.pt"

    def key(self, job: Job) -> dict:
        """What a result depends on. Other rows of networks.py are none of this file's business."""
        row = json.dumps(dataclasses.asdict(job.network) | {"quick": None})
        stat = self.file(job).stat()
        return {"program": self.program_hash, "contract": self.contract_hash, "row": row,
                "file": [stat.st_size, stat.st_mtime_ns]}

    def record(self, job: Job) -> dict | None:
        path = self.records / f"{job.name}.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def passed(self, job: Job) -> bool:
        record = self.record(job)
        return record is not None and not record["problems"] and record["key"] == self.key(job)

    def current_records(self) -> dict[str, dict[str, dict]]:
        """By network and kind, of every file that was run with this program and contract."""
        records = {}
        for job in (Job(network, kind) for network in NETWORKS for kind in network.kinds):
            record = self.record(job)
            if record is not None and self.file(job).is_file() and record["key"] == self.key(job):
                records.setdefault(job.network.name, {})[job.kind] = record
        return records

    def run(self, job: Job, photos: pathlib.Path) -> dict:
        from contract import FileContract

        key = self.key(job)
        with tempfile.TemporaryDirectory(prefix="graft-zoo-") as work:
            contract = FileContract(self.executable, self.file(job), job.network, job.kind, photos, pathlib.Path(work))
            outcome = contract.check()
        facts = outcome.facts
        record = {"key": key, "problems": outcome.problems, "asked": outcome.asked}
        if facts:
            record |= {"parameters": facts["parameters"], "num_features": facts["num_features"],
                       "boundaries": len(facts["boundaries"]), "stages": facts["stages"]}
        self.records.mkdir(exist_ok=True)
        path = self.records / f"{job.name}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        os.replace(partial, path)
        return record


def chosen_jobs(arguments) -> list[Job]:
    networks = [n for n in NETWORKS if not arguments.names or any(fnmatch.fnmatch(n.name, g) for g in arguments.names)]
    jobs = [Job(network, kind) for network in networks for kind in network.kinds]
    if arguments.quick:
        jobs = [job for job in jobs if job.kind in job.network.quick]
    return [job for job in jobs if not arguments.kind or job.kind in arguments.kind]


def run_all(zoo: Zoo, jobs: list[Job], arguments) -> int:
    """Runs what has not passed. Returns how many failed."""
    from contract import write_photos

    failed = 0
    with tempfile.TemporaryDirectory(prefix="graft-zoo-") as folder, contextlib.ExitStack() as stack:
        photos = write_photos(pathlib.Path(folder))
        workers = stack.enter_context(concurrent.futures.ThreadPoolExecutor(arguments.jobs))
        waiting = {}
        for job in jobs:
            if not arguments.again and zoo.passed(job):
                print(f"passed before  {job.name}", flush=True)
            else:
                waiting[workers.submit(zoo.run, job, photos)] = job
        for future in concurrent.futures.as_completed(waiting):
            job, record = waiting[future], future.result()
            failed += bool(record["problems"])
            word = "FAILED" if record["problems"] else "asked" if record["asked"] else "ok"
            print(f"{word:<13}  {job.name}  {'; '.join(record['problems'])}".rstrip(), flush=True)
    return failed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; * and ? match")
    parser.add_argument("--kind", action="append", choices=KINDS, help="files of this kind alone; may be repeated")
    parser.add_argument("--quick", action="store_true", help="the dozen of files that every run of the tests takes")
    parser.add_argument("--jobs", type=int, default=1, help="files at a time")
    parser.add_argument("--again", action="store_true", help="run what has passed, too")
    parser.add_argument(
        "--write-docs", type=pathlib.Path, metavar="FILE", help="write the table of the whole zoo"
    )
    arguments = parser.parse_args()
    arguments.program, arguments.folder = arguments.program.resolve(), arguments.folder.resolve()
    return arguments


def main() -> int:
    arguments = parse_arguments()
    jobs = chosen_jobs(arguments)
    if not jobs:
        sys.exit("no file of that name and kind is in networks.py")
    started = time.monotonic()
    wanted = list(dict.fromkeys(job.network for job in jobs))
    problems = export_zoo.export_missing(arguments.folder, wanted)
    export_zoo.prepare()
    zoo = Zoo(arguments.program, arguments.folder)
    there = [job for job in jobs if zoo.file(job).is_file() and export_zoo.is_complete(arguments.folder, job.network)]
    failed = run_all(zoo, there, arguments)
    if arguments.write_docs:
        from document import write_document

        write_document(arguments.write_docs, NETWORKS, zoo.current_records())
    for problem in problems:
        print(f"NOT EXPORTED   {problem}")
    minutes = (time.monotonic() - started) / 60
    print(f"zoo: {len(there)} files of {len(wanted)} networks, {failed} failed, {len(problems)} networks not exported, "
          f"{minutes:.0f} minutes")
    return 1 if failed or problems else 0


if __name__ == "__main__":
    sys.exit(main())
