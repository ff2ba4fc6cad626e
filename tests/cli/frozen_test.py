"""What a run freezes is in the artifact as it was in the backbone's file, bit for bit; what trains has moved."""

import fnmatch

import torch

import program
import run_state
from program import PHOTOS, backbone

SMALL = ("--set", "data.batch_size=8", "--threads", 1)


class FrozenTest(program.ProgramTest):
    def changed(self, source, size, *arguments):
        """The backbone's tensors in the artifact, by whether they differ from its file: (changed, kept)."""
        run = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        options = ("--backbone", source, "--set", f"input.size={size}", *SMALL, *arguments)
        self.succeed("train", PHOTOS, *options, "--out", run)
        before, after = run_state.module_tensors(source), run_state.module_tensors(run / "model.pt")
        grafted = {name.removeprefix("backbone."): t for name, t in after.items() if name.startswith("backbone.")}
        # The classifier goes, and with it a count that no trace reads.
        unread = ("fc.*", "*.num_batches_tracked") if "traced" in source.name else ("fc.*",)
        lost = [n for n in before.keys() - grafted.keys() if not any(fnmatch.fnmatchcase(n, glob) for glob in unread)]
        self.assertEqual(sorted(lost), [], "tensors that are neither the classifier's nor in the artifact")
        self.assertEqual(sorted(grafted.keys() - before.keys()), [])
        self.assert_best_in_the_last_phase(run)
        moved = set(run_state.differing(grafted, {name: before[name] for name in grafted}))
        return moved, grafted.keys() - moved

    def assert_best_in_the_last_phase(self, run):
        """The best epoch is what is exported; one of the probe would leave nothing to see."""
        records = run_state.history(run)
        best = [record["phase"] for record in records if record["best"]][-1]
        self.assertEqual(best, records[-1]["phase"], "the best epoch is the probe's: choose other rates")

    def assert_trained(self, result, *globs):
        """Exactly what matches has changed."""
        moved, kept = result
        matching = {name for name in moved | kept if any(fnmatch.fnmatchcase(name, glob) for glob in globs)}
        self.assertEqual(sorted(moved), sorted(matching))

    def finetune(self, train, *arguments):
        """Half of the photos validate and the probe learns next to nothing: the best epoch is the second phase's."""
        phases = ("--set", "phases.0.epochs=1", "--set", 'phases.0.optimizer={"sgd": {"lr": 1e-9}}',
                  "--set", "phases.1.epochs=12", "--set", 'phases.1.optimizer={"adamw": {"lr": 0.005}}',
                  "--set", f"phases.1.train={train}", "--set", "stop.metric=loss", "--set", "data.val=0.5",
                  "--set", 'head=[{"linear": "classes"}]', "--set", "data.augment.transforms=[]")
        return ("--preset", "finetune", *phases, *arguments)

    def test_a_probe_leaves_the_whole_backbone(self):
        for kind in ("scripted", "traced"):
            with self.subTest(kind=kind):
                moved, kept = self.changed(backbone(f"tiny_cnn.{kind}"), 32, "--set", "phases.0.epochs=3")
                self.assertEqual(sorted(moved), [])
                self.assertGreaterEqual(len(kept), 15)

    def test_finetune_moves_its_stages_alone(self):
        for kind in ("scripted", "traced"):
            with self.subTest(kind=kind):
                result = self.changed(backbone(f"tiny_cnn.{kind}"), 32, *self.finetune('["head", "last:1"]'))
                self.assert_trained(result, "conv3.weight", "bn3.weight", "bn3.bias")

    def test_statistics_move_where_the_recipe_says_so(self):
        options = self.finetune('["head", "last:1"]', "--set", "phases.1.batch_norm=update")
        result = self.changed(backbone("tiny_cnn.scripted"), 32, *options)
        self.assert_trained(result, "conv3.weight", "bn3.*")

    def test_a_frozen_layer_above_a_trained_one(self):
        result = self.changed(backbone("tiny_cnn.scripted"), 32, *self.finetune('["head", "conv1", "bn3.bias"]'))
        self.assert_trained(result, "conv1.weight", "bn3.bias")

    def test_biases_alone(self):
        result = self.changed(backbone("tiny_cnn.scripted"), 32, *self.finetune('["head", "*.bias"]'))
        self.assert_trained(result, "bn?.bias")

    def test_resnet(self):
        for kind in ("scripted", "traced"):
            with self.subTest(kind=kind):
                result = self.changed(backbone(f"resnet18.{kind}"), 64, *self.finetune('["head", "layer4"]'))
                parameters = {n for n, _ in run_state.load_module(backbone(f"resnet18.{kind}")).named_parameters()}
                self.assert_trained(result, *(name for name in parameters if name.startswith("layer4.")))

    def test_the_best_epoch_is_what_is_exported(self):
        """The head in the artifact is that of checkpoint/best.pt."""
        run = self.folder / "run"
        options = ("--backbone", backbone("tiny_cnn.scripted"), "--set", "input.size=32", *SMALL)
        self.succeed("train", PHOTOS, *options, *self.finetune('["head", "last:1"]'), "--out", run)
        artifact = run_state.module_tensors(run / "model.pt")
        checkpoint = run_state.checkpoint_tensors(run, "best")
        best = {name.removeprefix("network/"): tensor for name, tensor in checkpoint.items()}
        self.assertIn("head.linear_0.weight", best)
        self.assertEqual(run_state.differing({name: artifact[name] for name in best}, best), [])
        self.assertTrue(all(torch.isfinite(tensor).all() for tensor in best.values()))


if __name__ == "__main__":
    program.main()
