"""What graft exports is one file that PyTorch alone runs with equal answers, and that knows when it was changed."""

import json
import pathlib
import subprocess
import sys
import zipfile

import torch
from PIL import Image

import program
import run_state
from program import FORMATS, PHOTOS, ROOT, backbone, graft

sys.path.insert(0, str(ROOT / "scripts"))
from backbones import torchvision_operators  # noqa: E402

torchvision_operators.provide()
from torchvision.transforms.v2 import functional  # noqa: E402

ALONE = pathlib.Path(__file__).parent / "torch_alone.py"
READABLE_FORMATS = ("cmyk.jpg", "grey.jpg", "grey.png", "grey.tiff", "lossless.webp", "lossy.webp",
                    "orientation-3.jpg", "orientation-6.jpg", "palette.png", "png-named.jpg", "progressive.jpg",
                    "rgb.bmp", "rgba.png")
TOLERANCE = 1e-4


def answers_of_torch_alone(model, images):
    """What a Python process that imports torch and Pillow computes with the file."""
    command = [sys.executable, "-I", str(ALONE), str(model), *map(str, images)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=program.PATIENCE_SECONDS)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)


class Exported(program.ProgramTest):
    def train(self, source, size, *arguments, epochs=3):
        run = self.folder / f"run-{size}-{len(list(self.folder.iterdir()))}"
        options = ("--set", f"input.size={size}", "--set", f"phases.0.epochs={epochs}")
        self.succeed("train", PHOTOS, "--backbone", source, *options, *arguments, "--threads", 1, "--out", run)
        return run / "model.pt"


class PythonParityTest(Exported):
    def assert_agrees(self, model, images):
        alone = answers_of_torch_alone(model, images)
        answers = self.answer("predict", model, *images, "--top", len(alone["classes"]))
        self.assertEqual([answer["path"] for answer in answers], [str(image) for image in images])
        worst = {}
        for image, answer, expected in zip(images, answers, alone["probabilities"]):
            self.assertEqual(sorted(row["index"] for row in answer["top"]), list(range(len(expected))))
            self.assertTrue(all(alone["classes"][row["index"]] == row["class"] for row in answer["top"]))
            worst[image.name] = max(abs(row["probability"] - expected[row["index"]]) for row in answer["top"])
        self.assertEqual({name: value for name, value in worst.items() if not value <= TOLERANCE}, {})
        self.assertGreater(spread(alone["probabilities"]), 100 * TOLERANCE, "the photos hardly differ to the network")
        return len(worst)

    def test_photos(self):
        photos = sorted(PHOTOS.glob("*/*.jpg"))
        for interpolation in ("bilinear", "bicubic"):
            with self.subTest(interpolation=interpolation):
                model = self.train(
                    backbone("tiny_cnn.scripted"), 32, "--set", f"input.interpolation={interpolation}", epochs=20
                )
                self.assertGreaterEqual(self.assert_agrees(model, photos), 20)

    def test_formats(self):
        model = self.train(backbone("tiny_cnn.scripted"), 32, epochs=20)
        self.assert_agrees(model, [FORMATS / name for name in READABLE_FORMATS] + sorted(PHOTOS.glob("*/*.jpg")))

    def test_squashed_input_and_a_traced_backbone(self):
        model = self.train(backbone("tiny_cnn.traced"), 48, "--set", "input.resize=squash", epochs=20)
        self.assert_agrees(model, sorted(PHOTOS.glob("*/*.jpg")))


class OneModel(Exported):
    def setUp(self):
        super().setUp()
        self.model = self.train(backbone("tiny_cnn.scripted"), 32)


