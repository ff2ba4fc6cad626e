"""Hostile and damaged TorchScript files: one error line, nothing run, nothing written, memory bounded."""

import os
import struct
import subprocess
import threading
import zipfile

import torch
from torch import nn

import hostile
import program
from program import PHOTOS

# A harmless inspection of so small a network peaks at about 260 MB, most of it LibTorch itself.
MEMORY_LIMIT = 700 * hostile.MEGABYTE


def put(place: int) -> bytes:
    return b"r" + struct.pack("<I", place)


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


class HostileTest(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        cls.records = hostile.records_of()

    def setUp(self):
        super().setUp()
        self.here = self.folder / "here"
        self.here.mkdir()
        self.file = self.folder / "net.pt"

    def run_here(self, *arguments) -> tuple[subprocess.CompletedProcess, int]:
        """Runs the program in an empty folder. Returns how it ended and its peak memory in bytes."""
        command = [str(part) for part in (program.path(), *arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.here, env=program.environment()
        )
        impatience = threading.Timer(program.PATIENCE_SECONDS, process.kill)
        impatience.start()
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        impatience.cancel()
        process.stdout.close(), process.stderr.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(command, process.returncode, out, err), usage.ru_maxrss * 1024

    def assert_refused(self, *words, commands=(("inspect",),)):
        for command, *rest in commands:
            with self.subTest(command=command):
                result, peak = self.run_here(command, self.file, *rest)
                self.assert_failed(result, str(self.file), *words)
                self.assertLess(peak, MEMORY_LIMIT)
                self.assertEqual(list(self.here.iterdir()), [])
                self.assertEqual(set(self.folder.iterdir()), {self.here, self.file})

    def refuse(self, records, *words, predict=False):
        hostile.write(self.file, records)
        commands = (("inspect",), ("predict", PHOTOS)) if predict else (("inspect",),)
        self.assert_refused(*words, commands=commands)


class HarmlessTest(HostileTest):
    def test_what_the_others_are_made_from_is_harmless(self):
        hostile.write(self.file, self.records)
        result, peak = self.run_here("inspect", self.file, "--size", 32)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(peak, MEMORY_LIMIT)

    def test_compressed_code_is_harmless(self):
        packed = {
            name: (content, zipfile.ZIP_DEFLATED if name.startswith("code/") else zipfile.ZIP_STORED)
            for name, content in self.records.items()
        }
        hostile.write(self.file, packed)
        result, _ = self.run_here("inspect", self.file, "--size", 32)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_trust_loads_what_the_scan_refuses_and_says_so(self):
        hostile.write(self.file, hostile.with_line(self.records, 'torch.warn("", 2)\n    torch.manual_seed(1)'))
        result, _ = self.run_here("inspect", self.file, "--size", 32)
        self.assert_failed(result, "aten::manual_seed", "--trust")
        result, _ = self.run_here("inspect", self.file, "--size", 32, "--trust")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: --trust", result.stderr)


class DamagedTest(HostileTest):
    def test_cut_short_anywhere(self):
        whole = hostile.write(self.file, self.records).read_bytes()
        for part in (1, 30, 0.1, 0.3, 0.5, 0.7, 0.9, len(whole) - 22, len(whole) - 1):
            with self.subTest(part=part):
                self.file.write_bytes(whole[: part if isinstance(part, int) else int(part * len(whole))])
                self.assert_refused("TorchScript file")

    def test_a_byte_flipped_in_every_kind_of_record(self):
        whole = hostile.write(self.file, self.records).read_bytes()
        for name in ("data/0", "data.pkl", "constants.pkl", hostile.source_name(self.records), "version", "byteorder"):
            with self.subTest(record=name):
                at = whole.index(self.records[name], whole.index(f"net/{name}".encode()))
                middle = at + len(self.records[name]) // 2
                self.file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0x10]) + whole[middle + 1 :])
                self.assert_refused("TorchScript")

    def test_flipped_bytes_in_the_directory(self):
        whole = hostile.write(self.file, self.records).read_bytes()
        for back in (10, 14, 18, 60, 75):
            with self.subTest(back=back):
                at = len(whole) - back
                self.file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
                self.assert_refused("TorchScript file")

    def test_a_version_that_is_none(self):
        for version in (b"99999\n", b"no number", b""):
            with self.subTest(version=version):
                self.refuse(self.records | {"version": version}, "TorchScript file")

    def test_a_pickle_that_is_no_torchscript(self):
        torch.save({"weight": torch.ones(2)}, self.file)
        self.assert_refused("state_dict")

    def test_a_pipe_is_no_file(self):
        os.mkfifo(self.file)
        self.assert_refused("no regular file")

    def test_missing_records(self):
        for name in ("data/0", "constants.pkl", "version", hostile.source_name(self.records)):
            with self.subTest(record=name):
                self.refuse({key: value for key, value in self.records.items() if key != name}, str(self.file))


