"""Each task beside single_label from a table of photos to a file: trained, evaluated as scikit-learn does, predicted, verified,
and run by torch alone with equal answers."""

import csv
import json
import pathlib
import subprocess
import sys

import numpy
import torch
from PIL import Image
from sklearn import metrics

import program
import run_state
from program import backbone, graft

ALONE = pathlib.Path(__file__).parent / "torch_alone.py"
TOLERANCE = 1e-4


class TaskTest(program.ProgramTest):
    """Photos of one color each; what is to be learned is in the color."""

    TASK = ""

    def label(self, red, green, blue):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        if not self.TASK:
            self.skipTest("the tasks are below")
        generator = numpy.random.default_rng(3)
        rows = [("path", "label")]
        for index in range(48):
            color = generator.integers(0, 256, 3)
            pixels = numpy.clip(color + generator.normal(0, 20, (40, 48, 3)), 0, 255).astype(numpy.uint8)
            Image.fromarray(pixels).save(self.folder / f"{index}.png")
            rows.append((f"{index}.png", self.label(*(color / 255))))
        self.table = self.write_table("photos.csv", rows)
        self.run_folder, self.model = self.folder / "run", self.folder / "run/model.pt"

    def write_table(self, name, rows):
        with (self.folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return self.folder / name

    def train(self, *arguments, source=None, out=None):
        return graft("train", self.table, "--backbone", source or backbone("tiny_cnn.scripted"), "--set", "input.size=32",
                     "--set", "phases.0.epochs=60", "--set", f"task={self.TASK}", "--threads", 1, *arguments,
                     "--out", out or self.run_folder)

    def trained(self):
        """The validation photos with their labels, and what torch alone answers to them."""
        result = self.train()
        self.assertEqual(result.returncode, 0, result.stderr)
        rows = run_state.table(self.run_folder / "predictions.csv")
        photos = [self.run_folder / row["path"] for row in rows]
        command = [sys.executable, "-I", str(ALONE), str(self.model), *map(str, photos)]
        alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        self.assertTrue(self.answer("verify", self.model)["passed"])
        self.assertEqual(json.loads((self.run_folder / "recipe.json").read_text())["task"], self.TASK)
        self.measured = self.answer("evaluate", self.model, self.table)
        self.assertEqual(self.measured["images"], len(rows))
        best = json.loads((self.run_folder / "metrics.json").read_text())["best"]
        self.assert_same_figures(best["val"], self.measured)
        return rows, photos, alone["classes"], numpy.array(alone["probabilities"])

    def assert_figures(self, **expected):
        for name, value in expected.items():
            self.assertAlmostEqual(self.measured[name], value, delta=TOLERANCE * max(1, abs(value)), msg=name)

    def assert_goes_on(self):
        """What else a model is for: a backbone, and an export."""
        self.succeed("export", self.run_folder, "-o", self.folder / "again.pt")
        again = self.train("--set", "phases.0.epochs=1", source=self.model, out=self.folder / "second")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(graft("audit", self.table, "--task", self.TASK, "--json").returncode, 0)
        page = (self.run_folder / "report.html").read_text()
        stop = json.loads((self.run_folder / "recipe.json").read_text())["stop"]["metric"]
        self.assertIn(f"{stop.replace('_', ' ')} on validation photos", page)


class MultiLabelTest(TaskTest):
    TASK = "multi_label"

    def label(self, red, green, blue):
        return "|".join(name for name, part in (("red", red), ("green", green), ("blue", blue)) if part > 0.5)

    def test_from_table_to_file(self):
        rows, photos, classes, found = self.trained()
        self.assertEqual(classes, ["blue", "green", "red"])
        truth = numpy.array([[name in row["label"].split("|") for name in classes] for row in rows])
        self.assert_figures(
            average_precision=metrics.average_precision_score(truth[:, truth.any(0)], found[:, truth.any(0)]),
            accuracy=metrics.accuracy_score(truth, found >= 0.5),
            macro_f1=metrics.f1_score(truth, found >= 0.5, average="macro", zero_division=0),
            micro_f1=metrics.f1_score(truth, found >= 0.5, average="micro", zero_division=0))
        self.assertGreater(self.measured["average_precision"], 0.75)
        for row, answer in zip(rows, found):
            self.assertEqual(row["predicted"], "|".join(numpy.array(classes)[answer >= 0.5]))
        three = self.answer("predict", self.model, *photos, "--top", 3)
        for answer, expected in zip(three, found, strict=True):
            for scored in answer["top"]:
                self.assertAlmostEqual(scored["probability"], expected[scored["index"]], delta=TOLERANCE)
        threshold = float(found.mean())
        likely = self.answer("predict", self.model, *photos, "--threshold", threshold)
        self.assertEqual([len(answer["top"]) for answer in likely], list((found >= threshold).sum(1)))
        self.assert_goes_on()

    def test_what_does_not_fit(self):
        rows = [("path", "label"), ("0.png", "red"), ("1.png", "red|blue")]
        table = self.write_table("several.csv", rows)
        result = graft("train", table, "--backbone", backbone("tiny_cnn.scripted"), "--out", self.folder / "no")
        self.assert_failed(result, "line 3", "red|blue", "multi_label")
        self.assert_failed(self.train("--set", "loss=cross_entropy"), "loss: is cross_entropy", "bce")
        self.assert_failed(self.train("--preset", "linear"), "preset 'linear'", "single_label")
        self.assert_failed(graft("audit", table), "line 3", "multi_label")


class RegressionTest(TaskTest):
    TASK = "regression"

    def label(self, red, green, blue):
        return round(500 + 100 * (red + green + blue), 3)

    def test_from_table_to_file(self):
        rows, photos, classes, found = self.trained()
        self.assertEqual(classes, ["value"])
        truth, found = numpy.array([float(row["label"]) for row in rows]), found[:, 0]
        self.assert_figures(
            rmse=metrics.root_mean_squared_error(truth, found), mae=metrics.mean_absolute_error(truth, found),
            r2=metrics.r2_score(truth, found))
        self.assertGreater(self.measured["r2"], 0.5)
        self.assertLess(abs(found.mean() - truth.mean()), 60)
        numpy.testing.assert_allclose([float(row["predicted"]) for row in rows], found, rtol=TOLERANCE)
        answers = self.answer("predict", self.model, *photos)
        numpy.testing.assert_allclose([answer["values"]["value"] for answer in answers], found, rtol=TOLERANCE)
        lines = self.succeed("predict", self.model, *photos, "--csv").stdout.splitlines()
        self.assertEqual(lines[0], "path,name,value")
        self.assertEqual(len(lines), 1 + len(photos))
        self.assert_failed(graft("predict", self.model, photos[0], "--threshold", 0.5), "--threshold")
        record = run_state.history(self.run_folder)[-1]
        self.assertEqual([key for key in record if key.startswith("val_")], ["val_rmse", "val_mae", "val_loss", "val_r2", "val_spearman"])
        self.assert_goes_on()


class OrdinalTest(TaskTest):
    TASK = "ordinal"

    def label(self, red, green, blue):
        return str(8 + int(1.5 * (red + green + blue)))  # 8 to 12: by name 10 would come first

    def test_from_table_to_file(self):
        rows, photos, classes, found = self.trained()
        self.assertEqual(classes, sorted(classes, key=int))
        self.assertEqual(classes[0], "8")
        truth = numpy.array([classes.index(row["label"]) for row in rows])
        numpy.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
        self.assert_figures(
            accuracy=metrics.accuracy_score(truth, found.argmax(1)), mae=metrics.mean_absolute_error(truth, found.argmax(1)),
            quadratic_kappa=metrics.cohen_kappa_score(
                truth, found.argmax(1), weights="quadratic", labels=list(range(len(classes)))))
        self.assertLess(self.measured["mae"], 0.8)
        for answer, expected in zip(self.answer("predict", self.model, *photos), found, strict=True):
            self.assertEqual(answer["top"][0]["class"], classes[expected.argmax()])
        weight = run_state.module_tensors(self.model)["head.linear_6.weight"]
        self.assertEqual(weight.shape, torch.Size([1, 256]))
        self.assert_goes_on()


if __name__ == "__main__":
    program.main()