class AveragedViewsTest(OneModel):
    """--tta, against the mean of what the file answers to torchvision's views."""

    def expected(self, views, photo):
        """Probabilities of one photo by PyTorch, under the names of --tta."""
        module = run_state.load_module(self.model)
        spec = json.loads((self.model.parent / "recipe.json").read_text())["input"]
        size, side = spec["size"], int(spec["size"] / spec["crop"])
        with Image.open(photo) as image:
            pixels = functional.pil_to_tensor(image.convert("RGB"))
        resized = functional.resize(pixels, side, antialias=True)
        crop = functional.center_crop(resized, size)
        seen = {
            "none": [crop], "hflip": [crop, crop.flip(2)],
            "flips": [crop, crop.flip(2), crop.flip(1), crop.flip(1, 2)],
            "five_crop": functional.five_crop(resized, size), "ten_crop": functional.ten_crop(resized, size),
        }[views]
        images = functional.normalize(torch.stack(list(seen)).float() / 255, spec["mean"], spec["std"])
        with torch.no_grad():
            return module.logits(images).softmax(1).mean(0).tolist()

    def test_answers_are_means(self):
        photo = next(PHOTOS.glob("glass/*.jpg"))
        answers = set()
        for views in ("none", "hflip", "flips", "five_crop", "ten_crop"):
            with self.subTest(views=views):
                top = self.answer("predict", self.model, photo, "--top", 2, "--tta", views)[0]["top"]
                found = [row["probability"] for row in sorted(top, key=lambda row: row["index"])]
                expected = self.expected(views, photo)
                self.assertLess(max(abs(a - b) for a, b in zip(found, expected, strict=True)), TOLERANCE)
                answers.add(found[0])
        self.assertEqual(len(answers), 5)
        losses = [self.answer("evaluate", self.model, PHOTOS, *tta)["loss"] for tta in ((), ("--tta", "flips"))]
        self.assertNotEqual(*losses)

    def test_views_that_are_none(self):
        result = graft("predict", self.model, PHOTOS, "--tta", "twenty_crop")
        self.assertEqual(result.returncode, 2)
        squashed = self.train(backbone("tiny_cnn.scripted"), 32, "--set", "input.resize=squash", epochs=1)
        self.assert_failed(graft("predict", squashed, PHOTOS, "--tta", "ten_crop"), "'ten_crop'", "squash")


class ManyPhotosTest(OneModel):
    """So many that the network is computed by an engine, several photos at a time."""

    def test_each_is_answered_as_if_it_were_alone(self):
        folder = self.folder / "many"
        folder.mkdir()
        photos = sorted(PHOTOS.rglob("*.jpg"))
        for index in range(130):
            (folder / f"{index:03}.jpg").write_bytes(photos[index % len(photos)].read_bytes())
        for broken in ("004.jpg", "077.jpg"):
            (folder / broken).write_text("no photo")
        result = graft("predict", self.model, folder, "--json")
        self.assertEqual(result.returncode, 1)
        answers = json.loads(result.stdout)
        self.assertEqual([pathlib.Path(answer["path"]).name for answer in answers], [f"{i:03}.jpg" for i in range(130)])
        self.assertEqual([i for i, answer in enumerate(answers) if "error" in answer], [4, 77])
        self.assertEqual(len(result.stderr.splitlines()), 2, result.stderr)
        for index in (0, 3, 5, 76, 78, 129):
            alone = self.answer("predict", self.model, folder / f"{index:03}.jpg")[0]["top"][0]
            self.assertEqual(answers[index]["top"][0]["class"], alone["class"])
            self.assertAlmostEqual(answers[index]["top"][0]["probability"], alone["probability"], delta=1e-5)


