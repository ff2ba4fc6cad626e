"""Runs the program for the tests of this folder."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "build" / "fixtures"
PHOTOS = ROOT / "tests" / "data" / "photos"
TINY = FIXTURES / "tiny_cnn.scripted.pt"
# A run of about a second.
SMALL = ["--backbone", TINY, "--set", "input.size=32", "--set", "data.batch_size=8", "--threads", "1", "--device", "cpu"]

GRAFT = pathlib.Path(sys.argv.pop(1)).resolve()


def graft(*arguments, **options):
    """The finished process of `graft ARGUMENTS`, its output as text."""
    command = [str(argument) for argument in (GRAFT, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def start(*arguments):
    return subprocess.Popen([str(a) for a in (GRAFT, *arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_epochs(folder, count, process):
    """Returns once the run has recorded `count` epochs."""
    history = pathlib.Path(folder) / "history.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if history.exists() and len(history.read_text().splitlines()) >= count:
            return
        if process.poll() is not None:
            raise AssertionError(f"the run ended before epoch {count}: {process.stderr.read().decode()}")
        time.sleep(0.005)
    raise AssertionError(f"no epoch {count} within two minutes")


class ProgramTest(unittest.TestCase):
    """A test with a temporary folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="graft-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def train(self, *arguments, out="run", small=SMALL):
        done = graft("train", PHOTOS, *small, "--out", self.folder / out, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out
