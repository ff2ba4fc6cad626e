"""report.html: one page that holds together, shows what the run's files say, escapes every name and needs nothing from elsewhere."""

import base64
import html.parser
import io
import json
import re
import shutil

import PIL.Image

import program
import run_state
from program import PHOTOS, backbone

VOID = {"meta", "img", "br"}
NASTY = ("a&b <script>alert(1)", "c \"quoted\" 'd'")


class Page(html.parser.HTMLParser):
    """Reads a page and remembers what it is made of; tags must close in the order in which they were opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes what is not open, line {self.getpos()[0]}")

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


class ReportTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.data, self.run_folder = self.folder / "photos", self.folder / "<b>run"
        for name, nasty in zip(("glass", "paper"), NASTY):
            shutil.copytree(PHOTOS / name, self.data / nasty)
        options = ("--set", "input.size=32", "--set", "phases.0.epochs=2", "--set", "stop.metric=mcc", "--threads", 1)
        printed = self.succeed("train", self.data, "--backbone", backbone("tiny_cnn.scripted"), *options, "--out", self.run_folder)
        self.assertIn(f"report: {self.run_folder / 'report.html'}", printed.stdout)
        self.text = (self.run_folder / "report.html").read_text()
        self.page = Page(self.text)

    def test_it_is_whole_and_names_are_text(self):
        self.assertEqual(self.page.open, [])
        self.assertNotIn("script", self.page.tags)
        self.assertNotIn("b>run", [tag for tag in self.page.tags])
        for name in (*NASTY, "<b>run"):
            self.assertIn(name, self.page.texts)
        alone = [line for line in self.text.splitlines() if "alert(1)" in line]
        self.assertTrue(alone)
        self.assertFalse([line for line in alone if "<script" in line])

    def test_it_needs_nothing_from_elsewhere(self):
        self.assertLess(len(self.text.encode()), 2_000_000)
        for _, name, value in self.page.attributes:
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                self.assertTrue(value.startswith("data:image/jpeg;base64,"), value[:80])
        self.assertIsNone(re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r'src="data:[^"]*"', "", self.text)))

    def test_it_says_what_the_files_say(self):
        metrics = json.loads((self.run_folder / "metrics.json").read_text())["best"]["val"]
        shown = [value for tag, name, value in self.page.attributes if tag == "td" and name == "title"]
        classes = metrics["classes"]
        expected = [
            f"{true} taken for {taken}: {metrics['confusion'][i][j]} of {sum(metrics['confusion'][i])}"
            for i, true in enumerate(classes)
            for j, taken in enumerate(classes)
        ]
        self.assertEqual(shown, expected)
        self.assertIn(f"{100 * metrics['accuracy']:.1f} %", self.page.texts)
        history = [json.loads(line) for line in (self.run_folder / "history.jsonl").read_text().splitlines()]
        for epoch in history:
            self.assertIn(f"mcc, epoch {epoch['epoch']}: {epoch['val_mcc']:.3g}", self.page.texts)
            self.assertIn(f"validation, epoch {epoch['epoch']}: {epoch['val_loss']:.3g}", self.page.texts)
            self.assertIn(f"training, epoch {epoch['epoch']}: {epoch['train_loss']:.3g}", self.page.texts)

    def test_the_photos_are_those_that_are_most_wrong(self):
        rows = run_state.table(self.run_folder / "predictions.csv")
        rows.sort(key=lambda row: float(row[f"p_{row['label']}"]))
        wrong = [row for row in rows if row["label"] != row["predicted"]]
        expected = [row["path"].rsplit("/", 1)[-1] for row in (wrong or rows)]
        self.assertEqual([value for tag, name, value in self.page.attributes if tag == "img" and name == "alt"], expected)
        for _, name, value in self.page.attributes:
            if name == "src":
                photo = PIL.Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2], validate=True)))
                self.assertEqual((max(photo.size), photo.format), (160, "JPEG"))

    def test_findings_are_shown(self):
        diagnosis = json.loads((self.run_folder / "metrics.json").read_text())["diagnosis"]
        for line in (line for phase in diagnosis["phases"] for line in phase["says"]):
            self.assertIn(line, self.page.texts)
        self.assertIn(diagnosis["phases"][0]["fit"]["verdict"], self.page.texts)


class TaskTest(program.ProgramTest):
    """Tasks without one class each have a page too, without what they have not."""

    LABELS = {"multi_label": ("a|<b>", "a", "<b>"), "regression": ("1.5", "-2", "30")}

    def test_every_task_has_a_page(self):
        photos = sorted(PHOTOS.glob("*/*.jpg"))
        for task, labels in self.LABELS.items():
            with self.subTest(task=task):
                lines = [f"{photo},{labels[i % len(labels)]}" for i, photo in enumerate(photos)]
                table = self.folder / f"{task}.csv"
                table.write_text("\n".join(["path,label", *lines]) + "\n")
                out = self.folder / task
                options = ("--set", f"task={task}", "--set", "input.size=32", "--set", "phases.0.epochs=3", "--threads", 1)
                self.succeed("train", table, "--backbone", backbone("tiny_cnn.scripted"), *options, "--out", out)
                page = Page((out / "report.html").read_text())
                self.assertEqual(page.open, [])
                self.assertIn(task, page.texts)
                self.assertNotIn("Confusion matrix", page.texts)
                self.assertEqual("Classes, the hardest first" in page.texts, task == "multi_label")
                self.assertIn("img", page.tags)


if __name__ == "__main__":
    program.main()
