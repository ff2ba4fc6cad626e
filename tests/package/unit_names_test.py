"""No two sources of a folder give one name to something of their own: the preset release compiles a folder as one unit."""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Their targets compile them alone.
ALONE = {"onednn_program.cpp", "launcher.cpp"}
UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.S | re.M)
# What begins at the margin, as clang-format puts it: a function, a type, a constant. Not a macro of GoogleTest's.
DECLARED = (
    re.compile(r"^(?!TEST|INSTANTIATE|def )[A-Za-z][\w:<>,&*\[\]. ]*[\s&*](\w+)\(", re.M),
    re.compile(r"^(?:struct|class|enum class) (\w+)", re.M),
    re.compile(r"^(?:\[\[maybe_unused\]\] )?(?:inline |static )?(?:const|constexpr) [^(={]*?\b(k[A-Z]\w*)", re.M),
)


def names_of(text):
    return {found[1] for part in UNNAMED.findall(text) for pattern in DECLARED for found in pattern.finditer(part)}


def problems_of(folder):
    owners = collections.defaultdict(list)
    for path in sorted(folder.glob("*.cpp")):
        for name in names_of(path.read_text()) if path.name not in ALONE else ():
            owners[name].append(path.name)
    return [f"{folder.relative_to(ROOT)}: {name} in {' and in '.join(files)}" for name, files in sorted(owners.items()) if len(files) > 1]


def main():
    folders = [ROOT / "src" / "cli", *(ROOT / "src" / "graft").iterdir(), *(ROOT / "tests").iterdir()]
    sources = [path for folder in folders for path in folder.glob("*.cpp")]
    problems = [problem for folder in folders if folder.is_dir() and folder.name != "fuzz" for problem in problems_of(folder)]
    print("\n".join(problems) or f"{len(sources)} sources name their own things apart")
    sys.exit(1 if problems or not sources else 0)


main()
