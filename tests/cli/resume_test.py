"""A run that is interrupted, killed and resumed ends bit for bit where one ends that was left alone."""

import shutil
import signal
import time

import program
import run_state
from program import PHOTOS, backbone, graft

EPOCHS = 100  # of each phase: enough to be caught in the middle
INTERRUPTED = 130  # the exit status when a run was asked to stop

AUGMENT = [{"random_resized_crop": {"scale": [0.6, 1.0]}}, {"horizontal_flip": {"p": 0.5}}]
# Nothing is left on disk: what a stopped run has computed, another computes again.
PROBE = {
    "input": {"size": 32},
    "cache": {"activations": "memory"},
    "data": {"batch_size": 2},  # many steps: an epoch on kept features is over in no time
    "phases": [{"name": "probe", "epochs": EPOCHS, "train": ["head"], "optimizer": {"adamw": {"lr": 0.003}},
                "schedule": {"one_cycle": {}}}],
}
TWO_PHASES = {
    "input": {"size": 32},
    "data": {"batch_size": 8, "augment": {"transforms": AUGMENT}},
    "cache": {"views": 3, "activations": "memory"},
    "phases": PROBE["phases"] + [
        {"name": "fine-tune", "epochs": EPOCHS, "train": ["head", "last:1"], "batch_norm": "update",
         "optimizer": {"sgd": {"lr": 0.01, "momentum": 0.9}}, "layer_lr_decay": 0.5,
         "schedule": {"cosine": {"warmup_epochs": 1}}}],
}
# No view is kept: every epoch decodes and augments anew.
STREAMED = TWO_PHASES | {"cache": {"activations": "off"}}


class StoppedRun(program.ProgramTest):
    def run_folder(self, name):
        return self.folder / name

    def command(self, recipe, name, threads):
        return ("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--recipe", recipe,
                "--out", self.run_folder(name), "--threads", threads)

    def stop_after(self, epochs, how, name, arguments):
        """Starts the program, and sends it the signal once the run's history has that many epochs."""
        run = self.run_folder(name)
        process = program.start(*arguments)
        give_up = time.monotonic() + program.PATIENCE_SECONDS
        while not ((run / "history.jsonl").is_file() and len(run_state.history(run)) >= epochs):
            self.assertIsNone(process.poll(), f"the run ended before its epoch {epochs}")
            self.assertLess(time.monotonic(), give_up, f"the run never came to epoch {epochs}")
            time.sleep(0.002)
        process.send_signal(how)
        status = process.wait(program.PATIENCE_SECONDS)
        self.assertEqual(status, -how if how == signal.SIGKILL else INTERRUPTED, "the run was not caught in time")
        self.assertTrue((run / "checkpoint/last.pt").is_file())
        self.assertFalse((run / "model.pt").exists())

    def assert_same_run(self, name, expected):
        found, expected = self.run_folder(name), self.run_folder(expected)
        self.assertEqual(run_state.history(found), run_state.history(expected))
        tensors = [{name: run_state.checkpoint_tensors(run, name) for name in ("last", "best")}
                   | {"model": run_state.module_tensors(run / "model.pt")} for run in (found, expected)]
        for part, of_whole in tensors[1].items():
            self.assertEqual(run_state.differing(tensors[0][part], of_whole), [], part)
        self.assertEqual(run_state.metrics(found), run_state.metrics(expected))
        self.assertEqual(run_state.curves(found), run_state.curves(expected))
        self.assertEqual((found / "predictions.csv").read_bytes(), (expected / "predictions.csv").read_bytes())

    def check(self, content, threads, stops):
        """stops: (epochs in the history, signal), one after the other on the same run."""
        recipe = self.write_json("recipe.json", content)
        self.succeed(*self.command(recipe, "whole", threads))
        epochs = EPOCHS * len(content["phases"])
        self.assertEqual(len(run_state.history(self.run_folder("whole"))), epochs)
        arguments = self.command(recipe, "stopped", threads)
        for after, how in stops:
            self.stop_after(after, how, "stopped", arguments)
            arguments = ("train", "--resume", self.run_folder("stopped"))
        self.succeed(*arguments)
        self.assert_same_run("stopped", "whole")


