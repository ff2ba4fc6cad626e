"""A run that is interrupted, or killed, and resumed ends bit-identical to one that was not."""

import json
import shutil
import signal
import unittest

import torch
from program import PHOTOS, SMALL, ProgramTest, graft, start, wait_for_epochs

PROBE = ["--set", "phases.0.epochs=40"]
TWO_PHASES = [
    "--preset", "finetune", "--set", "phases.0.epochs=10", "--set", "phases.1.epochs=20",
    "--set", 'phases.1.train=["head", "last:1"]', "--set", "phases.1.batch_norm=update",
]  # fmt: skip


def tensors(folder):
    """What the run trained, by name, from its checkpoint; and the parameters of its model."""
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=False)  # a typed dictionary
    model = torch.jit.load(folder / "model.pt")
    kept = {name: tensor for name, tensor in checkpoint.items() if name != "state.json"}
    return kept | dict(model.named_parameters()) | dict(model.named_buffers())


class Resume(ProgramTest):
    def assert_same(self, one, other):
        first, second = tensors(one), tensors(other)
        self.assertEqual(first.keys(), second.keys())
        for name, tensor in first.items():
            self.assertTrue(torch.equal(tensor, second[name]), name)

    def interrupted(self, arguments, out, epochs, number, code):
        process = start("train", PHOTOS, *arguments, "--out", self.folder / out)
        wait_for_epochs(self.folder / out, epochs, process)
        process.send_signal(number)
        process.wait(timeout=120)
        process.stderr.close()
        self.assertEqual(process.returncode, code)
        self.assertFalse((self.folder / out / "model.pt").exists())

    def resume(self, out):
        done = graft("train", "--resume", self.folder / out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out

    def check(self, arguments, threads=1):
        small = [*SMALL[:-3], str(threads), *SMALL[-2:]]
        whole = self.train(*arguments, out="whole", small=small)
        self.interrupted([*small, *arguments], "stopped", 3, signal.SIGINT, 130)
        self.assert_same(self.resume("stopped"), whole)
        for epochs in (1, 12):
            out = f"killed{epochs}"
            self.interrupted([*small, *arguments], out, epochs, signal.SIGKILL, -signal.SIGKILL)
            self.assert_same(self.resume(out), whole)
            history = [json.loads(line) for line in (self.folder / out / "history.jsonl").read_text().splitlines()]
            numbers = [(record["phase"], record["epoch"]) for record in history]
            self.assertEqual(len(set(numbers)), len(numbers))

    def test_probe(self):
        self.check(PROBE)

    def test_two_phases(self):
        self.check(TWO_PHASES)

    def test_two_threads(self):
        self.check(TWO_PHASES, threads=2)

    def test_changed_data_is_refused(self):
        data = self.folder / "data"
        shutil.copytree(PHOTOS, data)
        process = start("train", data, *SMALL, *PROBE, "--out", self.folder / "run")
        wait_for_epochs(self.folder / "run", 2, process)
        process.kill()
        process.wait()
        process.stderr.close()
        next((data / "glass").iterdir()).unlink()
        done = graft("train", "--resume", self.folder / "run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("has changed since the run was started", done.stderr)


if __name__ == "__main__":
    unittest.main()
