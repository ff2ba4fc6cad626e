"""Data, backbones and artifacts that cannot be used: what is said, and that nothing is left behind."""

import json
import shutil
import zipfile

import torch

import program
from program import FORMATS, PHOTOS, backbone, graft


class UnusableFileTest(program.ProgramTest):
    def train(self, *arguments):
        self.out = self.folder / "run"
        return graft("train", *arguments, "--set", "input.size=32", "--out", self.out, "--threads", 1)

    def train_on(self, data):
        return self.train(data, "--backbone", backbone("tiny_cnn.scripted"))

    def assert_refused(self, result, *words, lines=1):
        self.assert_failed(result, *words, lines=lines)
        self.assertFalse(self.out.exists())

    def copy_class(self, source, data, count=None):
        (data / source).mkdir(parents=True)
        for photo in sorted((PHOTOS / source).iterdir())[:count]:
            shutil.copy(photo, data / source)


class UnusableDataTest(UnusableFileTest):
    def test_a_missing_folder(self):
        self.assert_refused(self.train_on(self.folder / "nowhere"), str(self.folder / "nowhere"), "is not there")

    def test_an_empty_folder(self):
        (self.folder / "data").mkdir()
        self.assert_refused(self.train_on(self.folder / "data"), "no classes", "at least two")

    def test_an_empty_class(self):
        self.copy_class("glass", self.folder / "data")
        (self.folder / "data/paper").mkdir()
        self.assert_refused(self.train_on(self.folder / "data"), "'paper'")

    def test_every_empty_class_is_named(self):
        self.copy_class("glass", self.folder / "data")
        for name in ("metal", "paper"):
            (self.folder / "data" / name).mkdir()
        self.assert_refused(self.train_on(self.folder / "data"), "'metal'", "'paper'", lines=2)

    def test_a_class_of_unreadable_images_alone(self):
        self.copy_class("glass", self.folder / "data")
        (self.folder / "data/paper").mkdir()
        for name in ("text.jpg", "truncated.jpg"):
            shutil.copy(FORMATS / name, self.folder / "data/paper")
        result = self.train_on(self.folder / "data")
        self.assert_refused(result, "'paper'")
        for name in ("text.jpg", "truncated.jpg"):
            self.assertIn(f"left out: {self.folder}/data/paper/{name}", result.stderr)

    def test_one_class_only(self):
        self.copy_class("glass", self.folder / "data")
        self.assert_refused(self.train_on(self.folder / "data"), "one class 'glass'", "at least two")

    def test_unreadable_images_are_named_and_left_out(self):
        data = self.folder / "data"
        for name in ("glass", "paper"):
            self.copy_class(name, data)
        shutil.copy(FORMATS / "truncated.jpg", data / "paper")
        result = self.train(data, "--backbone", backbone("tiny_cnn.scripted"), "--set", "phases.0.epochs=1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"left out: {data}/paper/truncated.jpg: ", result.stderr)

    def test_on_bad_image_fail_stops(self):
        data = self.folder / "data"
        for name in ("glass", "paper"):
            self.copy_class(name, data)
        shutil.copy(FORMATS / "truncated.jpg", data / "paper")
        options = ("--backbone", backbone("tiny_cnn.scripted"), "--set", "data.on_bad_image=fail")
        self.assert_refused(self.train(data, *options), "truncated.jpg")


class UnusableBackboneTest(UnusableFileTest):
    def assert_no_backbone(self, path, *words):
        self.assert_refused(self.train(PHOTOS, "--backbone", path), str(path), *words)
        self.assert_failed(graft("inspect", path), str(path), *words)

    def test_a_missing_file(self):
        self.assert_no_backbone(self.folder / "none.pt", "cannot be opened")

    def test_a_truncated_file(self):
        whole = backbone("tiny_cnn.scripted").read_bytes()
        for part in (0, 1, 3, len(whole) // 2, len(whole) - 1):
            with self.subTest(bytes=part):
                (self.folder / "cut.pt").write_bytes(whole[:part])
                self.assert_no_backbone(self.folder / "cut.pt", "TorchScript file")

    def test_a_zip_that_is_no_torchscript(self):
        for name in ("archive/notes.txt", "notes.txt"):  # LibTorch's reader has an opinion on the second
            with self.subTest(entry=name):
                with zipfile.ZipFile(self.folder / "photos.pt", "w") as archive:
                    archive.writestr(name, "no network")
                self.assert_no_backbone(self.folder / "photos.pt", "zip archive without a TorchScript program")

    def test_a_state_dict(self):
        state = torch.jit.load(backbone("tiny_cnn.scripted")).state_dict()
        for zipped in (True, False):
            with self.subTest(zip=zipped):
                torch.save(state, self.folder / "weights.pth", _use_new_zipfile_serialization=zipped)
                self.assert_no_backbone(self.folder / "weights.pth", "export_backbone.py")

    def test_a_text_file(self):
        (self.folder / "model.pt").write_text("no network at all")
        self.assert_no_backbone(self.folder / "model.pt", "not a zip archive")

    def test_a_name_that_no_card_has(self):
        result = self.train(PHOTOS, "--backbone", "efficientnet_lite")
        self.assert_refused(result, "'efficientnet_lite'", "did you mean 'efficientnet_lite0'")

    def test_a_file_with_another_hash(self):
        recipe = self.write_json(
            "recipe.json", {"backbone": {"file": str(backbone("tiny_cnn.scripted")), "sha256": "0" * 64}}
        )
        self.assert_refused(self.train(PHOTOS, "--recipe", recipe), "SHA-256", "0" * 64)


class UnusableArtifactTest(UnusableFileTest):
    def train_model(self):
        result = self.train(PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--set", "phases.0.epochs=1")
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.out / "model.pt"

    def test_a_backbone_is_no_artifact(self):
        plain = backbone("tiny_cnn.scripted")
        for command in (("predict", plain, PHOTOS), ("evaluate", plain, PHOTOS), ("verify", plain)):
            with self.subTest(command=command[0]):
                self.assert_failed(graft(*command), str(plain), "graft.json")

    def test_classes_that_the_model_does_not_know(self):
        model = self.train_model()
        data = self.folder / "data"
        self.copy_class("glass", data)
        shutil.copytree(PHOTOS / "paper", data / "porcelain")
        self.assert_failed(graft("evaluate", model, data), "porcelain")

    def test_photos_that_cannot_be_read_do_not_keep_the_others_from_an_answer(self):
        model = self.train_model()
        photo = next((PHOTOS / "glass").iterdir())
        paths = [FORMATS / "text.jpg", photo, self.folder / "none.jpg"]
        result = graft("predict", model, *paths, "--json")
        answers = json.loads(result.stdout)
        self.assertEqual([answer["path"] for answer in answers], [str(path) for path in paths])
        keys = [["error", "path"], ["path", "top"], ["error", "path"]]
        self.assertEqual([sorted(answer) for answer in answers], keys)
        self.assert_failed(result, "text.jpg", "none.jpg", lines=2)

    def test_photos_that_cannot_be_read_in_plain_answers(self):
        model = self.train_model()
        photo = next((PHOTOS / "glass").iterdir())
        result = graft("predict", model, FORMATS / "text.jpg", photo)
        self.assert_failed(result, "text.jpg")
        self.assertEqual(len(result.stdout.splitlines()), 1)
        self.assertTrue(result.stdout.startswith(str(photo)))


if __name__ == "__main__":
    program.main()