class FileTest(OneModel):
    """One file with everything in it."""

    def metadata(self):
        extra = {"graft.json": ""}
        run_state.load_module(self.model, extra)
        return json.loads(extra["graft.json"])

    def test_methods_and_attributes(self):
        module = run_state.load_module(self.model)
        self.assertEqual(module.classes, ["glass", "paper"])
        images = torch.randint(0, 256, (2, 45, 70, 3), dtype=torch.uint8)
        with torch.no_grad():
            pixels = module.preprocess(images)
            features = module.features(pixels)
            logits = module.logits(pixels)
            probabilities = module(images)
        self.assertEqual([list(t.shape) for t in (pixels, features, logits)], [[2, 3, 32, 32], [2, 32], [2, 2]])
        torch.testing.assert_close(probabilities, torch.softmax(logits, 1))
        self.assertFalse(module.training)

    def test_features_are_the_backbones(self):
        network = run_state.load_module(backbone("tiny_cnn.scripted")).eval()
        images = torch.randn(3, 3, 32, 32)
        with torch.no_grad():
            features = run_state.load_module(self.model).features(images)
            expected = torch.nn.functional.linear(features, network.fc.weight, network.fc.bias)
            torch.testing.assert_close(network(images), expected, rtol=0, atol=TOLERANCE)

    def test_preprocessing_normalises_as_the_recipe_says(self):
        module, spec = run_state.load_module(self.model), self.metadata()["input"]
        images = torch.randint(0, 256, (1, 1, 1, 3), dtype=torch.uint8).expand(1, 40, 60, 3).contiguous()
        expected = (images[0, 0, 0] / 255 - torch.tensor(spec["mean"])) / torch.tensor(spec["std"])
        torch.testing.assert_close(module.preprocess(images).amax((0, 2, 3)), expected, rtol=0, atol=1e-5)

    def test_golden_pair(self):
        module = run_state.load_module(self.model)
        with torch.no_grad():
            answer = module(module.golden_images)
        torch.testing.assert_close(answer, module.golden_probabilities, rtol=0, atol=TOLERANCE)

    def test_metadata(self):
        metadata = self.metadata()
        self.assertEqual(metadata["classes"], ["glass", "paper"])
        self.assertEqual((metadata["task"], metadata["num_features"]), ("single_label", 32))
        self.assertEqual(metadata["data"]["images"], {"train": 20, "val": 4, "test": 0})
        self.assertEqual(metadata["input"]["size"], 32)
        self.assertEqual(metadata["recipe"]["phases"][0]["epochs"], 3)
        for key in ("graft", "torch"):
            self.assertIn(key, metadata["versions"])
        self.assertEqual(len(metadata["backbone"]["sha256"]), 64)

    def test_metrics_are_those_of_the_file(self):
        self.assert_same_figures(self.metadata()["metrics"]["val"], self.answer("evaluate", self.model, PHOTOS))
        written = json.loads((self.model.parent / "metrics.json").read_text())
        self.assertEqual(written["best"]["val"], self.metadata()["metrics"]["val"])

    def test_no_path_of_this_machine(self):
        for text in strings_in(self.metadata()):
            self.assertFalse(text.startswith(("/", "~", "..")), text)
        with zipfile.ZipFile(self.model) as archive:
            for name in archive.namelist():
                for place in (self.folder, PHOTOS, pathlib.Path.home()):
                    if str(place) not in ("/", "/root"):  # too short to tell
                        self.assertNotIn(str(place).encode(), archive.read(name), name)


