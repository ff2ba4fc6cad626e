"""What the tests of scripts/export_backbone.py share: the script within this process, and a folder for its files."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
warnings.filterwarnings("ignore")

import export_backbone
import torch

NETWORKS = ROOT / "tests" / "package" / "own_networks.py"


class ExportCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.out = self.folder / "out.pt"
        torch.manual_seed(1)

    def run_script(self, *words):
        """Exit status, standard output, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = export_backbone.main([*map(str, words), "--out", str(self.out)])
            except SystemExit as exit_:
                status = exit_.code
        return status, out.getvalue(), err.getvalue()

    def export(self, *words):
        """What the script says; the file is at self.out."""
        status, said, error = self.run_script(*words)
        self.assertEqual((status, error), (0, ""))
        return said

    def assert_refused(self, words, *expected, status=1):
        found, _, error = self.run_script(*words)
        self.assertEqual(found, status)
        self.assertFalse(self.out.exists())
        for text in expected:
            self.assertIn(text, error)
        if status == 1:
            self.assertTrue(error.startswith("error: ") and error.count("\n") == 1, error)

    def assert_same_network(self, module, side, tolerance=1e-6):
        """The exported file computes what the module does with the file's own parameters."""
        exported = torch.jit.load(self.out).eval()
        module.load_state_dict(exported.state_dict())
        images = torch.randn(3, 3, side, side)
        with torch.no_grad():
            torch.testing.assert_close(exported(images), module.eval()(images), rtol=tolerance, atol=tolerance)


def main():
    torch.set_num_threads(1)  # on a busy machine a team is many times slower
    unittest.main(warnings="ignore")
