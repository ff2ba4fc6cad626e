"""graft audit: what is wrong with labelled photos, and which of it is said by the exit status."""

import json
import random
import shutil

from PIL import Image, ImageDraw, ImageOps

import program
from program import FORMATS, PHOTOS, backbone, graft


def size_of(photo):
    with Image.open(photo) as image:
        return image.size


class AuditTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "photos"
        shutil.copytree(PHOTOS, self.data)
        self.glass, self.paper = sorted((self.data / "glass").iterdir()), sorted((self.data / "paper").iterdir())

    def split_folders(self):
        """The same photos under train/ and val/."""
        for name in ("glass", "paper"):
            for split, photos in (("train", slice(2, None)), ("val", slice(2))):
                (self.folder / "parted" / split / name).mkdir(parents=True)
                for photo in sorted((self.data / name).iterdir())[photos]:
                    shutil.copy(photo, self.folder / "parted" / split / name)
        self.data = self.folder / "parted"

    def audit(self, status):
        """Findings by check, and that the exit status is as said."""
        result = graft("audit", self.data, "--json")
        self.assertEqual(result.returncode, status, result.stderr)
        if status == 1:
            self.assert_failed(result, str(self.data), "would harm training")
        self.whole = json.loads(result.stdout)
        return {finding["check"]: finding for finding in self.whole["findings"]}

    def assert_found(self, check, groups, status, severity):
        findings = self.audit(status)
        self.assertIn(check, findings)
        finding = findings[check]
        self.assertEqual(finding["severity"], severity)
        self.assertEqual(sorted(map(sorted, finding["photos"])), sorted(sorted(map(str, group)) for group in groups))
        return findings

    def assert_harm(self, check, *groups):
        return self.assert_found(check, groups, 1, "harm")

    def assert_note(self, check, *groups):
        return self.assert_found(check, groups, 0, "note")


class HarmTest(AuditTest):
    def test_unreadable(self):
        shutil.copy(FORMATS / "truncated.jpg", self.data / "paper")
        self.assert_harm("unreadable", [self.data / "paper/truncated.jpg"])
        self.assertEqual(self.whole["images"]["unreadable"], 1)

    def test_two_labels(self):
        shutil.copy(self.glass[0], self.data / "paper/also.jpg")
        self.assert_harm("two_labels", [self.glass[0], self.data / "paper/also.jpg"])

    def test_leaked(self):
        self.split_folders()
        photo = next((self.data / "train/glass").iterdir())
        shutil.copy(photo, self.data / "val/glass/again.jpg")
        findings = self.assert_harm("leaked", [photo, self.data / "val/glass/again.jpg"])
        self.assertNotIn("two_labels", findings)
        self.assertNotIn("duplicate", findings)

    def test_a_group_that_parts(self):
        lines = ["path,label,split,group"]
        for label, photos in (("glass", self.glass), ("paper", self.paper)):
            for i, photo in enumerate(photos):
                lines.append(f"{photo},{label},{'val' if i < 3 else 'train'},{'one' if i in (2, 3) else ''}")
        self.data = self.folder / "table.csv"
        self.data.write_text("\n".join(lines) + "\n")
        group = [photo for photos in (self.glass, self.paper) for photo in photos[2:4]]
        self.assertIn("'one'", self.assert_harm("parted_group", group)["parted_group"]["text"])

    def test_one_class(self):
        shutil.rmtree(self.data / "paper")
        self.assertIn("'glass'", self.assert_harm("empty_class")["empty_class"]["text"])

    def test_an_empty_class(self):
        (self.data / "metal").mkdir()
        self.assertIn("'metal'", self.assert_harm("empty_class")["empty_class"]["text"])

    def test_an_empty_folder(self):
        shutil.rmtree(self.data)
        self.data.mkdir()
        self.assert_harm("empty_class")


