"""Model cards are what scripts/export_backbone.py writes today; the Lite networks equal another implementation."""

import hashlib
import json
import pathlib
import shlex

from export_case import NETWORKS, ROOT, ExportCase, export_backbone, main, torch
from backbones import cards, lite, sources, torchscript_file

MODELS = ROOT / "models"


class Cards(ExportCase):
    def test_shipped_cards_are_what_the_script_writes(self):
        written = cards.write_common_cards(self.folder)
        self.assertEqual(
            sorted(path.stem for path in [*written, *map(pathlib.Path, lite.TABLE)]),
            sorted(path.stem for path in MODELS.glob("*.json")),
        )
        for path in written:
            self.assertEqual((MODELS / path.name).read_text(), path.read_text(), path.name)

    def test_lite_cards(self):
        for name, row in lite.TABLE.items():
            shipped = json.loads((MODELS / f"{name}.json").read_text())
            sha256, note = shipped.pop("sha256"), shipped["source"].pop("note")
            expected = cards.lite_card(name, lite.network(row))
            self.assertEqual(len(sha256), 64)
            if expected["source"].pop("note") == note and name == sources.DEFAULT:  # the torch that the card names
                content = (ROOT / "weights" / shipped["file"]).read_bytes()
                self.assertEqual(sha256, hashlib.sha256(content).hexdigest())
            self.assertEqual(shipped, expected)

    def test_lite_input_is_what_timm_says(self):
        timm = sources.import_package("timm")
        for name, row in lite.TABLE.items():
            card, known = cards.lite_card(name, lite.network(row))["input"], timm.get_pretrained_cfg(f"tf_{name}")
            self.assertEqual((card["size"], card["interpolation"]), (known.input_size[-1], known.interpolation))
            self.assertEqual(int(card["size"] / card["crop"] + 1e-9), int(known.input_size[-1] / known.crop_pct))

    def test_every_export_command_parses(self):
        for path in MODELS.glob("*.json"):
            script, *words = shlex.split(json.loads(path.read_text())["export"])
            self.assertTrue((ROOT / script).is_file())
            arguments = export_backbone.parse_arguments(words)
            self.assertEqual(arguments.pretrained, arguments.backbone not in lite.TABLE)

    def test_no_card_for_random_weights(self):
        words = ["timm:mobilenetv4_conv_small", "--random", "--size", 64, "--card", self.folder / "x.json"]
        self.assert_refused(words, "weights are not published")

    def test_card_of_an_own_network(self):
        card = self.folder / "mine.json"
        mean = ["--mean", 0.5, 0.4, 0.3, "--interpolation", "bicubic"]
        self.export(f"python:{NETWORKS}:small", "--size", 32, "--card", card, *mean)
        written = json.loads(card.read_text())
        self.assertEqual(written["name"], "mine")
        self.assertEqual(written["file"], "out.pt")
        self.assertEqual(written["input"], {"size": 32, "mean": [0.5, 0.4, 0.3], "interpolation": "bicubic"})
        self.assertEqual(written["parameters"], 145)
        self.assertEqual(written["sha256"], hashlib.sha256(self.out.read_bytes()).hexdigest())
        self.assertEqual(written["export"], "scripts/export_backbone.py python:own_networks.py:small --size 32")


class Lite(ExportCase):
    def test_lite_networks_equal_the_package(self):
        from efficientnet_lite_pytorch import EfficientNet

        for name, row in lite.TABLE.items():
            module, reference = lite.network(row), EfficientNet.from_name(name.replace("_", "-")).eval()
            for layer in module.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layer.weight.data.uniform_(1, 2)
                    layer.bias.data.uniform_(-1, 1)
            reference.load_state_dict(dict(zip(reference.state_dict(), module.state_dict().values(), strict=True)))
            images = torch.randn(1, 3, row.side, row.side)
            with torch.no_grad():
                difference = torchscript_file.relative_difference(module(images), reference(images))
            self.assertLess(difference, 1e-5, name)


if __name__ == "__main__":
    main()
