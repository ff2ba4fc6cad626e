"""Whatever a user can get wrong gives error lines that name it, exit 1 (usage: 2), and nothing half-written."""

import json
import resource
import shutil
import unittest
import zipfile

import torch
from program import PHOTOS, SMALL, TINY, ProgramTest, graft


class BadInput(ProgramTest):
    def fails(self, *arguments, lines=1, code=1, **options):
        done = graft(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), lines, done.stderr)
        self.assertEqual(done.stderr.count("\n"), lines, done.stderr)
        return done.stderr

    def fails_to_train(self, *arguments, data=PHOTOS, small=SMALL, **options):
        out = self.folder / "run"
        text = self.fails("train", data, *small, "--out", out, *arguments, **options)
        self.assertFalse(out.exists(), list(out.glob("*")) if out.exists() else "")
        return text

    def with_backbone(self, file):
        return ["--backbone", file, *SMALL[2:]]

    def test_data_that_is_not_there(self):
        self.assertIn("is not there", self.fails_to_train(data=self.folder / "absent"))

    def test_one_class_and_an_empty_class(self):
        shutil.copytree(PHOTOS / "glass", self.folder / "data" / "glass")
        self.assertIn("one class 'glass'", self.fails_to_train(data=self.folder / "data"))
        (self.folder / "data" / "paper").mkdir()
        self.assertIn("class 'paper'", self.fails_to_train(data=self.folder / "data"))

    def test_backbones_that_are_none(self):
        whole = TINY.read_bytes()
        for part in (0.01, 0.5, 0.99):
            (self.folder / "cut.pt").write_bytes(whole[: int(len(whole) * part)])
            self.assertIn("cut.pt", self.fails_to_train(small=self.with_backbone(self.folder / "cut.pt")))
        with zipfile.ZipFile(self.folder / "zip.pt", "w") as archive:
            archive.writestr("a/b.txt", "hello")
        self.assertIn("without a TorchScript program", self.fails_to_train(small=self.with_backbone(self.folder / "zip.pt")))
        torch.save({"fc.weight": torch.ones(2, 3)}, self.folder / "state.pth")
        self.assertIn("export_backbone.py", self.fails_to_train(small=self.with_backbone(self.folder / "state.pth")))
        self.assertIn("did you mean 'efficientnet_lite0'", self.fails_to_train(small=self.with_backbone("efficientnet_lite")))

    def test_three_mistakes_of_a_recipe(self):
        recipe = self.folder / "recipe.json"
        recipe.write_text(json.dumps({"data": {"batchsize": 3}, "phases": [{"epochs": -1, "optimizer": {"adam": {}}}]}))
        text = self.fails_to_train("--recipe", recipe, lines=3)
        for path in ("data.batchsize", "phases[0].epochs", "phases[0].optimizer"):
            self.assertIn(path, text)
        self.assertEqual(self.fails("recipe", "--check", recipe, lines=3), text)
        recipe.write_text("{oops")
        self.assertIn("line 1", self.fails_to_train("--recipe", recipe))

    def test_globs_presets_and_assignments(self):
        self.assertIn("'conv1'", self.fails_to_train("--set", 'phases.0.train=["head", "convs"]'))
        self.assertIn("untrained", self.fails_to_train("--set", 'phases.0.train=["conv1"]'))
        self.assertIn("finetune", self.fails_to_train("--preset", "finetunes"))
        self.assertIn("KEY=VALUE", self.fails_to_train("--set", "nothing"))

    @unittest.skipIf(torch.cuda.is_available(), "there is a CUDA device")
    def test_cuda_that_is_not_there(self):
        self.assertIn("cuda", self.fails_to_train("--device", "cuda", small=SMALL[:-2]))

    def test_a_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

        out = self.folder / "run"
        text = self.fails("train", PHOTOS, *SMALL, "--out", out, "--quiet", preexec_fn=limit)
        self.assertIn("checkpoint.pt", text)
        self.assertEqual([p.name for p in out.iterdir() if ".tmp" in p.name or p.name == "model.pt"], [])

    def test_a_folder_that_holds_a_run(self):
        out = self.train("--set", "phases.0.epochs=1", "--quiet")
        before = (out / "model.pt").read_bytes()
        self.assertIn("holds a run already", self.fails("train", PHOTOS, *SMALL, "--out", out))
        self.assertEqual((out / "model.pt").read_bytes(), before)
        self.assertIn("is finished", self.fails("train", "--resume", out))
        self.assertIn("holds no checkpoint", self.fails("train", "--resume", self.folder))

    def test_predict_and_evaluate(self):
        model = self.train("--set", "phases.0.epochs=1", "--quiet") / "model.pt"
        broken = self.folder / "broken.jpg"
        broken.write_text("no photo")
        photo = next((PHOTOS / "glass").iterdir())
        done = graft("predict", model, photo, broken, "--json")
        self.assertEqual(done.returncode, 1)
        good, bad = json.loads(done.stdout)
        self.assertEqual({"path", "top"}, set(good))
        self.assertEqual({"path", "error"}, set(bad))
        self.assertIn("not exported by Graft", self.fails("predict", TINY, photo))
        shutil.copytree(PHOTOS / "glass", self.folder / "data" / "glas")
        shutil.copytree(PHOTOS / "paper", self.folder / "data" / "paper")
        self.assertIn("did you mean 'glass'", self.fails("evaluate", model, self.folder / "data"))

    def test_errors_as_json(self):
        done = graft("train", self.folder / "absent", *SMALL, "--json")
        error = json.loads(done.stdout)["error"]
        self.assertEqual({"subject", "found", "expected", "hint"}, set(error))

    def test_usage(self):
        for arguments in (["nonsense"], [], ["train"], ["predict"], ["train", PHOTOS, "--threads", "0"], ["evaluate", "a", "b", "--split", "c"]):
            done = graft(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        for command in ("train", "evaluate", "predict", "inspect", "verify", "models", "recipe"):
            done = graft(command, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("example: graft " + command, done.stdout)


if __name__ == "__main__":
    unittest.main()
