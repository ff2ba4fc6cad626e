"""The table of docs/backbones.md, from what the contract found."""

import pathlib

from networks import KINDS, Network

INTRO = """# Backbones

Graft knows no architecture by name. This table shows the networks that its contract is tested over before a release:
{networks} networks of torchvision {torchvision}, timm {timm} and our own odd ones, {files} files. Each has random
weights and is exported by `tests/zoo/export_zoo.py` as people do it: scripted where TorchScript's compiler takes it,
traced, and frozen (`torch.jit.freeze`) from each. Some are smaller than the members of their family that have a name:
what is tested is the kind of graph.

`tests/zoo/zoo_test.py` holds each file to the same contract (`tests/zoo/contract.py`) and writes this page: `graft
inspect`, `train --preset finetune`, `verify` and `predict` succeed; the features are Python's within 1e-5 of the
largest (1e-3 where freezing has folded BatchNorm into other weights, more for half weights); a probe leaves every
tensor of the backbone as it was; fine-tuning changes what `train` names and nothing else; the exported file answers in
plain PyTorch as in Graft. `scripts/test` runs it for {quick} files, `scripts/test --all` for all.

*ok*: taken as it is. *keep* or *replace*: where the features end is not certain from such a file, so Graft asks, and
takes it with `--classifier keep` or `replace`. *–*: does not script, or holds by its nature no such file. *not run*:
not in the run that wrote this page, of {run} files in {files}, of which {failed} failed. Parameters (without the
classifier), features, boundaries with a name, and stages (what `last:N` counts) are those of the first file that ran.

| architecture | family | parameters | scripted | traced | scripted, frozen | traced, frozen | features | boundaries | stages |
|---|---|---|---|---|---|---|---|---|---|
"""


def short_count(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def cell(network: Network, kind: str, records: dict) -> str:
    if kind not in network.kinds:
        return "–"
    if kind not in records:
        return "not run"
    record = records[kind]
    return "**fails**" if record["problems"] else record["asked"] or "ok"


def row(network: Network, records: dict) -> str:
    name = network.name if network.origin == "own" else f"{network.name} ({network.origin})"
    facts = next((record for record in records.values() if "stages" in record), None)
    cells = [name, network.family, "", *(cell(network, kind, records) for kind in KINDS), "", "", ""]
    if facts is not None:
        cells[2] = short_count(facts["parameters"])
        cells[-3:] = str(facts["num_features"]), str(facts["boundaries"]), str(len(facts["stages"]))
    return "| " + " | ".join(cells) + " |\n"


def write_document(path: pathlib.Path, networks, records: dict) -> None:
    """`records`: by network's name and kind, as found with the program as it is now."""
    import timm
    import torchvision

    found = [record for of_network in records.values() for record in of_network.values()]
    text = INTRO.format(run=len(found), failed=sum(bool(record["problems"]) for record in found), networks=len(networks), files=sum(len(n.kinds) for n in networks),
                        quick=sum(len(n.quick) for n in networks), timm=timm.__version__,
                        torchvision=torchvision.__version__.partition("+")[0])
    path.write_text(text + "".join(row(network, records.get(network.name, {})) for network in networks))
