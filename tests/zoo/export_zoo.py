#!/usr/bin/env python3
"""Writes the zoo: every network of networks.py as TorchScript files, and what Python computes with it.

In the folder given, for each network NAME and each of its kinds, NAME.KIND.pt; and NAME.reference.pt, a dictionary:
images [2, 3, S, S], images3 [3, 3, S, S] and for both features and logits, "batch_norm" (whether freezing folds some),
and, where the logits are a linear layer of the features, its "weight" and "bias". The reference is written last: a set
that has one is complete and kept; delete it to have the set made again.
"""

import argparse
import io
import os
import pathlib
import sys
import warnings

from networks import NETWORKS, SCRIPTED, TRACED, Network

ROOT = pathlib.Path(__file__).resolve().parents[2]


def prepare() -> None:
    """Makes torch, torchvision, timm and the code shared with tests/fixtures importable. Takes seconds."""
    folders = [str(ROOT / folder) for folder in ("scripts", "tests/fixtures")]
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    import torch
    from backbones import torchvision_operators

    warnings.filterwarnings("ignore")  # of TorchScript's deprecation and of tracing; what is traced is compared below
    torch.set_num_threads(1)  # on a busy machine a team is many times slower
    torchvision_operators.provide()


def reference_path(folder: pathlib.Path, network: Network) -> pathlib.Path:
    return folder / f"{network.name}.reference.pt"


def is_complete(folder: pathlib.Path, network: Network) -> bool:
    files = [folder / f"{network.name}.{kind}.pt" for kind in network.kinds]
    return all(path.is_file() for path in [*files, reference_path(folder, network)])


def small_torchvision(name: str, options: dict):
    """Members of torchvision's families that are smaller than the smallest it names: fewer blocks, thinner layers."""
    import torchvision.models as models

    if name == "vit_b_32":
        return models.VisionTransformer(
            patch_size=16, num_layers=3, num_heads=3, hidden_dim=96, mlp_dim=192, num_classes=1000, **options
        )
    if name == "swin_t":
        return models.SwinTransformer(
            patch_size=[4, 4], embed_dim=48, depths=[1, 2, 1], num_heads=[2, 4, 8], window_size=[4, 4], **options
        )
    if name == "maxvit_t":
        return models.MaxVit(
            input_size=(224, 224), stem_channels=16, partition_size=7, block_channels=[16, 32, 48],
            block_layers=[1, 1, 1], head_dim=16, stochastic_depth_prob=0.1, **options
        )
    setting = models.convnext.CNBlockConfig
    blocks = [setting(32, 64, 1), setting(64, 96, 1), setting(96, 128, 2), setting(128, None, 1)]
    return models.ConvNeXt(blocks, stochastic_depth_prob=0.1, **options)


def thin_classifier(module, hidden: int) -> None:
    """Replaces the stacked linear layers, most of an early network's weights, by narrow ones."""
    from torch import nn

    places = [i for i, layer in enumerate(module.classifier) if isinstance(layer, nn.Linear)]
    widths = [module.classifier[places[0]].in_features, *[hidden] * (len(places) - 1), 1000]
    for place, width, following in zip(places, widths, widths[1:]):
        module.classifier[place] = nn.Linear(width, following)


def keep_blocks(module, count: int) -> None:
    """Where blocks of the same shape follow each other, keeps the first `count` of them."""
    from torch import nn

    def shapes(block):
        return [parameter.shape for parameter in block.parameters()]

    for parent in list(module.modules()):
        for name, blocks in list(parent.named_children()):
            if isinstance(blocks, nn.Sequential) and all(shapes(block) == shapes(blocks[0]) != [] for block in blocks):
                setattr(parent, name, blocks[:count])


def build(network: Network, scriptable: bool):
    """The network with its first weights, in eval mode."""
    import own_networks
    import timm
    import torch
    import torchvision

    torch.manual_seed(0)
    name, options = network.architecture or network.name, dict(network.options)
    if network.origin == "own":
        module = getattr(own_networks, name)()
    elif network.origin == "timm":
        blocks = options.pop("blocks", 0)
        module = timm.create_model(name, pretrained=False, scriptable=scriptable, **options)
        if blocks:
            keep_blocks(module, blocks)
    elif options.pop("small", False):
        module = small_torchvision(name, options)
    else:
        hidden = options.pop("hidden", 0)
        module = torchvision.models.get_model(name, weights=None, **options)
        if hidden:
            thin_classifier(module, hidden)
    return module.eval()


def outputs(module, network: Network, images) -> dict:
    """Logits (of several outputs the first) and features."""
    import export_backbones
    from backbones.torchscript_file import first_tensor

    if network.origin == "torchvision" or network.last_linear:
        return export_backbones.last_input(module, images)
    if network.origin == "own":
        features = module.expected_features(images)
    else:
        features = module.forward_head(module.forward_features(images), pre_logits=True)
    output = module(images)
    return {"logits": first_tensor(next(iter(output.values())) if isinstance(output, dict) else output),
            "features": features}


