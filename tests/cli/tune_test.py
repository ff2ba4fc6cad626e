"""What is found out about a run before it starts: a learning rate (`lr-find`), and what it will take (`inspect --plan`)."""

import program
from program import PHOTOS, backbone, graft


class LrFindTest(program.ProgramTest):
    def find(self, *arguments):
        return ("lr-find", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32",
                "--set", "data.batch_size=8", "--threads", 1, *arguments)

    def test_suggests_within_its_range_and_writes_nothing(self):
        answer = self.answer(*self.find("--end-lr", 1e5, "--num-iter", 40), cwd=self.folder)
        rates = [point["lr"] for point in answer["points"]]
        self.assertTrue(answer["diverged"])
        self.assertEqual(rates, sorted(rates))
        for suggested in answer["suggestions"].values():
            self.assertIn(suggested, rates)
        shown = self.succeed(*self.find("--end-lr", 1e5, "--num-iter", 40), cwd=self.folder).stdout
        for name in answer["suggestions"]:
            self.assertIn(f"{name} ", shown)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_draws_a_page_where_it_is_asked_for(self):
        self.succeed(*self.find("--end-lr", 1e5, "--num-iter", 40, "--report", "lr.html"), cwd=self.folder)
        page = (self.folder / "lr.html").read_text()
        for word in ("phase &#39;probe&#39;", ">valley<", ">steepest<", "smoothed loss, learning rate"):
            self.assertIn(word, page)

    def test_what_cannot_be_found_says_why(self):
        self.assert_failed(graft(*self.find("--preset", "linear")), "lbfgs")
        self.assert_failed(graft(*self.find("--phase", 2)), "phase 2")
        self.assert_failed(graft(*self.find("--start-lr", 1, "--end-lr", 0.1)), "--end-lr")
        self.assertEqual(graft("lr-find").returncode, 2)


class PlanTest(program.ProgramTest):
    def plan(self, *arguments, data=PHOTOS):
        return ("inspect", backbone("tiny_cnn.scripted"), "--plan", data, "--set", "input.size=32",
                "--set", "data.batch_size=8", "--set", "cache.views=2", "--threads", 1, *arguments)

    def test_counts_by_phase_and_adds_up(self):
        answer = self.answer(*self.plan("--preset", "finetune"), cwd=self.folder)
        probe, tune = answer["phases"]
        self.assertEqual((probe["boundary"], probe["epochs"], probe["views"]), ("features", 12, 2))
        self.assertEqual(probe["rows_to_compute"], 2 * probe["images"]["train"] + probe["images"]["val"])
        self.assertEqual(tune["rows_to_compute"], 0)
        parts = [answer["start_s"], answer["export_s"], *(phase["total_s"] for phase in answer["phases"])]
        self.assertAlmostEqual(answer["total_s"], sum(parts))
        self.assertGreater(answer["without_keeping_s"], 0)
        shown = self.succeed(*self.plan("--preset", "finetune"), cwd=self.folder).stdout
        for word in ("probe", "fine-tune", "decoding", "frozen layers", "(export)", "(run)", "caching at "):
            self.assertIn(word, shown)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_an_artifact_is_a_backbone_too(self):
        run = self.folder / "run"
        self.succeed("train", PHOTOS, "--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32",
                     "--set", "phases.0.epochs=1", "--out", run)
        answer = self.answer("inspect", run / "model.pt", "--plan", PHOTOS, "--set", "phases.0.epochs=1")
        self.assertEqual(answer["phases"][0]["phase"], "probe")

    def test_what_cannot_be_planned_says_why(self):
        self.assert_failed(graft(*self.plan(data=self.folder / "none")), str(self.folder / "none"))
        self.assert_failed(graft(*self.plan("--set", "phases.0.epochs=0")), "phases[0].epochs")
        for arguments in (("--preset", "probe"), ("--plan", PHOTOS, "--depth", 1)):
            result = graft("inspect", backbone("tiny_cnn.scripted"), *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn("--plan", result.stderr)


if __name__ == "__main__":
    program.main()
