"""Runs a contestant and measures it from outside: seconds from start to end, and the memory of it and its children."""

import dataclasses
import json
import os
import subprocess
import threading
import time

import psutil

SAMPLING_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Of one run of one contestant."""

    seconds: float
    memory: int  # bytes at the peak, pages shared among its processes counted once
    said: dict  # the last line that it printed

    def value(self, unit: str) -> float:
        return {"seconds": self.seconds, "memory": self.memory}.get(unit) or self.said[unit]


class PeakMemory(threading.Thread):
    """Adds up the proportional shares of a process and its descendants, ten times a second."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.process, self.peak, self.over = psutil.Process(pid), 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(SAMPLING_SECONDS):
            self.peak = max(self.peak, self.now())

    def now(self) -> int:
        total = 0
        try:
            for process in [self.process, *self.process.children(recursive=True)]:
                total += process.memory_full_info().pss
        except psutil.NoSuchProcess:  # it ended while it was looked at
            pass
        return total


def measure(command: list[str], environment: dict[str, str], cores: list[int]) -> Measurement:
    """Raises RuntimeError with the command's own words when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, cores)), *command], env=os.environ | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    memory = PeakMemory(process.pid)
    memory.start()
    out, errors = process.communicate()
    seconds = time.perf_counter() - start
    memory.over.set()
    memory.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{errors[-2000:]}")
    return Measurement(seconds, memory.peak, last_json(out))


def last_json(text: str) -> dict:
    """A program's answer: all that it printed, or its last line."""
    for candidate in (text, text.strip().rsplit("\n", 1)[-1]):
        try:
            found = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else {"answer": found}
    return {}