class ResumeTest(StoppedRun):
    def test_interrupted_probe(self):
        self.check(PROBE, 1, [(5, signal.SIGINT)])

    def test_killed_probe(self):
        self.check(PROBE, 1, [(7, signal.SIGKILL)])

    def test_killed_before_the_first_epoch(self):
        self.check(PROBE, 1, [(0, signal.SIGKILL)])

    def test_terminated_probe(self):
        self.check(PROBE, 1, [(3, signal.SIGTERM)])

    def test_probe_stopped_again_and_again(self):
        self.check(PROBE, 2, [(2, signal.SIGINT), (6, signal.SIGKILL), (12, signal.SIGINT), (20, signal.SIGKILL)])

    def test_interrupted_in_each_phase(self):
        self.check(TWO_PHASES, 1, [(4, signal.SIGINT), (EPOCHS + 4, signal.SIGINT)])

    def test_killed_in_each_phase(self):
        self.check(TWO_PHASES, 1, [(4, signal.SIGKILL), (EPOCHS + 4, signal.SIGKILL)])

    def test_killed_between_phases(self):
        self.check(TWO_PHASES, 1, [(EPOCHS, signal.SIGKILL)])

    def test_two_threads(self):
        self.check(TWO_PHASES, 2, [(5, signal.SIGKILL), (EPOCHS + 2, signal.SIGINT)])

    def test_images_streamed_anew_each_epoch(self):
        self.check(STREAMED, 2, [(3, signal.SIGINT), (EPOCHS + 3, signal.SIGKILL)])


class ResumedFolderTest(StoppedRun):
    def test_killed_while_exporting(self):
        """A run whose last epoch is done and whose artifact is not there."""
        recipe = self.write_json("recipe.json", PROBE)
        for name in ("whole", "stopped"):
            self.succeed(*self.command(recipe, name, 1))
        for file in ("model.pt", "metrics.json"):
            (self.run_folder("stopped") / file).unlink()
        self.succeed("train", "--resume", self.run_folder("stopped"))
        self.assert_same_run("stopped", "whole")

    def test_killed_between_an_epoch_and_its_checkpoint(self):
        """What TensorBoard was told of epochs that the checkpoint does not know is told again and shown once."""
        recipe = self.write_json("recipe.json", PROBE)
        self.succeed(*self.command(recipe, "whole", 1))
        self.stop_after(3, signal.SIGINT, "stopped", self.command(recipe, "stopped", 1))
        behind = shutil.copytree(self.run_folder("stopped"), self.run_folder("behind"))
        self.succeed("train", "--resume", self.run_folder("stopped"))
        self.assertEqual(len(list(self.run_folder("stopped").glob("events*"))), 2)
        for file in self.run_folder("stopped").glob("events*"):
            shutil.copy(file, behind)
        self.succeed("train", "--resume", behind)
        self.assert_same_run("behind", "whole")

    def test_changed_data_is_refused(self):
        data = self.folder / "photos"
        shutil.copytree(PHOTOS, data)
        recipe = self.write_json("recipe.json", PROBE)
        arguments = ("train", data, *self.command(recipe, "stopped", 1)[2:])
        self.stop_after(2, signal.SIGINT, "stopped", arguments)
        shutil.copy(next((data / "glass").iterdir()), data / "paper/new.jpg")
        self.assert_failed(graft("train", "--resume", self.run_folder("stopped")), "has changed since")

    def test_a_resumed_run_ignores_where_it_is_called_from(self):
        recipe = self.write_json("recipe.json", PROBE)
        self.succeed(*self.command(recipe, "whole", 1))
        self.stop_after(3, signal.SIGINT, "stopped", self.command(recipe, "stopped", 1))
        self.succeed("train", "--resume", "stopped", cwd=self.folder)
        self.assert_same_run("stopped", "whole")


if __name__ == "__main__":
    program.main()
