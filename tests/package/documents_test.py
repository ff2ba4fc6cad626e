"""What the documents promise is there: relative links lead somewhere, code is the text of an example, the picture is the script's.

The examples are what the package tests build and run, so code on a page must be one of them, whole.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "models/*.md", "tests/**/*.md", "weights/*.md")
CODE = re.compile(r"^```(?:cpp|c\+\+|cmake|python)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def problems_of(page, examples):
    text = page.read_text()
    for target in LINK.findall(text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"link to {target} leads nowhere"
    for code in CODE.findall(text):
        if code not in examples:
            yield f"code that is no file of examples/: {code.splitlines()[:2]}"


def main():
    pages = sorted(page for pattern in PAGES for page in ROOT.glob(pattern))
    examples = {path.read_text() for path in (ROOT / "examples").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    problems = [f"{page.relative_to(ROOT)}: {problem}" for page in pages for problem in problems_of(page, examples)]
    shown = sum(len(CODE.findall(page.read_text())) for page in pages)
    if shown == 0:
        problems.append("no page shows an example")
    drawn = subprocess.run([sys.executable, ROOT / "scripts" / "draw_pictures.py", "--check"], capture_output=True, text=True)
    if drawn.returncode != 0:
        problems.append(drawn.stderr.strip())
    print("\n".join(problems) or f"{len(pages)} pages, {shown} examples")
    sys.exit(1 if problems else 0)


main()