class VerifyTest(OneModel):
    def flip_byte_of(self, entry_suffix):
        """Flips one bit of an entry's content and mends the checksum, as nobody does by accident."""
        changed = self.folder / "changed.pt"
        with zipfile.ZipFile(self.model) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as target:
            entries = [name for name in source.namelist() if name.endswith(entry_suffix)]
            self.assertEqual(len(entries), 1)
            for name in source.namelist():
                content = bytearray(source.read(name))
                if name in entries:
                    content[1] ^= 1
                target.writestr(name, bytes(content))
        return changed

    def test_an_untouched_file_passes(self):
        answer = self.answer("verify", self.model)
        self.assertTrue(answer["passed"])
        self.assertGreaterEqual(len(answer["checks"]), 3)
        self.assertTrue(all(check["passed"] for check in answer["checks"]))

    def test_every_tensor_is_under_guard(self):
        with zipfile.ZipFile(self.model) as archive:
            count = sum("/data/" in name and "/.data/" not in name for name in archive.namelist())
        for index in range(count):
            with self.subTest(tensor=index):
                result = graft("verify", self.flip_byte_of(f"/data/{index}"))
                self.assert_failed(result, "changed.pt")

    def test_damage_on_the_way(self):
        whole = bytearray(self.model.read_bytes())
        with zipfile.ZipFile(self.model) as archive:
            entry = max(archive.infolist(), key=lambda info: info.file_size)
        whole[entry.header_offset + entry.file_size // 2] ^= 1
        (self.folder / "damaged.pt").write_bytes(whole)
        self.assert_failed(graft("verify", self.folder / "damaged.pt"), "damaged.pt")


class ArtifactAsBackboneTest(Exported):
    def test_train_on_an_artifact(self):
        first = self.train(backbone("tiny_cnn.scripted"), 32)
        second = self.train(first, 32, "--seed", 5)
        parts = [
            {name[name.rindex("backbone.") :]: t for name, t in run_state.module_tensors(model).items()
             if name.startswith("backbone.")} for model in (first, second)
        ]
        expected, found = parts
        self.assertGreaterEqual(len(expected), 18)
        self.assertEqual(run_state.differing(found, expected), [])
        self.assertTrue(self.answer("verify", second)["passed"])

    def test_an_artifact_brings_its_own_input(self):
        first = self.train(backbone("tiny_cnn.scripted"), 48, "--set", "input.mean=[0.4,0.5,0.6]")
        run = self.folder / "second"
        self.succeed("train", PHOTOS, "--backbone", first, "--set", "phases.0.epochs=1", "--out", run)
        inputs = [json.loads((path / "recipe.json").read_text())["input"] for path in (first.parent, run)]
        self.assertEqual(*inputs)

    def test_inspect_shows_the_same_network(self):
        plain = self.answer("inspect", backbone("tiny_cnn.scripted"), "--size", 32)
        model = self.train(backbone("tiny_cnn.scripted"), 32)
        artifact = self.answer("inspect", model)
        self.assertEqual((plain["kind"], artifact["kind"]), ("scripted", "artifact"))
        self.assertEqual(plain["classifier"], {"path": "fc", "in": 32, "out": 10})
        self.assertEqual(artifact["classifier"], {"path": "head", "in": 32, "out": 2})
        for key in ("num_features", "parameters"):
            self.assertEqual(plain[key], artifact[key])
        shapes = [[layer["shape"] for layer in answer["layers"]] for answer in (plain, artifact)]
        self.assertEqual(*shapes)


class DefaultBackboneTest(program.ProgramTest):
    def test_features_equal_the_packages(self):
        """EfficientNet-Lite0's features, against the network of another package with the same weights."""
        weights = ROOT / "weights/efficientnet_lite0.pt"
        self.assertTrue(weights.is_file(), "run scripts/setup test")
        run = self.folder / "run"
        self.succeed("train", PHOTOS, "--backbone", "efficientnet_lite0", "--set", "phases.0.epochs=1", "--out", run)
        from efficientnet_lite_pytorch import EfficientNet

        reference = EfficientNet.from_name("efficientnet-lite0").eval()
        values = run_state.load_module(weights).state_dict().values()
        reference.load_state_dict(dict(zip(reference.state_dict(), values, strict=True)))
        module = run_state.load_module(run / "model.pt")
        images = torch.randint(0, 256, (4, 150, 200, 3), dtype=torch.uint8)
        with torch.no_grad():
            pixels = module.preprocess(images)
            expected = reference.extract_features(pixels).mean((2, 3))
            torch.testing.assert_close(module.features(pixels), expected, rtol=0, atol=TOLERANCE)


def spread(rows):
    return float(torch.tensor(rows).std(0).max())


def strings_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [value] if isinstance(value, str) else []


if __name__ == "__main__":
    program.main()
