"""What frozen layers computed outlives a run, and another run finds it: the same bits, whatever happened to the files."""

import json
import shutil

import program
import run_state
from program import PHOTOS, backbone

# In fp32, training and validation photos share a store on every processor.
SHORT = ("--set", "precision=fp32", "--set", "phases.0.epochs=2", "--set", "data.batch_size=8", "--threads", 1)


class CacheTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.environment = program.environment() | {"XDG_CACHE_HOME": str(self.folder / "cache")}
        self.photos = self.folder / "photos"
        for folder in sorted(PHOTOS.iterdir()):
            for i, path in enumerate(sorted(folder.glob("*.jpg"))):
                target = self.photos / ("val" if i % 4 == 0 else "train") / folder.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        self.runs = 0

    def train(self, *arguments):
        """What the run said, and the tensors that came of it."""
        self.runs += 1
        run = self.folder / f"run-{self.runs}"
        options = ("--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32", *SHORT, *arguments)
        said = self.succeed("train", self.photos, *options, "--out", run, env=self.environment).stdout
        return said, run_state.module_tensors(run / "model.pt")

    def count(self, split):
        return len(list((self.photos / split).glob("*/*.jpg")))

    def kept(self, kind):
        return self.answer("cache", env=self.environment)[kind]

    def stores(self):
        return self.kept("activations")

    def train_on_old_photos(self, *arguments):
        """Photos of the source tree: what a test has just written is not trusted to be unchanged."""
        copies, self.photos = self.photos, PHOTOS
        said, tensors = self.train(*arguments)
        self.photos = copies
        return said, tensors

    def assert_same(self, one, other):
        self.assertEqual(run_state.differing(one, other), [])

    def assert_known(self, said, split, missing=0):
        self.assertIn(f"{self.count(split) - missing} of {self.count(split)} images are known", said)

    def test_a_second_run_computes_nothing_and_comes_to_the_same(self):
        said, tensors = self.train()
        self.assertNotIn("are known", said)
        self.assertIn("caching at features: 1 MB, saves ", said)
        again, same = self.train()
        self.assertIn("caching at features: 1 MB, all known before", again)
        self.assert_known(again, "train")
        self.assert_known(again, "val")
        self.assert_same(tensors, same)

    def test_a_new_photo_is_computed_alone(self):
        self.train()
        source = next((self.photos / "train").glob("*/*.jpg"))
        source.with_name("new.jpg").write_bytes(source.read_bytes() + b"behind the end of the image")
        said, _ = self.train()
        self.assert_known(said, "train", missing=1)

    def test_what_decides_a_row_decides_the_store(self):
        self.train()
        for other in (("--set", "input.size=40"), ("--set", "input.mean=[0.5, 0.5, 0.5]")):
            with self.subTest(other=other):
                self.assertNotIn("are known", self.train(*other)[0])
        # Where bfloat16 is fast, validation photos stay in float32 and are known; training photos never are.
        self.assertNotIn(f"of {self.count('train')} images are known", self.train("--set", "precision=auto")[0])

    def test_damaged_rows_are_computed_anew(self):
        _, tensors = self.train()
        for rows in (self.folder / "cache/graft/activations").glob("*/rows"):
            content = bytearray(rows.read_bytes())
            content[::64] = bytes(255 - byte for byte in content[::64])
            rows.write_bytes(content)
        said, same = self.train()
        self.assertNotIn("are known", said)
        self.assert_same(tensors, same)

    def test_disk_and_memory_come_to_the_same(self):
        _, kept = self.train("--set", "cache.activations=memory")
        self.assertEqual(self.stores(), [])
        _, read = self.train("--set", "cache.activations=disk")
        self.assertEqual(len(self.stores()), 1)
        self.assert_same(kept, read)

    def test_phases_and_views_find_their_rows(self):
        two = ("--preset", "finetune", "--set", "phases.1.epochs=2", "--set", "cache.views=2",
               "--set", 'data.augment.transforms=["horizontal_flip"]')
        _, tensors = self.train(*two)
        kept = sorted(store["bytes"] for store in self.stores())
        said, same = self.train(*two)
        self.assertEqual(said.count(f"{self.count('train')} of {self.count('train')} images are known"), 2, said)
        self.assertEqual(sorted(store["bytes"] for store in self.stores()), kept, "rows of either view were found")
        self.assert_same(tensors, same)

    def test_list_and_clear(self):
        self.assertEqual(self.stores(), [])
        self.train()
        (store,) = self.stores()
        self.assertEqual(store["backbone"], backbone("tiny_cnn.scripted").name)
        self.assertEqual((store["boundary"], store["input_size"]), ("features", 32))
        rows = (self.count("train") + self.count("val")) * 32 * 4
        self.assertGreaterEqual(store["bytes"], rows)
        self.assertIn("tiny_cnn.scripted.pt", self.succeed("cache", env=self.environment).stdout)
        indexes = self.kept("images")
        freed = json.loads(self.succeed("cache", "--clear", "--json", env=self.environment).stdout)
        bytes_of_indexes = sum(index["bytes"] for index in indexes)
        self.assertEqual((freed["freed_bytes"], freed["in_use"]), (store["bytes"] + bytes_of_indexes, []))
        self.assertEqual(list((self.folder / "cache/graft/activations").iterdir()), [])

    def test_photos_are_examined_once(self):
        said, tensors = self.train_on_old_photos()
        self.assertNotIn("not examined again", said)
        (index,) = self.kept("images")
        self.assertEqual((index["data"], index["images"]), (str(PHOTOS), len(list(PHOTOS.glob("*/*.jpg")))))
        again, same = self.train_on_old_photos()
        self.assertIn(f"{index['images']} of {index['images']} unchanged since an earlier run", again)
        self.assert_same(tensors, same)
        self.assertIn(str(PHOTOS), self.succeed("cache", env=self.environment).stdout)
        self.succeed("cache", "--clear", env=self.environment)
        self.assertEqual(self.kept("images"), [])

    def test_off_reads_and_writes_no_index(self):
        off = ("--set", "cache.activations=off")
        self.train_on_old_photos(*off)
        self.assertEqual(self.kept("images"), [])
        self.train_on_old_photos()
        self.assertNotIn("not examined again", self.train_on_old_photos(*off)[0])

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / "cache").write_text("in the way")
        self.environment["XDG_CACHE_HOME"] = str(self.folder / "cache")
        result = program.graft("train", self.photos, "--backbone", backbone("tiny_cnn.scripted"), "--set",
                               "input.size=32", *SHORT, "--out", self.folder / "run", env=self.environment)
        self.assert_failed(result, str(self.folder / "cache"))


if __name__ == "__main__":
    program.main()
