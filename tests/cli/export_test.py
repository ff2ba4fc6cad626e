"""graft export: another checkpoint of a run, or another precision, as a file that everything reads."""

import json
import shutil
import signal
import time

import torch

import program
import run_state
from program import PHOTOS, backbone, graft

# As src/graft/artifact/precision.cpp has them.
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TOLERANCES = {"fp32": 1e-4, "bf16": 0.08, "fp16": 0.01}


class ExportTest(program.ProgramTest):
    """A run whose best epoch is not its last: the rate is so high that later epochs are worse."""

    def setUp(self):
        super().setUp()
        self.data, self.out, self.file = self.folder / "photos", self.folder / "run", self.folder / "new.pt"
        shutil.copytree(PHOTOS, self.data)
        self.backbone = self.folder / "backbone.pt"
        shutil.copy(backbone("tiny_cnn.scripted"), self.backbone)
        phases = [{"name": "probe", "epochs": 8, "train": ["head"], "optimizer": {"sgd": {"lr": 1.0}}}]
        recipe = {"input": {"size": 32}, "head": [{"linear": "classes"}], "phases": phases, "stop": {"metric": "loss"}}
        options = ("--recipe", self.write_json("recipe.json", recipe), "--threads", 1, "--out", self.out)
        self.succeed("train", self.data, "--backbone", self.backbone, *options)

    def export(self, *arguments):
        return self.answer("export", self.out, "-o", self.file, *arguments)

    def head_of(self, model):
        return {name: t for name, t in run_state.module_tensors(model).items() if name.startswith("head.")}

    def checkpoint_head(self, name):
        tensors = run_state.checkpoint_tensors(self.out, name)
        return {key.removeprefix("network/"): t for key, t in tensors.items() if key.startswith("network/head.")}


class CheckpointTest(ExportTest):
    def test_the_best_again(self):
        answer = self.export()
        best = json.loads((self.out / "metrics.json").read_text())["best"]
        self.assertEqual({key: answer[key] for key in ("phase", "epoch")}, {key: best[key] for key in ("phase", "epoch")})
        self.assert_same_figures(answer["metrics"], {"val": best["val"]})
        tensors = [run_state.module_tensors(model) for model in (self.file, self.out / "model.pt")]
        self.assertEqual(run_state.differing(*tensors), [])

    def test_the_last(self):
        answer = self.export("--checkpoint", "last")
        last = json.loads((self.out / "metrics.json").read_text())["last"]
        self.assertEqual((answer["phase"], answer["epoch"]), (last["phase"], last["epoch"]))
        self.assertAlmostEqual(answer["metrics"]["val"]["loss"], last["val_loss"], delta=1e-4)
        self.assertEqual(run_state.differing(self.head_of(self.file), self.checkpoint_head("last")), [])
        self.assertNotEqual(run_state.differing(self.checkpoint_head("last"), self.checkpoint_head("best")), [])
        self.succeed("verify", self.file)

    def test_the_run_is_left_as_it_is(self):
        before = {path: path.read_bytes() for path in self.out.rglob("*") if path.is_file()}
        self.export("--checkpoint", "last", "--precision", "bf16")
        self.assertEqual({path: path.read_bytes() for path in self.out.rglob("*") if path.is_file()}, before)

    def test_in_plain_words(self):
        printed = self.succeed("export", self.out, "-o", self.file).stdout
        self.assertIn("val: accuracy", printed)
        self.assertIn(f"model: {self.file}", printed)


