"""A disk that is full, by way of a limit on the size of files: the file is named, and nothing is left half-written."""

import resource
import subprocess

import program
from program import PHOTOS, backbone, graft


class FullDiskTest(program.ProgramTest):
    """A head of one layer keeps the checkpoint far smaller than the artifact."""

    def train(self, name: str, limit: int | None):
        recipe = self.write_json("recipe.json", {"input": {"size": 32}, "head": [{"linear": "classes"}]})
        self.out = self.folder / name
        options = ("--backbone", backbone("tiny_cnn.scripted"), "--recipe", recipe, "--set", "phases.0.epochs=2")
        return graft("train", PHOTOS, *options, "--out", self.out, **limited(limit))

    def whole_run_sizes(self) -> dict[str, int]:
        result = self.train("whole", None)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {path.name: path.stat().st_size for path in self.out.rglob("*")}

    def assert_nothing_half_written(self):
        left = {path.name for path in self.out.rglob("*")}
        self.assertNotIn("model.pt", left)
        self.assertEqual([name for name in left if ".tmp" in name], [])
        return left

    def assert_folder_is_free(self):
        """No run was started, so the folder serves for the next try."""
        self.assertNotIn("recipe.json", self.assert_nothing_half_written())
        again = self.train(self.out.name, None)
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_no_room_for_the_recipe(self):
        self.assert_failed(self.train("run", 1000), str(self.out / "recipe.json"), "cannot be written")
        self.assert_folder_is_free()

    def test_no_room_for_the_first_checkpoint(self):
        sizes = self.whole_run_sizes()
        limit = max(sizes["recipe.json"], sizes["split.csv"])
        self.assert_failed(self.train("run", limit), str(self.out / "checkpoint/last.pt"), "cannot be written")
        self.assert_folder_is_free()

    def test_no_room_for_the_artifact(self):
        sizes = self.whole_run_sizes()
        for limit in (sizes["model.pt"] // 2, sizes["model.pt"] - 1):
            with self.subTest(limit=limit):
                result = self.train(f"run-{limit}", limit)
                self.assert_failed(result, str(self.out / "model.pt"), "cannot be written")
                self.assert_nothing_half_written()
                self.succeed("train", "--resume", self.out)
                self.succeed("verify", self.out / "model.pt")

    def test_no_room_for_the_answer(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            command = [program.path(), "models"]
            result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=program.environment())
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "error: standard output: No space left on device\n")


def limited(size: int | None) -> dict:
    """subprocess.run's options for a child that writes no file beyond `size` bytes."""
    if size is None:
        return {}
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


if __name__ == "__main__":
    program.main()
