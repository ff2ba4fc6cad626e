"""Seeds for scan_fuzz: PYTHON make_corpus.py FIXTURES FOLDER. Small networks whole, larger ones' programs and data."""

import pathlib
import sys
import zipfile

LARGEST_SEED = 64_000


def seeds_of(path):
    if path.stat().st_size <= LARGEST_SEED:
        yield "archive", b"A" + path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = {".py": b"S", "pkl": b"P"}.get(info.filename[-3:])
            if kind and info.file_size <= LARGEST_SEED:
                yield info.filename.split("/", 1)[1].replace("/", "_"), kind + archive.read(info)


def main():
    fixtures, folder = (pathlib.Path(argument) for argument in sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(fixtures.glob("*.scripted.pt")) + sorted(fixtures.glob("*.traced.pt"))
    if not files:
        sys.exit(f"{fixtures} holds no networks: run scripts/setup test")
    for path in files:
        for number, (name, seed) in enumerate(seeds_of(path)):
            if number < 40:
                (folder / f"{path.stem}.{name}").write_bytes(seed)


main()