class ArchiveTest(HostileTest):
    def test_a_bomb_among_the_sources(self):
        bomb = (b"#" * (200 * hostile.MEGABYTE), zipfile.ZIP_DEFLATED)
        self.refuse(self.records | {"code/__torch__/bomb.py": bomb}, "unpacks to more")

    def test_a_bomb_in_the_version(self):
        bomb = (b"3" * (200 * hostile.MEGABYTE), zipfile.ZIP_DEFLATED)
        self.refuse(self.records | {"version": bomb}, "version")

    def test_a_bomb_that_tells_a_small_size(self):
        bomb = (b"3" * (50 * hostile.MEGABYTE), zipfile.ZIP_DEFLATED)
        data = hostile.write(self.file, self.records | {"version": bomb}).read_bytes()
        size = struct.pack("<I", 50 * hostile.MEGABYTE)
        self.file.write_bytes(data.replace(size, struct.pack("<I", 2)))
        self.assert_refused("TorchScript file")

    def test_compressed_tensors(self):
        hostile.write(self.file, self.records, method=zipfile.ZIP_DEFLATED)
        self.assert_refused("packed anew")

    def test_paths_that_lead_out(self):
        for name in ("../../escaped.py", "code/../../../escaped", "code\\..\\escaped"):
            with self.subTest(name=name):
                self.refuse(self.records | {name: b"x"}, "leads out")

    def test_an_absolute_path(self):
        hostile.write(self.file, {f"/net/{name}": value for name, value in self.records.items()}, folder="")
        self.assert_refused("leads out")

    def test_two_folders(self):
        pairs = {f"net/{name}": value for name, value in self.records.items()} | {"other/data.pkl": b"x"}
        hostile.write(self.file, pairs, folder="")
        self.assert_refused("TorchScript")

    def test_a_name_twice(self):
        evil = hostile.with_line(self.records, 'torch.save(x, "written")')
        name = hostile.source_name(self.records)
        self.refuse([*self.records.items(), (name, evil[name])], "TorchScript file")

    def test_a_flood_of_entries(self):
        flood = {f"extra/{i}": b"" for i in range(120_000)}
        self.refuse(self.records | flood, "records")

    def test_a_directory_that_promises_billions(self):
        data = hostile.write(self.file, self.records).read_bytes()
        size, offset = struct.unpack("<II", data[-10:-2])
        many = 1 << 36
        record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, many, many, size, offset)
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(data) - 22, 1)
        end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        self.file.write_bytes(data[:-22] + record + locator + end)
        self.assert_refused("TorchScript file")

    def test_a_record_longer_than_the_file(self):
        data = hostile.write(self.file, self.records).read_bytes()
        for offset in (20, 24):  # packed, unpacked
            with self.subTest(field=offset):
                self.file.write_bytes(hostile.patch_directory(data, b"net/data/2", offset, struct.pack("<I", 1 << 31)))
                self.assert_refused("TorchScript file")

    def test_the_format_before_torch_jit(self):
        self.refuse(self.records | {"model.json": b"{}"}, "gave up")