class NoteTest(AuditTest):
    def test_nothing_is_wrong(self):
        self.assertEqual(self.audit(0), {})
        self.assertEqual(self.whole["images"], {"train": 20, "val": 4, "test": 0, "unreadable": 0})
        self.assertEqual(self.whole["classes"][1], {"class": "paper", "train": 10, "val": 2, "test": 0})
        sides = [sorted(size_of(photo)) for photo in self.glass + self.paper]
        for which, name in enumerate(("shorter", "longer")):
            ranked = sorted(side[which] for side in sides)
            expected = {"min": ranked[0], "median": ranked[len(ranked) // 2], "max": ranked[-1]}
            self.assertEqual(self.whole["sizes"][name], expected)

    def test_sizes_are_those_of_the_whole_upright_photo(self):
        photo = Image.open(self.glass[0]).resize((1999, 1501))
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.save(self.glass[0], exif=exif)
        self.assert_note("rotated", [self.glass[0]])
        self.assertEqual((self.whole["sizes"]["shorter"]["max"], self.whole["sizes"]["longer"]["max"]), (1501, 1999))

    def test_rotated_in_every_way(self):
        names = [f"orientation-{i}.jpg" for i in range(1, 9)]
        for name in names:
            shutil.copy(FORMATS / name, self.data / "glass")
        self.assert_note("rotated", *([self.data / "glass" / name] for name in names[1:]))

    def test_copies_within_a_class(self):
        self.split_folders()
        photo = next((self.data / "train/glass").iterdir())
        shutil.copy(photo, self.data / "train/glass/again.jpg")
        self.assert_note("duplicate", [photo, self.data / "train/glass/again.jpg"])

    def test_names_that_say_something_else(self):
        shutil.copy(FORMATS / "png-named.jpg", self.data / "glass")
        shutil.copy(self.glass[0], self.data / "glass/upper.JPG")
        self.glass[0].unlink()
        self.assert_note("extension", [self.data / "glass/png-named.jpg"])

    def test_small(self):
        for side, name in ((63, "below.png"), (64, "on.png")):
            Image.open(self.glass[0]).resize((100, side)).save(self.data / "glass" / name)
        self.assert_note("small", [self.data / "glass/below.png"])

    def test_imbalance(self):
        for photo in self.paper[2:]:
            photo.unlink()  # one trains, one validates
        self.assertIn("'glass' has 10", self.assert_note("imbalance")["imbalance"]["text"])

    def test_in_plain_words(self):
        shutil.copy(FORMATS / "truncated.jpg", self.data / "paper")
        result = graft("audit", self.data)
        self.assert_failed(result, "unreadable")
        self.assertIn("HARM  unreadable: 1 file cannot be read", result.stdout)
        self.assertIn(str(self.data / "paper/truncated.jpg"), result.stdout)


class TransformTest(program.ProgramTest):
    """Two shapes that are each other's mirror image, told apart by a network that has seen neither turned."""

    def setUp(self):
        super().setUp()
        self.data = self.folder / "letters"
        for label in ("b", "d"):
            (self.data / label).mkdir(parents=True)
            for i in range(40):
                self.letter(label, random.Random(f"{label}{i}")).save(self.data / label / f"{i}.png")
        recipe = self.write_json("recipe.json", {
            "input": {"size": 32, "crop": 1.0}, "data": {"batch_size": 16}, "head": [{"linear": "classes"}],
            "phases": [{"epochs": 20, "train": ["*"], "batch_norm": "update", "optimizer": {"adamw": {"lr": 0.005}}}]})
        self.probe = self.folder / "run"
        self.succeed("train", self.data, "--backbone", backbone("tiny_cnn.scripted"), "--recipe", recipe,
                     "--threads", 1, "--out", self.probe)
        self.planned = self.write_json("planned.json", {"data": {"augment": {"transforms": [
            {"horizontal_flip": {"p": 0.5}}, {"random_grayscale": {}}]}}})

    def letter(self, label, draws):
        color = lambda low, high: tuple(draws.randrange(low, high) for _ in range(3))
        image = Image.new("RGB", (32, 32), color(0, 20))
        x, y, drawing = draws.randrange(4, 14), draws.randrange(0, 6), ImageDraw.Draw(image)
        ink = color(220, 255)
        drawing.rectangle((x, y, x + 3, y + 25), fill=ink)
        drawing.rectangle((x, y + 14, x + 13, y + 25), fill=ink)
        return ImageOps.mirror(image) if label == "d" else image

    def test_a_flip_that_exchanges_classes(self):
        sheets = self.folder / "sheets"
        result = graft("audit", self.data, "--model", self.probe, "--recipe", self.planned, "--sheets", sheets, "--json")
        self.assertEqual(result.returncode, 1)
        answer = json.loads(result.stdout)
        flip, grey = answer["transforms"]
        self.assertEqual(flip["transform"], {"horizontal_flip": {"p": 1}})
        shares = {found["class"] + found["as"]: found["share"] - found["baseline"] for found in flip["confusions"]}
        self.assertEqual(set(shares), {"bd", "db"})
        self.assertGreater(min(shares.values()), 0.3)
        self.assertLess(max((found["share"] for found in grey["confusions"]), default=0), 0.1)
        harm, note = (found for found in answer["findings"] if found["check"] == "transform")
        self.assertEqual((harm["severity"], note["severity"]), ("harm", "note"))
        self.assertRegex(harm["text"], r"^horizontal_flip: \d+ % of '(b' look like 'd|d' look like 'b)' \(JPEG alone")
        self.assertRegex(note["text"], "^random_grayscale: ")
        with Image.open(flip["sheet"]) as sheet:
            plain, turned = sheet.crop((4, 4, 36, 36)), sheet.crop((40, 4, 72, 36))
            self.assertEqual(ImageOps.mirror(plain).tobytes(), turned.tobytes())
            self.assertGreater(len(plain.getcolors()), 1)
        self.assertEqual(sorted(path.name for path in sheets.iterdir())[:1], ["1-horizontal_flip.png"])

    def test_what_cannot_be_asked(self):
        self.assertEqual(graft("audit", self.data, "--recipe", self.planned).returncode, 2)
        self.assert_failed(graft("audit", self.data, "--model", self.probe), "data.augment.transforms", "are none")
        self.assert_failed(graft("audit", PHOTOS, "--model", self.probe, "--preset", "finetune"), "'glass'", "unknown",
                           lines=2)
        wrong = self.write_json("wrong.json", {"data": {"augment": {"transforms": ["horizontal_flap"]}}})
        self.assert_failed(graft("audit", self.data, "--model", self.probe, "--recipe", wrong),
                           "data.augment.transforms[0]")


class BadAuditTest(program.ProgramTest):
    def test_data_that_is_not_there(self):
        self.assert_failed(graft("audit", self.folder / "none"), str(self.folder / "none"), "is not there")

    def test_a_table_with_a_mistake(self):
        (self.folder / "table.csv").write_text("path,lable\na.jpg,cat\n")
        self.assert_failed(graft("audit", self.folder / "table.csv"), "table.csv", "'lable'", "'label'", lines=2)


if __name__ == "__main__":
    program.main()
