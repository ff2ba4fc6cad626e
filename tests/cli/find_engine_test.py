"""The search for a fast engine in a child process: what it finds is remembered, and its crash harms nothing."""

import json
import os
import pathlib
import signal
import subprocess
import time

import program
from program import PHOTOS, backbone

# Streamed over so many epochs that a search is worth it.
MANY_ROWS = ("--set", "cache.activations=off", "--set", "phases.0.epochs=60", "--threads", 1)


class FindEngineTest(program.ProgramTest):
    def train(self, name, **options):
        command = ("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32", *MANY_ROWS)
        return self.succeed(*command, "--out", self.folder / name, **options)

    def environment(self):
        return program.environment() | {"XDG_CACHE_HOME": str(self.folder / "cache")}

    def remembered(self):
        return sorted((self.folder / "cache/graft/engines").glob("*.json"))

    def test_what_was_found_is_remembered(self):
        first = self.train("one", env=self.environment())
        self.assertIn("engine ", first.stdout)
        (record,) = self.remembered()
        trials = json.loads(record.read_text())["trials"]
        self.assertIn("plain", [trial["engine"] for trial in trials])
        self.assertTrue(all(trial["images_a_second"] > 0 for trial in trials if trial["failure"] == ""))
        record.write_text(json.dumps({"trials": [{"engine": "onednn", "exact": 0, "failure": ""}]}))
        second = self.train("two", env=self.environment())
        self.assertIn("engine onednn", second.stdout)

    def test_a_network_that_crashed_the_search_is_computed_otherwise(self):
        self.train("one", env=self.environment())
        (record,) = self.remembered()
        record.write_text(json.dumps({"failure": "crashed with signal 11"}))
        self.assertNotIn("engine onednn", self.train("two", env=self.environment()).stdout)
        self.assertIn("crashed", record.read_text())

    def test_a_crash_is_remembered(self):
        command = (program.path(), "train", PHOTOS, "--backbone", backbone("resnet18.scripted"), "--set",
                   "input.size=64", *MANY_ROWS, "--out", self.folder / "run")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        run = subprocess.Popen([str(part) for part in command], env=self.environment(), **pipes)
        os.kill(self.child_of(run), signal.SIGSEGV)
        output, errors = run.communicate(timeout=program.PATIENCE_SECONDS)
        self.assertEqual(run.returncode, 0, errors)
        (record,) = self.remembered()
        self.assertEqual(json.loads(record.read_text()), {"failure": "crashed with signal 11"})
        self.assertNotIn(b"engine onednn", output)

    def child_of(self, run) -> int:
        """The process that searches, once it is there."""
        give_up = time.monotonic() + program.PATIENCE_SECONDS
        while time.monotonic() < give_up and run.poll() is None:
            for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = entry.read_bytes().split(b"\0")
                    parent = int((entry.parent / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if b"find-engine" in words and parent == run.pid:
                    return int(entry.parent.name)
            time.sleep(0.01)
        self.fail("no search was started")

    def test_a_question_that_is_none(self):
        for question in ("", "{", '{"backbone": 1}', "{}"):
            with self.subTest(question=question):
                result = program.graft("find-engine", question)
                self.assertEqual(result.returncode, 1)
                self.assertTrue(program.error_lines(result))


if __name__ == "__main__":
    program.main()
