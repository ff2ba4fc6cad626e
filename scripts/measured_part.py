"""The parts of pages that scripts write: between two comments that name the script. What people wrote round them stays."""

import pathlib


def replace(page: pathlib.Path, script: str, text: str) -> None:
    begin = f"<!-- measured: {script} writes this part -->"
    end = f"<!-- end of what {script} measured -->"
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise SystemExit(f"error: {page} has no part between '{begin}' and '{end}'")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
    print(f"wrote {page.name}")