class ProgramTextTest(HostileTest):
    def test_code_that_runs_while_it_is_loaded(self):
        method = hostile.set_state('torch.save(0, "written")')
        self.refuse(hostile.with_method(self.records, method), "while it is loaded", predict=True)

    def test_a_default_that_is_computed(self):
        for default in ('torch.len(torch.mul([0], 300000000))', "__torch__.deep.f0()"):
            with self.subTest(default=default):
                change = lambda text: text.replace("x: Tensor", f"x: Tensor, y: int={default}")  # noqa: E731
                self.refuse(hostile.with_source(self.records, change), "default")

    def test_files_in_forward(self):
        for line in (
            'torch.save(x, "written")',
            'x.save("written")',
            'a = torch\n    a.save(x, "written")',
            'x = torch.from_file("written", True, 1000)',
            'ops.aten.save(x, "written")',
            'a = ops\n    a.aten.save(x, "written")',
        ):
            with self.subTest(line=line):
                self.refuse(hostile.with_line(self.records, line), "its program", predict=True)

    def test_other_effects(self):
        for line in (
            "torch.manual_seed(1)",
            "torch.set_grad_enabled(True)",
            'print("hello")',
            "a = fork(x)",
            "ops.rpc.anything(x)",
            "ops.unknown.anything(x)",
            "ops.inductor._alloc_from_pool(x, 0, 6, [9], [1])",
            "a = torch.as_strided_scatter(x, x, [9], [9])",
            "a = torch.resize_(x, [9])",
            "a = torch._unsafe_index(x, [x])",
            "a = __torch__.torch.classes.c10d.ProcessGroup()",
        ):
            with self.subTest(line=line):
                self.refuse(hostile.with_line(self.records, line), "its program")

    def test_what_would_overflow_the_compiler(self):
        deep = 5000
        for line in (
            "a = " + "(" * deep + "x" + ")" * deep,
            "a = " + "[" * deep + "]" * deep,
            "a = x" + " + x" * 100_000,
            "a = " + "not " * 100_000 + "True",
            "a = x" + ".y" * 100_000,
            "a = x" + " if True else x" * 20_000,
            "a = x" + "[0]" * 50_000,
            "".join("\n" + "  " * (i + 2) + "if True:" for i in range(2000)) + "\n" + "  " * 2002 + "pass",
            "if True:\n      pass\n" + "    elif True:\n      pass\n" * 20_000,
            'a = "' + "x" * 9_000_000 + '"',
        ):
            with self.subTest(line=line[:24]):
                self.refuse(hostile.with_line(self.records, line), "program")

    def test_calls_without_end(self):
        again = lambda text: text.replace("torch.relu(", "(self).forward(")  # noqa: E731
        self.refuse(hostile.with_source(self.records, again), str(self.file))

    def test_calls_too_deep(self):
        self.refuse(hostile.deep_calls(self.records), "calls")

    def test_classes_too_deep(self):
        self.refuse(hostile.deep_classes(self.records), "calls")

    def test_calls_that_double_forty_times(self):
        self.refuse(hostile.doubling_calls(self.records), "unfolds")

    def test_values_that_double_while_they_are_compiled(self):
        used = 'if torch.eq(str(a), "b"):\n      ops.prim.RaiseException(str(a))\n    else:\n      pass'
        for start, line in (('"xxxx"', "a = torch.add(a, a)"), ('"xxxx"', "a = a + a"), ("(1, 2)", "a = (a, a)")):
            with self.subTest(line=line):
                again = f"a = {start}\n    " + f"{line}\n    " * 40
                self.refuse(hostile.with_line(self.records, again + used), "more than a million parts")

    def test_text_that_is_no_program(self):
        for text in (b"\x00\xff\xfe", b"class", b"def f(", b'"', b"\t\t  x\n x", b"class Net(Module):\n  def"):
            with self.subTest(text=text):
                self.refuse(self.records | {hostile.source_name(self.records): text}, str(self.file))


