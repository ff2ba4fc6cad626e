"""package_test.py find_package|source_tree PROGRAM BUILD_FOLDER TORCH_DIR: builds and runs the examples as a stranger would."""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICKLY_BUILT = ("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DCMAKE_UNITY_BUILD=ON")
TINY = ROOT / "build" / "fixtures" / "tiny_cnn.scripted.pt"
PHOTOS = ROOT / "tests" / "data" / "photos"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def build(example, folder, *definitions):
    """The built example."""
    out = folder / example
    run("cmake", "-S", ROOT / "examples" / example, "-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *definitions)
    run("cmake", "--build", out, "--target", example, "-j", "2")
    return out / example


def check_prediction(program, model):
    photo = next((PHOTOS / "glass").iterdir())
    answer = run(program, model, photo).split()
    assert answer[1] in ("glass", "paper") and 0.5 <= float(answer[2]) <= 1, answer


def check_python_example(program, model):
    """examples/predict.py, with torch and without Graft, says what the program says."""
    photo = next((PHOTOS / "paper").iterdir())
    label, probability = run(sys.executable, ROOT / "examples" / "predict.py", model, photo).split()
    expected = json.loads(run(program, "predict", model, photo, "--json"))[0]["top"][0]
    assert label == expected["class"] and abs(float(probability) - expected["probability"]) <= 1e-4, (label, probability, expected)


def check_inference_stays_small(folder):
    """Component `infer` asked for nothing that only training links."""
    cache = (folder / "embed_predictor" / "CMakeCache.txt").read_text()
    for library in ("LIBCSV", "LIBDNNL"):
        assert f"GRAFT_{library}" not in cache, f"find_package(graft COMPONENTS infer) looked for {library.lower()}"


def main():
    how, program, build_folder, torch_folder = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="graft-package-") as name:
        folder = pathlib.Path(name)
        run(program, "train", PHOTOS, "--backbone", TINY, "--set", "input.size=32", "--set", "phases.0.epochs=1", "--out", folder / "run")
        model = folder / "run" / "model.pt"
        torch = f"-DTorch_DIR={torch_folder}"
        if how == "source_tree":
            check_prediction(build("embed_predictor", folder, torch, f"-DGRAFT_SOURCE={ROOT}", *QUICKLY_BUILT), model)
            return
        check_python_example(program, model)
        prefix = folder / "prefix"
        run("cmake", "--install", build_folder, "--prefix", prefix)
        definitions = [torch, f"-DCMAKE_PREFIX_PATH={prefix}"]
        check_prediction(build("embed_predictor", folder, *definitions), model)
        check_inference_stays_small(folder)
        trained = run(build("train_from_cpp", folder, *definitions), TINY, PHOTOS, folder / "from_cpp", "32")
        assert '"accuracy"' in trained, trained
        version = run(prefix / "bin" / "graft", "--version")
        assert version.startswith("graft "), version
        assert "efficientnet_lite0" in run(prefix / "bin" / "graft", "models")


main()
