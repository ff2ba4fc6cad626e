"""Writes what torch.nn's layers compute, for tests/head to compare with.

usage: head_reference.py FOLDER   (writes FOLDER/head/layers.pt and FOLDER/head/activations.pt)
"""
import json
import pathlib
import sys
from collections import OrderedDict

import torch
from torch import nn

STEPS = 5
FEATURES, CLASSES = 11, 3

ACTIVATIONS = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU, "rrelu": nn.RReLU,
    "elu": nn.ELU, "selu": nn.SELU, "celu": nn.CELU, "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish, "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "softplus": nn.Softplus,
}

# The recipe's head, and the same in torch.nn under the names that Graft gives.
HEAD = [
    {"batch_norm": {}}, {"linear": 6, "bias": False}, {"activation": "gelu"},
    {"batch_norm": {"momentum": 0.3, "eps": 0.01}}, {"activation": "prelu"}, {"linear": "classes"},
]


def twin():
    return nn.Sequential(
        OrderedDict([
            ("batch_norm_0", nn.BatchNorm1d(FEATURES)),
            ("linear_1", nn.Linear(FEATURES, 6, bias=False)),
            ("activation_2", nn.GELU()),
            ("batch_norm_3", nn.BatchNorm1d(6, momentum=0.3, eps=0.01)),
            ("activation_4", nn.PReLU()),
            ("linear_5", nn.Linear(6, CLASSES)),
        ]))


def layers():
    torch.manual_seed(2)
    model = twin()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7 + 0.1)
    saved = {"head": torch.tensor(list(json.dumps(HEAD).encode()), dtype=torch.uint8)}
    saved.update({f"initial/{name}": value.detach().clone() for name, value in model.named_parameters()})
    for step in range(STEPS):
        x = (torch.randn(8, FEATURES) * 2 + 1).requires_grad_()
        weights = torch.randn(8, CLASSES)
        model.train()
        model.zero_grad()
        y = model(x)
        (y * weights).sum().backward()
        saved.update({f"{step}/x": x.detach().clone(), f"{step}/weights": weights, f"{step}/y": y.detach().clone(),
                      f"{step}/gradient/x": x.grad.clone()})
        saved.update({f"{step}/gradient/{name}": value.grad.clone() for name, value in model.named_parameters()})
        saved.update({f"{step}/buffer/{name}": value.clone() for name, value in model.named_buffers()})
        model.eval()
        saved[f"{step}/evaluated"] = model(x).detach().clone()
    return saved


def activations():
    saved = {"x": torch.linspace(-8, 8, 129).reshape(-1, 3)}
    for name, module in ACTIVATIONS.items():
        x = saved["x"].clone().requires_grad_()
        y = module().eval()(x)
        y.sum().backward()
        saved[f"{name}/y"] = y.detach().clone()
        saved[f"{name}/gradient"] = x.grad.clone()
    return saved


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) / "head"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(layers(), folder / "layers.pt")
    torch.save(activations(), folder / "activations.pt")
