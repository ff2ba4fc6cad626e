"""Recipes, options and run folders that cannot be used, and errors as JSON."""

import json

import torch

import program
from program import PHOTOS, backbone, graft


class RefusedRunTest(program.ProgramTest):
    def train(self, *arguments):
        self.out = self.folder / "run"
        options = ("--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32", "--out", self.out)
        return graft("train", PHOTOS, *options, *arguments)

    def assert_refused(self, result, *words, lines=1):
        self.assert_failed(result, *words, lines=lines)
        self.assertFalse(self.out.exists())


class BadRecipeTest(RefusedRunTest):
    THREE_MISTAKES = {
        "seed": -1,
        "data": {"batch_size": "big"},
        "phases": [{"epochs": 2, "train": ["head"], "optimizer": {"adamw": {"learning_rate": 0.1}}}],
    }
    PATHS = ("seed: ", "data.batch_size: ", "phases[0].optimizer.adamw.learning_rate: ")

    def test_three_mistakes_are_all_named(self):
        recipe = self.write_json("recipe.json", self.THREE_MISTAKES)
        result = self.train("--recipe", recipe)
        self.assert_refused(result, lines=3)
        for line, path in zip(program.error_lines(result), self.PATHS):
            self.assertIn(path, line)

    def test_check_names_what_train_names(self):
        recipe = self.write_json("recipe.json", self.THREE_MISTAKES)
        self.assertEqual(graft("recipe", "--check", recipe).stderr, self.train("--recipe", recipe).stderr)

    def test_an_unknown_key_names_the_nearest(self):
        self.assert_refused(self.train("--set", "stop.patiense=3"), "stop.patiense", "patience")

    def test_a_recipe_that_is_no_json(self):
        (self.folder / "recipe.json").write_text('{"seed": 1,')
        self.assert_refused(self.train("--recipe", self.folder / "recipe.json"), "recipe.json")

    def test_a_recipe_that_is_not_there(self):
        self.assert_refused(self.train("--recipe", self.folder / "none.json"), "none.json")

    def test_a_train_glob_that_matches_nothing_shows_the_nearest_names(self):
        result = self.train("--set", 'phases.0.train=["head", "cnov3.*"]')
        self.assert_refused(result, "phases[0].train", "'cnov3.*'", "conv3")

    def test_a_train_glob_far_from_every_name_shows_what_there_is(self):
        result = self.train("--set", 'phases.0.train=["head", "layer4.*"]')
        self.assert_refused(result, "phases[0].train", "'layer4.*'", "conv")

    def test_each_train_glob_that_matches_nothing_has_its_line(self):
        result = self.train("--set", 'phases.0.train=["head", "cnov3.*", "bm3"]')
        self.assert_refused(result, "'cnov3.*'", "'bm3'", lines=2)

    def test_a_mistake_in_the_last_phase_shows_before_the_first(self):
        result = self.train("--preset", "finetune", "--set", 'phases.1.train=["cnov3"]')
        self.assert_refused(result, "phases[1].train", "'cnov3'")

    def test_a_head_that_never_trains(self):
        self.assert_refused(self.train("--set", 'phases.0.train=["conv3"]'), "head")

    def test_an_unknown_preset(self):
        self.assert_refused(self.train("--preset", "finetun"), "'finetun'", "did you mean 'finetune'")

    def test_a_set_without_a_value(self):
        self.assert_refused(self.train("--set", "seed"), "--set seed")


class DeviceTest(RefusedRunTest):
    def test_a_cuda_device_that_is_not_there(self):
        devices = ["cuda:99"] if torch.cuda.is_available() else ["cuda", "cuda:0", "cuda:99"]
        for device in devices:
            with self.subTest(device=device):
                self.assert_refused(self.train("--device", device), f"'{device}'", "--device cpu")

    def test_a_word_that_is_no_device(self):
        self.assert_refused(self.train("--device", "toaster"), "toaster")