class PickleTest(HostileTest):
    def change(self, old: bytes, new: bytes, *words):
        self.refuse(hostile.with_pickle(self.records, old, new), *words)

    def test_a_storage_larger_than_its_record(self):
        self.change(b"K\xd8tQ", hostile.binint(2_000_000_000) + b"tQ", "more than its record")

    def test_a_tensor_beyond_its_storage(self):
        self.change(b"K\x00(K\x08K\x03", b"K\x01(K\x08K\x03", "beyond its storage")
        self.change(b"(K\x1bK\x09K\x03K\x01t", b"(K\xfeK\x09K\x03K\x01t", "beyond its storage")

    def test_a_negative_offset(self):
        self.change(b"K\x00(K\x08K\x03", hostile.binint(-1000) + b"(K\x08K\x03", "tensor")

    def test_absurd_sizes(self):
        huge = b"\x8a\x08" + struct.pack("<q", 1 << 40)
        self.change(b"(K\x08K\x03K\x03K\x03t", b"(" + huge * 4 + b"t", "tensor")
        sizes = b"(" + huge + b"K\x03K\x03K\x03t(K\x00K\x09K\x03K\x01t"  # one row, shown a million million times
        self.change(b"(K\x08K\x03K\x03K\x03t(K\x1bK\x09K\x03K\x01t", sizes, "elements on a storage")

    def test_an_absurd_place_to_remember(self):
        self.change(b"q\x01", b"r" + struct.pack("<I", 0x7FFFFFFF), "remember")

    def test_instructions_of_other_pickles(self):
        self.change(b"q\x02N", b"q\x02cos\nsystem\n(X\x04\x00\x00\x00true\x85R", "'os system'")
        self.change(b"q\x02N", b"q\x02I1\n", "instruction")

    def test_nesting(self):
        self.change(b"q\x02N", b"q\x02" + b"]" * 50_000 + b"a" * 49_999, "nested")
        self.change(b"q\x02N", b"q\x02" + b"(" * 50_000 + b"N" + b"t" * 50_000, "nested")

    def test_a_list_that_holds_itself(self):
        self.change(b"q\x02N", b"q\x02]q\x03h\x03a", "themselves")

    def test_a_list_that_doubles_sixty_times(self):
        first = b"]" + put(3)
        doubled = b"".join(b"]" + get(3 + i) + b"a" + get(3 + i) + b"a" + put(4 + i) for i in range(60))
        self.change(b"q\x02N", b"q\x02(" + first + doubled + b"t", "too many times")

    def test_stacks_that_are_empty(self):
        for content in (b"\x80\x02.", b"\x80\x02t.", b"\x80\x02R.", b"\x80\x02(u.", b"\x80\x02b.", b"\x80\x02h\x05.", b"", b"\x80"):
            with self.subTest(content=content):
                self.refuse(self.records | {"data.pkl": content}, "data")

    def test_an_attribute_of_another_type(self):
        linear, conv = (b"c__torch__.torch.nn.modules." + name for name in (b"linear\nLinear\n", b"conv\nConv2d\n"))
        self.change(linear, conv, str(self.file))
        self.change(b"q\x01\x89", b"q\x01K\x05", "type")


class OtherNetworksTest(HostileTest):
    def test_quantised(self):
        class Quantised(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 4)

            def forward(self, x):
                return self.fc(x)

        dynamic = torch.ao.quantization.quantize_dynamic(Quantised().eval(), {nn.Linear})
        torch.jit.save(torch.jit.script(dynamic), self.file)
        self.assert_refused("is quantised", "before it is quantised")
        torch.jit.save(torch.jit.freeze(torch.jit.script(dynamic)), self.file)
        self.assert_refused("is quantised")

    def test_optimized_for_inference(self):
        torch.jit.save(torch.jit.optimize_for_inference(torch.jit.script(hostile.Net().eval())), self.file)
        self.assert_refused("optimize_for_inference")


if __name__ == "__main__":
    program.main()
