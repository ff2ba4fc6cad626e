"""scripts/export_backbone.py: each source exports, what is wrong is said, and no file is left. Weights are random."""

import pathlib
import pickle
import zipfile

from export_case import NETWORKS, ExportCase, main, torch
from backbones import sources


class Published(ExportCase):
    def test_torchvision(self):
        said = self.export("torchvision:mobilenet_v3_small", "--random", "--size", 64, "--num-classes", 7)
        self.assertIn("; scripted; ", said)
        models = sources.import_package("torchvision").models
        self.assert_same_network(models.mobilenet_v3_small(num_classes=7), 64)

    def test_timm_at_another_size(self):
        said = self.export("timm:vit_tiny_patch16_224", "--random", "--size", 64)
        self.assertIn("; scripted; ", said)
        timm = sources.import_package("timm")
        self.assert_same_network(timm.create_model("vit_tiny_patch16_224", img_size=64), 64, tolerance=1e-4)

    def test_traced_file_holds_no_path_of_this_machine(self):
        said = self.export("timm:mobilenetv4_conv_small", "--random", "--size", 64, "--trace")
        self.assertIn("; traced: as asked; ", said)
        with zipfile.ZipFile(self.out) as archive:
            for name in archive.namelist():
                self.assertFalse(name.endswith(".debug_pkl"), name)
                self.assertNotIn(b".py", archive.read(name) if name.endswith((".py", ".pkl")) else b"", name)

    def test_what_there_is_not(self):
        self.assert_refused(["torchvision:resnet19", "--random"], "has no classification network 'resnet19'")
        self.assert_refused(["timm:resnet19", "--random"], "timm has no network 'resnet19'")
        self.assert_refused(["timm:resnet18.nope", "--random"], "Invalid pretrained tag (nope)")
        self.assert_refused(["torchvision:alexnet", "--random", "--size", "32"], "fails on images of 32 pixels")
        self.assert_refused(["torchvision:vit_b_32", "--random", "--size", "64"], "takes 224 pixels only")
        self.assert_refused(["resnet18"], "backbone 'resnet18': expected efficientnet_lite0")


class OwnNetwork(ExportCase):
    def python(self, function):
        return [f"python:{NETWORKS}:{function}", "--size", 32]

    def test_scripted(self):
        self.assertIn("small of own_networks.py, 32 pixels; scripted; ", self.export(*self.python("small")))
        from own_networks import small

        self.assert_same_network(small(), 32)
        self.assertNotIn(str(NETWORKS.parent).encode(), self.out.read_bytes())

    def test_what_cannot_be_scripted_is_traced_and_said(self):
        said = self.export(*self.python("unscriptable"))
        self.assertIn("traced: scripting failed with 'Compiled functions can't take variable number", said)
        self.assertEqual(torch.jit.load(self.out)(torch.zeros(3, 3, 32, 32))["logits"].shape, (3, 5))

    def test_a_batch_that_the_trace_fixed_is_found(self):
        self.assert_refused(self.python("fixed_batch"), "the file fails on a batch of 1", "computes for 2")
        self.assert_refused(self.python("batch_statistic"), "the file differs from its module by 1.0e+00")

    def test_a_difference_that_is_no_number_is_one(self):
        self.assert_refused([*self.python("not_a_number"), "--trace"], "differs from its module by nan")

    def test_wrong_functions(self):
        self.assert_refused(self.python("no_module"), "no_module() returns a int, no nn.Module")
        self.assert_refused(self.python("failing"), "ValueError: no weights here")
        self.assert_refused(self.python("absent"), "no attribute 'absent'")
        self.assert_refused([f"python:{self.folder}/none.py:small"], "to be a file")
        self.assert_refused([f"python:{NETWORKS}"], "expected python:FILE:FUNCTION")


