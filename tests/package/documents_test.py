"""What the documents promise is there: relative links lead somewhere, and code that is quoted from a file is that file's."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Document, heading of the fence's language, and the file whose text it shows.
QUOTED = (("README.md", "cpp", "examples/embed_predictor/main.cpp"), ("README.md", "python", "examples/predict.py"))


def broken_links(document):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target and not (document.parent / target).exists():
            yield f"{document.relative_to(ROOT)}: link to {target} leads nowhere"


def main():
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    documents = [ROOT / name for name in tracked] or sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))
    problems = [problem for document in documents for problem in broken_links(document)]
    for document, language, source in QUOTED:
        fences = re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(), re.S)
        if (ROOT / source).read_text() not in fences:
            problems.append(f"{document}: shows no {language} block that equals {source}")
    print("\n".join(problems) or f"{len(documents)} documents")
    sys.exit(1 if problems or not documents else 0)


main()