def classifier_of(module, reference: dict) -> dict:
    """Weight and bias of the linear layer that makes the logits of the features, where there is one."""
    import torch

    for layer in module.modules():
        if not isinstance(layer, torch.nn.Linear) or layer.in_features != reference["features"].shape[-1]:
            continue
        logits = torch.nn.functional.linear(reference["features"], layer.weight, layer.bias)
        if logits.shape == reference["logits"].shape and torch.allclose(logits, reference["logits"], 1e-5, 1e-6):
            bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
            return {"weight": layer.weight, "bias": bias}
    return {}


def compute_reference(module, network: Network) -> dict:
    import export_backbones
    import torch

    images, images3 = (export_backbones.photos(n, network.side, seed=n + 2) for n in (2, 3))
    reference = {"images": images, "images3": images3}
    reference |= outputs(module, network, images)
    reference |= {f"{key}3": value for key, value in outputs(module, network, images3).items()}
    reference |= classifier_of(module, reference)
    reference = {key: value.detach().float().contiguous().clone() for key, value in reference.items()}
    features = reference["features3"]
    if (features[0] - features[1]).abs().max() < 0.05 * features.std():
        raise RuntimeError(f"{network.name}: the images hardly change its features, so it would test nothing")
    norms = [layer for layer in module.modules() if getattr(layer, "running_var", None) is not None]
    return reference | {"batch_norm": torch.tensor(bool(norms))}


def check(network: Network, kind: str, file, reference: dict, dtype) -> None:
    """The file answers as the Python module does."""
    import torch
    from backbones.torchscript_file import first_tensor

    images, logits = (reference["images"], reference["logits"])
    if network.batch == 0:
        images, logits = reference["images3"], reference["logits3"]
    output = file(images.to(dtype))
    output = first_tensor(next(iter(output.values())) if isinstance(output, dict) else output).float()
    tolerance = 1e-3 if dtype == torch.float32 else 0.1
    worst = float((output - logits).abs().max()) / float(logits.abs().max())
    if not worst <= tolerance:
        raise RuntimeError(f"{network.name}: its {kind} file differs from the module by {worst:.1e}, relative")


def script(module):
    """Scripted, and such that it can be saved: some call Python that only saving meets."""
    import torch

    scripted = torch.jit.script(module)
    torch.jit.save(scripted, io.BytesIO())
    return scripted


def compile_module(module, scriptable_module, network: Network, images) -> dict:
    """The network's files by kind."""
    import torch

    files = {}
    try:
        scripted = script(scriptable_module)
    except Exception as error:  # the compiler raises many types, plain RuntimeError among them
        if network.scriptable:
            raise RuntimeError(f"{network.name} does not script: {str(error).strip()[:500]}") from error
    else:
        if not network.scriptable and network.batch == 0:
            raise RuntimeError(f"{network.name} scripts: take its mark off in networks.py")
        files = {SCRIPTED: scripted} if network.scriptable else {}
    strict = not isinstance(module(images), dict)
    files[TRACED] = torch.jit.trace(module, images, check_trace=False, strict=strict)
    return files | {f"{kind}-frozen": torch.jit.freeze(file) for kind, file in files.items()}


def export(folder: pathlib.Path, network: Network) -> None:
    import export_backbones
    import torch

    dtype = getattr(torch, network.dtype)
    module = build(network, scriptable=False)
    export_backbones.randomise(module, network.side)
    module.to(dtype).float()  # the reference has the file's weights
    reference = compute_reference(module, network)
    scriptable = module
    if network.origin == "timm":
        scriptable = build(network, scriptable=True)
        scriptable.load_state_dict(module.state_dict())
    module.to(dtype)
    scriptable.to(dtype)
    files = compile_module(module, scriptable, network, reference["images"].to(dtype))
    for kind, file in files.items():
        check(network, kind, file, reference, dtype)
        file.save(str(folder / f"{network.name}.{kind}.pt"))
    partial = folder / f"{network.name}.reference.partial"
    torch.save(reference, partial)
    os.replace(partial, reference_path(folder, network))


def export_missing(folder: pathlib.Path, wanted) -> list[str]:
    """Exports what is not there yet. Returns what went wrong, one line a network."""
    missing = [network for network in wanted if not is_complete(folder, network)]
    if not missing:
        return []  # before torch is imported, which takes seconds
    prepare()
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for network in missing:
        try:
            with torch.no_grad():
                export(folder, network)
            print(f"zoo: {network.name}", flush=True)
        except Exception as error:  # one network's trouble is no reason to leave out the others
            problems.append(f"{network.name}: {type(error).__name__}: {' '.join(str(error).split())[:400]}")
            print(f"zoo: FAILED {problems[-1]}", flush=True)
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="only these networks")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {network.name for network in NETWORKS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    wanted = [network for network in NETWORKS if not arguments.names or network.name in arguments.names]
    return 1 if export_missing(arguments.folder, wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
