"""What the tests of the program share: starting it, judging how it fails, folders that go away.

Each test is a script: PYTHON NAME_test.py PROGRAM FIXTURES [what python -m unittest takes].
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "tests/data/photos"
FORMATS = ROOT / "tests/data/formats"

# A hung program fails a test, however slow the machine.
PATIENCE_SECONDS = 300

# What a failure must never show: Python's, C++'s and LibTorch's ways to say that nobody caught an error.
NOT_FOR_USERS = ("Traceback", "terminate called", "Exception raised from", "[enforce fail", "std::", "c10::")

_cache = tempfile.TemporaryDirectory(prefix="graft-cache-")  # each test's is a folder in it
_tests = 0
_program = pathlib.Path()
_fixtures = pathlib.Path()


def path() -> pathlib.Path:
    """The program itself."""
    return _program


def backbone(name: str) -> pathlib.Path:
    """A small network with random weights, made by tests/fixtures/export_backbones.py."""
    path = _fixtures / f"{name}.pt"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: run scripts/setup test")
    return path


def environment() -> dict[str, str]:
    """Waiting OpenMP threads sleep: tests share their cores, and the numbers are the same. What runs leave for later ones
    stays within the test."""
    return os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "XDG_CACHE_HOME": f"{_cache.name}/{_tests}"}


def graft(*arguments, **options) -> subprocess.CompletedProcess:
    """Runs the program to its end. `options` are those of subprocess.run."""
    command = [str(part) for part in (_program, *arguments)]
    options.setdefault("env", environment())
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, **options)


def start(*arguments) -> subprocess.Popen:
    """Starts the program and leaves it running, silent."""
    command = [str(part) for part in (_program, *arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())


def error_lines(result: subprocess.CompletedProcess) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("error: ")]


class ProgramTest(unittest.TestCase):
    """A folder of its own for each test, and what is expected of the program."""

    def setUp(self):
        global _tests
        _tests += 1
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="graft-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def succeed(self, *arguments, **options) -> subprocess.CompletedProcess:
        result = graft(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def answer(self, *arguments, **options):
        """What a command says under --json, which must be all that it says on standard output."""
        return json.loads(self.succeed(*arguments, "--json", **options).stdout)

    def assert_same_figures(self, found, expected):
        """But for roundings: a head answers to a batch of another size otherwise in its last digits."""
        if isinstance(expected, float):
            self.assertAlmostEqual(found, expected, delta=1e-5 * max(1, abs(expected)))
        elif isinstance(expected, dict):
            self.assertEqual(list(found), list(expected))
            for key, value in expected.items():
                self.assert_same_figures(found[key], value)
        elif isinstance(expected, list):
            self.assertEqual(len(found), len(expected))
            for one, other in zip(found, expected):
                self.assert_same_figures(one, other)
        else:
            self.assertEqual(found, expected)

    def write_json(self, name: str, value) -> pathlib.Path:
        path = self.folder / name
        path.write_text(json.dumps(value))
        return path

    def assert_failed(self, result: subprocess.CompletedProcess, *words: str, status: int = 1, lines: int = 1):
        """`lines` error lines and nothing else but images left out; the words are in them."""
        self.assertEqual(result.returncode, status, result.stderr)
        errors = error_lines(result)
        self.assertEqual(len(errors), lines, result.stderr)
        others = [line for line in result.stderr.splitlines() if line not in errors]
        self.assertEqual([line for line in others if not line.startswith("left out: ")], [])
        for word in words:
            self.assertIn(word, "\n".join(errors))
        for word in NOT_FOR_USERS:
            self.assertNotIn(word, result.stderr)


def main():
    """Takes PROGRAM and FIXTURES off the command line and runs the tests of the script."""
    global _program, _fixtures
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM FIXTURES [unittest's options]")
    _program, _fixtures = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
    unittest.main(module="__main__")
