"""What a finished run leaves in its folder besides the model, and that the parts agree with each other."""

import json
import shutil

import numpy
import torch

import program
import run_state
from program import FORMATS, PHOTOS, backbone

EPOCHS = 3


def curves_of(history):
    """What TensorBoard should show of a run."""
    curves = {}
    for record in history:
        figures = {"loss/train": record["train_loss"], "loss/val": record["val_loss"]}
        figures |= {f"val/{key[4:]}": value for key, value in record.items() if key[:4] == "val_" and key != "val_loss"}
        figures |= {f"lr/{place}": rate for place, rate in record["lr"].items()}
        for tag, value in figures.items():
            curves.setdefault(tag, []).append((record["step"], float(numpy.float32(value))))
    return curves


class RunFolderTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.data, self.out = self.folder / "photos", self.folder / "run"
        shutil.copytree(PHOTOS, self.data)
        shutil.copy(FORMATS / "text.jpg", self.data / "glass/a,text.jpg")
        options = ("--set", "input.size=32", "--set", f"phases.0.epochs={EPOCHS}", "--threads", 1)
        self.printed = self.succeed(
            "train", self.data, "--backbone", backbone("tiny_cnn.scripted"), *options, "--out", self.out
        ).stdout
        self.metrics = json.loads((self.out / "metrics.json").read_text())
        self.history = [json.loads(line) for line in (self.out / "history.jsonl").read_text().splitlines()]

    def test_metrics(self):
        self.assertEqual(list(self.metrics), ["best", "last", "images", "timing", "parameters", "diagnosis"])
        self.assertEqual(self.metrics["images"], {"train": 20, "val": 4, "test": 0, "skipped": 1})
        best = self.metrics["best"]
        self.assertEqual(best["phase"], "probe")
        self.assertTrue([record for record in self.history if record["best"]][-1]["epoch"] == best["epoch"])
        self.assert_same_figures(best["val"], self.answer("evaluate", self.out / "model.pt", self.data))
        self.assertNotIn("test", best)
        self.assertEqual(self.metrics["last"], self.history[-1])

    def test_parameters(self):
        tensors = run_state.load_module(self.out / "model.pt").named_parameters()
        sizes = {name: tensor.numel() for name, tensor in tensors}
        head = sum(size for name, size in sizes.items() if name.startswith("head."))
        self.assertEqual(self.metrics["parameters"], {"total": sum(sizes.values()), "trained": head})

    def test_timing(self):
        timing = self.metrics["timing"]
        self.assertEqual(sorted(timing), ["epochs_s", "export_s", "features_s", "total_s"])
        self.assertGreater(timing["features_s"], 0)
        self.assertLessEqual(timing["features_s"], timing["epochs_s"])
        self.assertLess(timing["epochs_s"] + timing["export_s"], timing["total_s"])
        self.assertAlmostEqual(timing["epochs_s"], sum(record["seconds"] for record in self.history))

    def test_history(self):
        self.assertEqual([record["epoch"] for record in self.history], list(range(1, EPOCHS + 1)))
        self.assertEqual([record["step"] for record in self.history], list(range(1, EPOCHS + 1)))  # 20 photos: one step
        for record in self.history:
            self.assertEqual(list(record["lr"]), ["head"])
            self.assertAlmostEqual(record["images_per_second"] * record["seconds"], 24)

    def test_tensorboard(self):
        [file] = self.out.glob("events*")
        self.assertRegex(file.name, r"^events\.out\.tfevents\.[0-9]{10}\.graft$")
        curves = run_state.curves(self.out)
        self.assertEqual(curves, curves_of(self.history))
        self.assertLessEqual({"loss/train", "loss/val", "val/accuracy", "lr/head"}, curves.keys())

    def test_predictions(self):
        rows = run_state.table(self.out / "predictions.csv")
        split = [row for row in run_state.table(self.out / "split.csv") if row["split"] == "val"]
        self.assertEqual([(row["path"], row["label"]) for row in rows], [(row["path"], row["label"]) for row in split])
        photos = [self.out / row["path"] for row in rows]
        answers = self.answer("predict", self.out / "model.pt", *photos, "--top", 2)
        for row, answer in zip(rows, answers, strict=True):
            self.assertEqual(row["predicted"], answer["top"][0]["class"])
            for scored in answer["top"]:
                self.assertAlmostEqual(float(row[f"p_{scored['class']}"]), scored["probability"], delta=1e-4)
        right = sum(row["predicted"] == row["label"] for row in rows)
        self.assertEqual(right / len(rows), self.metrics["best"]["val"]["accuracy"])

    def test_skipped(self):
        rows = run_state.table(self.out / "skipped.csv")
        self.assertEqual([row["path"] for row in rows], ["../photos/glass/a,text.jpg"])
        self.assertIn("is text", rows[0]["reason"])

    def test_log(self):
        lines = (self.out / "log.txt").read_text().splitlines()
        texts = [line.partition("  ")[2] for line in lines]
        self.assertTrue(all(line[:2] == "20" and line[19] == "Z" for line in lines))
        said = [line for line in self.printed.splitlines() if line.startswith(("phase ", "  epoch "))]
        self.assertEqual(len(said), 1 + EPOCHS)
        self.assertEqual([text for text in texts if text in said], said)
        self.assertTrue(any(text.startswith("left out: ") for text in texts))

    def test_best_is_the_model(self):
        best = run_state.checkpoint_tensors(self.out, "best")
        model = run_state.module_tensors(self.out / "model.pt")
        self.assertTrue(any(name.startswith("network/head.") for name in best))
        tensors = {name.removeprefix("network/"): tensor for name, tensor in best.items()}
        self.assertEqual(run_state.differing({name: model[name] for name in tensors}, tensors), [])

    def test_nothing_is_stored_twice(self):
        last = torch.load(self.out / "checkpoint/last.pt", weights_only=True)
        self.assertEqual({name.partition("/")[0] for name in last}, {"network", "state.json"})


class FinetunedTest(program.ProgramTest):
    def test_each_stage_has_its_rate_and_all_photos_go_through_the_file(self):
        run = self.folder / "run"
        phase = {"epochs": 1, "train": ["head", "last:2"], "optimizer": {"sgd": {"lr": 0.01}}, "layer_lr_decay": 0.5}
        recipe = self.write_json("recipe.json", {"input": {"size": 32}, "phases": [phase]})
        self.succeed("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--recipe", recipe, "--out", run)
        record = json.loads((run / "history.jsonl").read_text())
        stages = self.answer("inspect", backbone("tiny_cnn.scripted"), "--size", 32)["stages"]
        self.assertEqual(record["lr"], {"head": 0.01, stages[-1]: 0.005, stages[-2]: 0.0025})
        self.assertEqual(run_state.curves(run), curves_of([record]))
        best = json.loads((run / "metrics.json").read_text())["best"]
        self.assertEqual(best["val"], self.answer("evaluate", run / "model.pt", PHOTOS))


if __name__ == "__main__":
    program.main()
