"""Writes what torch.nn's layers, activations and initialisations and scikit-learn's whitening compute, for tests/head to compare with.

usage: head_reference.py FOLDER   (writes FOLDER/head/layers.pt, activations.pt, inits.pt, lsuv.pt and whitenings.pt)
"""
import json
import pathlib
import sys
from collections import OrderedDict

import torch
from sklearn.decomposition import PCA
from torch import nn

STEPS = 5
FEATURES, CLASSES = 11, 3

# Of the recipe -> of PyTorch.
ACTIVATIONS = [
    ("relu", nn.ReLU()), ("relu6", nn.ReLU6()), ("leaky_relu", nn.LeakyReLU()), ({"leaky_relu": {"negative_slope": 0.3}}, nn.LeakyReLU(0.3)),
    ("prelu", nn.PReLU()), ({"prelu": {"init": -0.5}}, nn.PReLU(init=-0.5)), ("rrelu", nn.RReLU()),
    ({"rrelu": {"lower": 0.2, "upper": 0.4}}, nn.RReLU(0.2, 0.4)), ("elu", nn.ELU()), ({"elu": {"alpha": 0.5}}, nn.ELU(0.5)), ("selu", nn.SELU()),
    ("celu", nn.CELU()), ({"celu": {"alpha": 2}}, nn.CELU(2.0)), ("gelu", nn.GELU()), ({"gelu": {"approximate": "tanh"}}, nn.GELU("tanh")),
    ("silu", nn.SiLU()), ("mish", nn.Mish()), ("hardswish", nn.Hardswish()), ("hardsigmoid", nn.Hardsigmoid()), ("sigmoid", nn.Sigmoid()),
    ("tanh", nn.Tanh()), ("softplus", nn.Softplus()), ({"softplus": {"beta": 3, "threshold": 5}}, nn.Softplus(3, 5)), ("glu", nn.GLU()),
    ("maxout", lambda x: torch.stack([x[:, 0::2], x[:, 1::2]]).max(0).values),
    ({"maxout": {"pieces": 3}}, lambda x: torch.stack([x[:, 0::3], x[:, 1::3], x[:, 2::3]]).max(0).values),
]

INIT = nn.init
INITS = [
    ("kaiming_uniform", INIT.kaiming_uniform_, {}),
    ({"kaiming_uniform": {"a": 0.3, "mode": "fan_out"}}, INIT.kaiming_uniform_, {"a": 0.3, "mode": "fan_out"}),
    ({"kaiming_uniform": {"nonlinearity": "tanh"}}, INIT.kaiming_uniform_, {"nonlinearity": "tanh"}),
    ("kaiming_normal", INIT.kaiming_normal_, {}),
    ({"kaiming_normal": {"nonlinearity": "selu"}}, INIT.kaiming_normal_, {"nonlinearity": "selu"}),
    ({"kaiming_normal": {"mode": "fan_out", "nonlinearity": "sigmoid"}}, INIT.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "sigmoid"}),
    ({"kaiming_normal": {"nonlinearity": "relu"}}, INIT.kaiming_normal_, {"nonlinearity": "relu"}),
    ({"kaiming_normal": {"nonlinearity": "linear"}}, INIT.kaiming_normal_, {"nonlinearity": "linear"}),
    ("xavier_uniform", INIT.xavier_uniform_, {}), ({"xavier_uniform": {"gain": 1.5}}, INIT.xavier_uniform_, {"gain": 1.5}),
    ("xavier_normal", INIT.xavier_normal_, {}), ({"xavier_normal": {"gain": 0.5}}, INIT.xavier_normal_, {"gain": 0.5}),
    ("normal", INIT.normal_, {"std": 0.01}), ({"normal": {"mean": 0.5, "std": 2}}, INIT.normal_, {"mean": 0.5, "std": 2.0}),
    ("trunc_normal", INIT.trunc_normal_, {"std": 0.02}),
    ({"trunc_normal": {"mean": 0.1, "std": 1, "a": -0.5, "b": 1}}, INIT.trunc_normal_, {"mean": 0.1, "std": 1.0, "a": -0.5, "b": 1.0}),
    ("orthogonal", INIT.orthogonal_, {}), ({"orthogonal": {"gain": 3}}, INIT.orthogonal_, {"gain": 3.0}),
    ("lsuv", INIT.orthogonal_, {}),
    ("zeros", lambda weight, generator: INIT.zeros_(weight), {}),
]

# The recipe's head, and the same in torch.nn under the names that Graft gives.
HEAD = [
    {"batch_norm": {}}, {"linear": 6, "bias": False}, {"activation": "gelu"},
    {"batch_norm": {"momentum": 0.3, "eps": 0.01}}, {"activation": "prelu"}, {"layer_norm": {"eps": 0.02}}, {"linear": 8},
    {"alpha_dropout": 0}, {"activation": "maxout"}, {"cosine": "classes", "scale": 4},
]


class Cosine(nn.Module):
    """Gidaris and Komodakis 2018, equation 3."""

    def __init__(self, features, classes, scale):
        super().__init__()
        self.weight, self.scale = nn.Parameter(torch.empty(classes, features)), nn.Parameter(torch.tensor([scale]))

    def forward(self, x):
        return nn.functional.normalize(x) @ nn.functional.normalize(self.weight).T * self.scale


