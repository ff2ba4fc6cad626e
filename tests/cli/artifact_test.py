"""The exported file gives the same answer in Python with torch alone as in the program, and says what it is."""

import json
import pathlib
import subprocess
import sys
import unittest

import torch
from program import FIXTURES, PHOTOS, ROOT, SMALL, ProgramTest, graft

# Runs in a process of its own that imports torch, numpy and Pillow, and nothing of Graft.
PLAIN_PYTHON = """
import json, sys, numpy, torch
from PIL import Image, ImageOps
model = torch.jit.load(sys.argv[1])
answers = []
for path in sys.argv[2:]:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    pixels = torch.from_numpy(numpy.array(image))
    answers.append(dict(zip(model.classes, model(pixels[None])[0].tolist())))
print(json.dumps(answers))
"""
FORMATS = [ROOT / "tests" / "data" / "formats" / name for name in ("orientation-6.jpg", "rgba.png", "palette.png")]


class Artifact(ProgramTest):

    def assert_python_agrees(self, model, photos):
        found = subprocess.run(
            [sys.executable, "-c", PLAIN_PYTHON, str(model), *map(str, photos)], capture_output=True, text=True, check=True
        )
        done = graft("predict", model, *photos, "--json", "--top", 100)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = json.loads(done.stdout)
        self.assertGreaterEqual(len(answers), 20)
        for expected, answer in zip(json.loads(found.stdout), answers, strict=True):
            for entry in answer["top"]:
                self.assertAlmostEqual(entry["probability"], expected[entry["class"]], delta=1e-4, msg=answer["path"])

    def test_python_gives_the_programs_answer(self):
        model = self.train("--quiet") / "model.pt"
        photos = [*sorted(PHOTOS.glob("*/*.jpg")), *(path for path in FORMATS if path.exists())]
        self.assert_python_agrees(model, photos)

    def test_default_backbone(self):
        weights = ROOT / "weights" / "efficientnet_lite0.pt"
        out = self.folder / "run"
        done = graft("train", PHOTOS, "--backbone", weights, "--set", "phases.0.epochs=2", "--out", out, "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        photos = sorted(PHOTOS.glob("*/*.jpg"))
        self.assert_python_agrees(out / "model.pt", photos)
        self.assert_features_are_the_packages(out / "model.pt", weights)

    def assert_features_are_the_packages(self, model, weights):
        """Features behind our surgery equal those of the package that the weights were made for."""
        from efficientnet_lite_pytorch import EfficientNet

        ours = torch.jit.load(model)
        package = EfficientNet.from_name("efficientnet-lite0").eval()
        values = torch.jit.load(weights).state_dict().values()
        package.load_state_dict(dict(zip(package.state_dict(), values, strict=True)))
        x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
        with torch.no_grad():
            expected = package.extract_features(x).mean((2, 3))
            torch.testing.assert_close(ours.features(x), expected, rtol=0, atol=1e-4)

    def test_it_says_what_it_is(self):
        model = self.train("--quiet", "--set", "phases.0.epochs=1") / "model.pt"
        extra = {"graft.json": ""}
        module = torch.jit.load(model, _extra_files=extra)
        facts = json.loads(extra["graft.json"])
        self.assertEqual(facts["classes"], ["glass", "paper"])
        self.assertEqual(module.classes, ["glass", "paper"])
        self.assertEqual(facts["metrics"], json.loads((model.parent / "metrics.json").read_text()))
        text = json.dumps(facts)
        for path in (str(ROOT), str(self.folder), str(pathlib.Path.home())):
            self.assertNotIn(path + "/", text)
        self.assertTrue(torch.equal(module(module.golden_images), module.golden_probabilities))
        images = torch.zeros(2, 50, 70, 3, dtype=torch.uint8)
        self.assertEqual(module.preprocess(images).shape, (2, 3, 32, 32))
        self.assertEqual(module.features(module.preprocess(images)).shape[0], 2)
        self.assertTrue(torch.allclose(module.logits(module.preprocess(images)).softmax(1), module(images)))

    def test_verify_sees_a_changed_weight(self):
        model = self.train("--quiet", "--set", "phases.0.epochs=1") / "model.pt"
        self.assertEqual(graft("verify", model).returncode, 0)
        extra = {"graft.json": ""}
        module = torch.jit.load(model, _extra_files=extra)
        with torch.no_grad():
            next(iter(module.parameters())).view(-1)[0] += 1e-3
        changed = self.folder / "changed.pt"
        torch.jit.save(module, changed, _extra_files=extra)
        done = graft("verify", changed)
        self.assertEqual(done.returncode, 1)
        self.assertIn("FAILED", done.stdout)

    def test_evaluate_repeats_the_runs_figures(self):
        run = self.train("--quiet")
        done = graft("evaluate", run / "model.pt", PHOTOS, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), json.loads((run / "metrics.json").read_text())["val"])

    def test_inspect_says_what_would_train(self):
        done = graft("inspect", FIXTURES / "resnet18.scripted.pt", "--size", 64, "--train", "head", "last:1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["classifier"], {"path": "fc", "in": 512, "out": 1000})
        self.assertEqual(answer["boundary"], "layer3")
        self.assertEqual(answer["stages"], ["conv1", "layer1", "layer2", "layer3", "layer4"])
        self.assertEqual({layer["path"].split(".")[0] for layer in answer["layers"] if layer["trained"]}, {"layer4"})


if __name__ == "__main__":
    unittest.main()