class PrecisionTest(ExportTest):
    def assert_agrees(self, precision):
        answer = self.export("--precision", precision)
        self.assertEqual(answer["precision"], precision)
        self.assertTrue(self.answer("verify", self.file)["passed"])
        module = run_state.load_module(self.file)
        floating = [p.dtype for name, p in run_state.module_tensors(self.file).items()
                    if name.startswith("backbone.") and p.is_floating_point()]
        self.assertEqual(set(floating), {TYPES[precision]})
        photos = sorted(PHOTOS.glob("*/*.jpg"))
        reference = self.answer("predict", self.out / "model.pt", *photos, "--top", 2)
        answers = self.answer("predict", self.file, *photos, "--top", 2)
        worst = 0
        for exact, found in zip(reference, answers, strict=True):
            by_class = {row["class"]: row["probability"] for row in exact["top"]}
            worst = max(worst, *(abs(row["probability"] - by_class[row["class"]]) for row in found["top"]))
        self.assertLessEqual(worst, TOLERANCES[precision])
        self.assert_float_outside(module)
        return worst

    def assert_float_outside(self, module):
        images = torch.randint(0, 256, (2, 45, 70, 3), dtype=torch.uint8)
        with torch.no_grad():
            pixels = module.preprocess(images)
            given = (pixels, module.features(pixels), module.logits(pixels), module(images))
            answer = module(module.golden_images)
        self.assertEqual({tensor.dtype for tensor in given}, {torch.float32})
        torch.testing.assert_close(given[3], torch.softmax(given[2], 1))
        torch.testing.assert_close(answer, module.golden_probabilities, rtol=0, atol=1e-4)  # the same machine

    def test_fp32(self):
        self.assertEqual(self.assert_agrees("fp32"), 0)

    def test_bf16(self):
        self.assertGreater(self.assert_agrees("bf16"), 0)

    def test_fp16(self):
        self.assertGreater(self.assert_agrees("fp16"), 0)

    def test_a_smaller_file(self):
        self.export("--precision", "bf16")
        with_tensors = sum(t.numel() * t.element_size() for t in run_state.module_tensors(self.file).values())
        whole = sum(t.numel() * t.element_size() for t in run_state.module_tensors(self.out / "model.pt").values())
        self.assertLess(with_tensors, 0.6 * whole)

    def test_a_backbone_again(self):
        self.export("--precision", "bf16")
        self.succeed("train", PHOTOS, "--backbone", self.file, "--set", "phases.0.epochs=1", "--out", self.folder / "next")
        self.succeed("verify", self.folder / "next/model.pt")

    def test_evaluate_gives_the_figures_that_the_file_has(self):
        answer = self.export("--precision", "fp16")
        self.assertEqual(self.answer("evaluate", self.file, self.data), answer["metrics"]["val"])


class RefusedExportTest(ExportTest):
    def assert_refused(self, *words, run=None):
        self.assert_failed(graft("export", run or self.out, "-o", self.file), *words)
        self.assertFalse(self.file.exists())

    def test_what_is_no_run(self):
        self.assert_refused(str(self.folder), "checkpoint/last.pt", run=self.folder)

    def test_a_file_that_is_there(self):
        self.file.write_text("mine")
        self.assert_failed(graft("export", self.out, "-o", self.file), str(self.file), "is there already", "-o")
        self.assertEqual(self.file.read_text(), "mine")

    def test_an_average_that_the_run_has_not(self):
        refused = graft("export", self.out, "-o", self.file, "--checkpoint", "average")
        self.assert_failed(refused, "has no averaged weights", "--checkpoint best or last")
        self.assertFalse(self.file.exists())

    def test_photos_that_have_changed(self):
        shutil.copy(next((self.data / "glass").iterdir()), self.data / "paper/new.jpg")
        self.assert_refused("has changed since")

    def test_photos_that_are_gone(self):
        shutil.rmtree(self.data)
        self.assert_refused(str(self.data), "is not there")

    def test_another_backbone(self):
        shutil.copy(backbone("resnet18.scripted"), self.backbone)
        self.assert_refused(str(self.backbone), "SHA-256")

    def test_a_place_that_is_not_there(self):
        self.file = self.folder / "nowhere/new.pt"
        self.assert_refused("nowhere/new.pt")


class UnfinishedRunTest(program.ProgramTest):
    def stop(self, epochs, how):
        """A run that gets the signal once its history has that many epochs."""
        run = self.folder / "run"
        options = ("--set", "input.size=32", "--set", "phases.0.epochs=2000", "--threads", 1, "--out", run)
        process = program.start("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), *options)
        give_up = time.monotonic() + program.PATIENCE_SECONDS
        while not ((run / "history.jsonl").is_file() and len(run_state.history(run)) >= epochs):
            self.assertLess(time.monotonic(), give_up)
            time.sleep(0.002)
        process.send_signal(how)
        process.wait(program.PATIENCE_SECONDS)
        return run

    def test_a_run_without_an_epoch(self):
        run = self.stop(0, signal.SIGKILL)
        self.assertEqual(run_state.history(run), [], "the run was not caught in time")
        self.assert_failed(graft("export", run, "-o", self.folder / "new.pt"), "has not finished an epoch", "--resume")

    def test_a_stopped_run_gives_its_best_so_far(self):
        run = self.stop(3, signal.SIGINT)
        answer = self.answer("export", run, "-o", self.folder / "new.pt")
        self.assertEqual(answer["epoch"], [record for record in run_state.history(run) if record["best"]][-1]["epoch"])
        self.succeed("verify", self.folder / "new.pt")
        self.assertFalse((run / "model.pt").exists())


if __name__ == "__main__":
    program.main()