class StateDict(ExportCase):
    def setUp(self):
        super().setUp()
        from own_networks import Small

        self.module = Small()
        self.tensors = dict(self.module.state_dict())

    def words(self, content, name="weights.pth"):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        return [f"state_dict:{path}", "--architecture", f"python:{NETWORKS}:small", "--size", 32]

    def assert_exports(self, content, *said):
        text = self.export(*self.words(content))
        for part in said:
            self.assertIn(part, text)
        exported = torch.jit.load(self.out)
        images = torch.randn(3, 3, 32, 32)
        torch.testing.assert_close(exported(images), self.module.eval()(images))

    def test_wrappers_and_prefixes(self):
        self.assert_exports(self.tensors)
        prefixed = {f"module.{key}": value for key, value in self.tensors.items()}
        self.assert_exports({"epoch": 3, "state_dict": prefixed}, "its 'state_dict'", "without the prefix 'module.'")
        twice = {f"_orig_mod.{key}": value for key, value in prefixed.items()}
        self.assert_exports({"model": twice}, "its 'model'", "'_orig_mod.'", "'module.'")

    def test_counters_of_batches_may_lack(self):
        self.assert_exports({key: value for key, value in self.tensors.items() if "num_batches" not in key})

    def test_keys_that_do_not_fit(self):
        other = {key: value for key, value in self.tensors.items() if key != "fc.bias"}
        other["fc.weight"] = torch.zeros(9, 4)
        other |= {f"extra.{number}": torch.zeros(1) for number in range(5)}
        self.assert_refused(
            self.words(other),
            "1 missing: fc.bias;",
            "5 unexpected: extra.0, extra.1, extra.2 and 2 more",
            "1 of another shape: fc.weight is [9, 4], expected [5, 4]",
            "--num-classes",
        )

    def test_files_of_something_else(self):
        self.assert_refused(self.words(b"not a file of torch"), "no file of tensors alone")
        self.assert_refused(self.words({"epoch": 1, "lr": 2.0}), "holds no state_dict (keys epoch, lr)")
        self.assert_refused(self.words([1, 2]), "holds no state_dict (a list)")
        self.assert_refused(self.words(self.module), "no file of tensors alone (UnpicklingError)")
        torch.jit.save(torch.jit.script(self.module), self.folder / "scripted.pt")
        self.assert_refused(self.words((self.folder / "scripted.pt").read_bytes()), "is a TorchScript file")
        self.assert_refused([f"state_dict:{self.folder}/none.pth", *self.words({})[1:]], "there is no file")

    def test_a_pickle_that_would_run_is_not_run(self):
        class Hostile:
            def __reduce__(self):
                return pathlib.Path.touch, (marker,)

        marker = self.folder / "ran"
        self.assert_refused(self.words(pickle.dumps(Hostile())), "no file of tensors alone")
        self.assertFalse(marker.exists())

    def test_safetensors(self):
        from safetensors.torch import save

        self.export(*self.words(save(self.tensors), "weights.safetensors"))
        torch.testing.assert_close(torch.jit.load(self.out).fc.weight, self.tensors["fc.weight"])

    def test_classes_of_a_published_architecture(self):
        models = sources.import_package("torchvision").models
        words = self.words(models.mobilenet_v3_small(num_classes=3).state_dict())[:1]
        words += ["--architecture", "torchvision:mobilenet_v3_small", "--size", 64]
        self.assert_refused(words, "classifier.3.weight is [3, 1024], expected [1000, 1024]", "--num-classes")
        self.export(*words, "--num-classes", 3)
        self.assertEqual(torch.jit.load(self.out)(torch.zeros(1, 3, 64, 64)).shape, (1, 3))

    def test_without_an_architecture(self):
        self.assert_refused(self.words(self.tensors)[:1], "name it with --architecture")


class CommandLine(ExportCase):
    def test_words_that_make_no_sense_together(self):
        for words, expected in (
            (["torchvision:resnet18"], "say --pretrained or --random"),
            (["efficientnet_lite0", "--random"], "brings its own weights"),
            (["efficientnet_lite1", "--size", "64"], "has a size of its own"),
            (["timm:resnet18", "--random", "--architecture", "timm:resnet18"], "goes with state_dict:FILE"),
            (["timm:resnet18", "--random", "--check"], "--check goes with"),
            (["timm:resnet18", "--pretrained", "--num-classes", "3"], "--num-classes goes with"),
            (["python:x.py:f", "--num-classes", "3"], "--num-classes goes with"),
            (["python:x.py:f", "--crop", "0.9"], "--crop goes with --card"),
            (["timm:resnet18", "--pretrained", "--card", "x.json", "--crop", "0.9"], "--crop goes with --card"),
            (["timm:resnet18", "--random", "--size", "7"], "expected 8 to 4096"),
            (["timm:resnet18", "--random", "--num-classes", "0"], "expected 1 to 1000000"),
            (["python:x.py:f", "--card", "x.json", "--std", "0", "1", "1"], "expected 1e-06 to 1000"),
            (["python:x.py:f", "--card", "x.json", "--crop", "nan"], "expected 0.1 to 1"),
        ):
            with self.subTest(words=words):
                self.assert_refused(words, expected, status=2)


if __name__ == "__main__":
    main()
