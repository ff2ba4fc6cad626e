"""The parts of pages that scripts write: between two comments that name the script. What people wrote round them stays."""

import pathlib


def _split(page: pathlib.Path, script: str) -> tuple[str, str, str]:
    """What stands before the part, in it and behind it; the comments belong to what stands round it."""
    begin = f"<!-- measured: {script} writes this part -->"
    end = f"<!-- end of what {script} measured -->"
    before, found, rest = page.read_text().partition(begin)
    part, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"error: {page} has no part between '{begin}' and '{end}'")
    return before + begin, part.strip("\n"), end + after


def read(page: pathlib.Path, script: str) -> str:
    return _split(page, script)[1]


def replace(page: pathlib.Path, script: str, text: str) -> None:
    before, _, after = _split(page, script)
    page.write_text(f"{before}\n\n{text}\n\n{after}")
    print(f"wrote {page.name}")