class Maxout(nn.Module):

    def forward(self, x):
        return torch.stack([x[:, 0::2], x[:, 1::2]]).max(0).values


def twin():
    return nn.Sequential(
        OrderedDict([
            ("batch_norm_0", nn.BatchNorm1d(FEATURES)),
            ("linear_1", nn.Linear(FEATURES, 6, bias=False)),
            ("activation_2", nn.GELU()),
            ("batch_norm_3", nn.BatchNorm1d(6, momentum=0.3, eps=0.01)),
            ("activation_4", nn.PReLU()),
            ("layer_norm_5", nn.LayerNorm(6, eps=0.02)),
            ("linear_6", nn.Linear(6, 8)),
            ("alpha_dropout_7", nn.AlphaDropout(0)),
            ("activation_8", Maxout()),
            ("cosine_9", Cosine(4, CLASSES, 4.0)),
        ]))


def text(value):
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def layers():
    torch.manual_seed(2)
    model = twin()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7 + 0.1)
    saved = {"head": text(HEAD)}
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
    saved = {"x": torch.linspace(-8, 8, 132).reshape(-1, 6)}
    for i, (spec, module) in enumerate(ACTIVATIONS):
        x = saved["x"].clone().requires_grad_()
        y = (module.eval() if isinstance(module, nn.Module) else module)(x)
        y.sum().backward()
        saved.update({f"{i}/spec": text(spec), f"{i}/y": y.detach().clone(), f"{i}/gradient": x.grad.clone()})
    return saved


def inits():
    saved = {}
    for i, (spec, fill, options) in enumerate(INITS):
        for shape in ((40, 30), (30, 40)):
            weight = fill(torch.empty(shape), generator=torch.Generator().manual_seed(i), **options)
            saved.update({f"{i}, {shape}/weight": weight, f"{i}, {shape}/spec": text(spec), f"{i}, {shape}/seed": torch.tensor(i)})
    torch.manual_seed(99)
    layer = nn.Linear(30, 40)
    saved.update({"default/weight": layer.weight.detach(), "default/bias": layer.bias.detach(), "default/spec": text("default"),
                  "default/seed": torch.tensor(99)})
    return saved


def lsuv():
    """Mishkin and Matas 2016, algorithm 1, in float64: dropout left out, BatchNorm by the batch."""
    head = [{"dropout": 0.5}, {"linear": 8, "init": {"lsuv": {"tol": 0.001}}}, {"activation": "gelu"}, {"batch_norm": {}},
            {"activation": "relu"}, {"linear": 6, "bias": False, "init": "lsuv"},
            {"linear": "classes", "bias": 0.75, "init": {"lsuv": {"tol": 0.001, "max_iter": 1}}}]
    generator = torch.Generator().manual_seed(4)
    features = (torch.randn(40, FEATURES, generator=generator) * 3 + 1)
    shapes = {"linear_1": (8, FEATURES), "linear_5": (6, 8), "linear_6": (CLASSES, 6)}
    saved = {"head": text(head), "features": features}
    x = features.double()
    for i, layer in enumerate(head):
        kind = next(iter(layer))
        if kind == "batch_norm":
            x = nn.functional.batch_norm(x, None, None, training=True)
        if kind == "activation":
            x = x.relu() if layer[kind] == "relu" else nn.functional.gelu(x)
        if kind != "linear":
            continue
        name = f"linear_{i}"
        weight = nn.init.orthogonal_(torch.empty(shapes[name]), generator=generator)
        saved[f"{name}/start"], weight = weight.clone(), weight.double()
        bias = layer.get("bias", 0.0) or 0.0
        options = layer["init"]["lsuv"] if isinstance(layer["init"], dict) else {}
        for _ in range(options.get("max_iter", 10)):
            variance = (x @ weight.T + bias).var(correction=0)
            if abs(variance - 1) < options.get("tol", 0.1):
                break
            weight = weight / variance.sqrt()
        saved[f"{name}/weight"] = weight
        x = x @ weight.T + bias
    return saved


def whitenings():
    """scikit-learn's PCA(whiten=True), which has no eps, and U (variances + eps)^-1/2 U^T (Bell and Sejnowski 1997)."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(200, FEATURES, generator=generator) @ torch.randn(FEATURES, FEATURES, generator=generator) + 3
    wide = x.double()
    saved = {"x": x, "pca/spec": text({"whiten": "pca", "eps": 0}),
             "pca/y": torch.as_tensor(PCA(whiten=True, svd_solver="full").fit_transform(wide.numpy()))}
    variances, vectors = torch.linalg.eigh(torch.cov(wide.T))
    for case, eps in {"zca": 1e-5, "zca_soft": 0.5}.items():
        matrix = vectors @ ((variances + eps)**-0.5).diag() @ vectors.T
        saved.update({f"{case}/spec": text({"whiten": "zca", "eps": eps}), f"{case}/y": (wide - wide.mean(0)) @ matrix})
    return saved


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) / "head"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(layers(), folder / "layers.pt")
    torch.save(activations(), folder / "activations.pt")
    torch.save(inits(), folder / "inits.pt")
    torch.save(lsuv(), folder / "lsuv.pt")
    torch.save(whitenings(), folder / "whitenings.pt")