class RunFolderTest(RefusedRunTest):
    def finish(self):
        result = self.train("--set", "phases.0.epochs=1")
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.content()

    def content(self):
        return {str(path): path.read_bytes() for path in self.out.rglob("*") if path.is_file()}

    def test_a_run_is_never_overwritten(self):
        before = self.finish()
        self.assert_failed(self.train("--seed", 1), str(self.out), "holds a run already", "--resume")
        self.assertEqual(self.content(), before)

    def test_a_finished_run_has_nothing_to_resume(self):
        before = self.finish()
        self.assert_failed(graft("train", "--resume", self.out), str(self.out), "is finished")
        self.assertEqual(self.content(), before)

    def test_a_folder_without_a_run_cannot_be_resumed(self):
        self.assert_failed(graft("train", "--resume", self.folder), str(self.folder), "checkpoint/last.pt")

    def test_a_damaged_checkpoint(self):
        self.finish()
        (self.out / "model.pt").unlink()
        checkpoint = self.out / "checkpoint/last.pt"
        checkpoint.write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
        self.assert_failed(graft("train", "--resume", self.out), "last.pt", "damaged")

    def test_a_best_checkpoint_of_another_run(self):
        self.finish()
        other = self.out / "checkpoint/best.pt"
        (self.out / "model.pt").unlink()
        other.unlink()
        self.assert_failed(graft("train", "--resume", self.out), "best.pt", "does not hold the best epoch")


class UsageTest(program.ProgramTest):
    def test_mistakes_on_the_command_line_exit_2(self):
        commands = {
            "": (),
            "frobnicate": ("frobnicate",),
            "--nope": ("train", PHOTOS, "--nope"),
            "DATA": ("train",),
            "--threads": ("train", PHOTOS, "--threads", "0"),
            "--seed": ("train", PHOTOS, "--seed", "minus-one"),
            "--resume": ("train", PHOTOS, "--resume", self.folder),
            "MODEL": ("predict",),
            "PATH": ("predict", "model.pt"),
            "--threshold": ("predict", "model.pt", "photo.jpg", "--threshold", "2"),
            "--csv": ("predict", "model.pt", "photo.jpg", "--csv", "--json"),
            "--split": ("evaluate", "model.pt", PHOTOS, "--split", "holdout"),
            "FILE": ("inspect",),
            "RUN": ("export", "-o", "model.pt"),
            "--out": ("export", self.folder),
            "--checkpoint": ("export", self.folder, "-o", "model.pt", "--checkpoint", "first"),
            "--precision": ("export", self.folder, "-o", "model.pt", "--precision", "int8"),
        }
        for word, command in commands.items():
            with self.subTest(command=command):
                self.assert_failed(graft(*command, cwd=self.folder), word, status=2)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_help_is_no_mistake(self):
        for command in ("train", "evaluate", "predict", "inspect", "export", "verify", "audit", "models",
                        "recipe"):
            self.assertIn("example: graft " + command, self.succeed(command, "--help").stdout)


class JsonErrorTest(RefusedRunTest):
    KEYS = ["expected", "found", "hint", "subject"]

    def test_one_error(self):
        result = graft("train", self.folder / "none", "--backbone", backbone("tiny_cnn.scripted"), "--json")
        self.assertEqual(result.returncode, 1)
        answer = json.loads(result.stdout)
        self.assertEqual(list(answer), ["error"])
        self.assertEqual(sorted(answer["error"]), self.KEYS)
        self.assertIn(str(self.folder / "none"), answer["error"]["subject"])
        self.assertEqual(len(program.error_lines(result)), 1)

    def test_every_command_answers_in_json(self):
        for command in (("evaluate", "none.pt", PHOTOS), ("predict", "none.pt", PHOTOS), ("inspect", "none.pt"),
                        ("verify", "none.pt"), ("recipe", "--check", "none.json"), ("audit", "none.csv"),
                        ("export", "none.run", "-o", "new.pt")):
            with self.subTest(command=command[0]):
                result = graft(*command, "--json", cwd=self.folder)
                self.assert_failed(result, "none.")
                self.assertEqual(sorted(json.loads(result.stdout)["error"]), self.KEYS)

    def test_a_recipe_with_several_mistakes(self):
        recipe = self.write_json("recipe.json", BadRecipeTest.THREE_MISTAKES)
        result = self.train("--recipe", recipe, "--json")
        answer = json.loads(result.stdout)
        self.assertEqual(len(answer["errors"]), 3)
        self.assertEqual(answer["errors"][0], answer["error"])
        self.assertEqual([problem["subject"] + ": " for problem in answer["errors"]], list(BadRecipeTest.PATHS))


if __name__ == "__main__":
    program.main()
