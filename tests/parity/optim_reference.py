"""Writes what torch.optim, its schedulers, gradient clipping and timm.optim compute, for tests/optim to compare with.

usage: optim_reference.py FOLDER   (writes FOLDER/optim/optimizers.pt, sam.pt, schedules.pt, clip.pt, penalties.pt, lbfgs.pt
and newton.pt)
"""
import inspect
import json
import math
import pathlib
import sys

import scipy.optimize
import torch
from torch.nn import utils as nn_utils
from torch.optim import lr_scheduler

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from backbones import torchvision_operators  # noqa: E402

torchvision_operators.provide()
import timm.optim  # noqa: E402
from timm.utils import agc  # noqa: E402

STEPS = 50

# name: (recipe's optimizer, recipe's schedule)
OPTIMIZERS = {
    "sgd": ({"sgd": {"lr": 0.1}}, "constant"),
    "sgd_momentum": ({"sgd": {"lr": 0.05, "momentum": 0.9}}, "constant"),
    "sgd_dampening": ({"sgd": {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}}, "constant"),
    "sgd_nesterov": ({"sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}}, "constant"),
    "sgd_decay": ({"sgd": {"lr": 0.1, "weight_decay": 0.1}}, "constant"),
    "sgd_one_cycle": ({"sgd": {"lr": 0.1, "momentum": 0.9}}, {"one_cycle": {}}),
    "adamw": ({"adamw": {}}, "constant"),
    "adamw_options": ({"adamw": {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}}, "constant"),
    "adamw_amsgrad": ({"adamw": {"lr": 0.02, "betas": [0.5, 0.8], "amsgrad": True}}, "constant"),
    "adamw_no_decay": ({"adamw": {"lr": 0.02, "weight_decay": 0.0}}, "constant"),
    "adamw_one_cycle": ({"adamw": {"lr": 0.02}}, {"one_cycle": {"three_phase": True}}),
    "adam": ({"adam": {}}, "constant"),
    "adam_options": ({"adam": {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}}, "constant"),
    "adam_amsgrad": ({"adam": {"lr": 0.02, "betas": [0.5, 0.8], "amsgrad": True}}, "constant"),
    "adam_cyclic": ({"adam": {"lr": 0.02, "weight_decay": 0.1}},
                    {"cyclic": {"base_lr": 0.002, "step_size_up": 0.2, "step_size_down": 0.3}}),
    "nadam": ({"nadam": {}}, "constant"),
    "nadam_options": ({"nadam": {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1,
                                 "momentum_decay": 0.1}}, "constant"),
    "nadam_decoupled": ({"nadam": {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}}, "constant"),
    "nadam_one_cycle": ({"nadam": {"lr": 0.02}}, {"one_cycle": {}}),
    "radam": ({"radam": {}}, "constant"),
    "radam_options": ({"radam": {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}}, "constant"),
    "radam_decoupled": ({"radam": {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}}, "constant"),
    "radam_short_memory": ({"radam": {"lr": 0.02, "betas": [0.9, 0.5]}}, "constant"),
    "radam_one_cycle": ({"radam": {"lr": 0.02}}, {"one_cycle": {}}),
    "adamax": ({"adamax": {}}, "constant"),
    "adamax_options": ({"adamax": {"lr": 0.02, "betas": [0.8, 0.5], "eps": 1e-2, "weight_decay": 0.1}}, "constant"),
    "adamax_one_cycle": ({"adamax": {"lr": 0.02}}, {"one_cycle": {}}),
    "adagrad": ({"adagrad": {}}, "constant"),
    "adagrad_options": ({"adagrad": {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1,
                                     "initial_accumulator_value": 0.2, "eps": 1e-3}}, "cosine"),
    "rmsprop": ({"rmsprop": {}}, "constant"),
    "rmsprop_momentum": ({"rmsprop": {"lr": 0.005, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1}}, "constant"),
    "rmsprop_centered": ({"rmsprop": {"lr": 0.005, "eps": 1e-3, "centered": True, "weight_decay": 0.1}}, "constant"),
    "rmsprop_centered_momentum": ({"rmsprop": {"centered": True, "momentum": 0.5}}, "constant"),
    "rmsprop_one_cycle": ({"rmsprop": {"lr": 0.005, "momentum": 0.9}}, {"one_cycle": {}}),
    "adadelta": ({"adadelta": {}}, "constant"),
    "adadelta_options": ({"adadelta": {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}}, "cosine"),
    "lion": ({"lion": {}}, "constant"),
    "lion_options": ({"lion": {"lr": 0.01, "betas": [0.8, 0.95], "weight_decay": 0.1}}, "constant"),
    "lion_one_cycle": ({"lion": {"lr": 0.01}}, {"one_cycle": {}}),
    "lookahead": ({"lookahead": {}}, "constant"),
    "lookahead_sgd": ({"lookahead": {"k": 5, "alpha": 0.8, "optimizer": {"sgd": {"lr": 0.05}}}}, "constant"),
    "lookahead_momentum": ({"lookahead": {"k": 3, "optimizer": {"sgd": {"lr": 0.05, "momentum": 0.9,
                                                                        "weight_decay": 0.1}}}}, "cosine"),
    "lookahead_every_step": ({"lookahead": {"k": 1, "alpha": 0.25, "optimizer": {"radam": {"lr": 0.02}}}}, "constant"),
    "lookahead_whole": ({"lookahead": {"alpha": 1.0, "optimizer": {"lion": {"lr": 0.01}}}}, "constant"),
    "lookahead_one_cycle": ({"lookahead": {"k": 4, "optimizer": {"adam": {"lr": 0.02, "amsgrad": True}}}},
                            {"one_cycle": {}}),
}

RULES = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam, "adamax": torch.optim.Adamax, "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop, "adadelta": torch.optim.Adadelta, "lion": timm.optim.Lion,
}

# name: (recipe's schedule, epochs, steps an epoch)
SCHEDULES = {
    "constant": ({"constant": {}}, 2, 30),
    "constant_warm": ({"constant": {"warmup_epochs": 1, "warmup_start": 0.1}}, 2, 30),
    "step": ({"step": {"step_size": 2}}, 7, 9),
    "step_warm": ({"step": {"step_size": 2, "gamma": 0.5, "warmup_epochs": 1.5}}, 7, 10),
    "cosine": ({"cosine": {}}, 6, 10),
    "cosine_floor": ({"cosine": {"eta_min": 0.01}}, 1, 61),
    "cosine_warm": ({"cosine": {"eta_min": 0.01, "warmup_epochs": 1.25, "warmup_start": 0.25}}, 6, 12),
    "cosine_one_step": ({"cosine": {}}, 1, 1),
    "one_cycle": ({"one_cycle": {}}, 4, 16),
    "one_cycle_linear": ({"one_cycle": {"anneal": "linear", "pct_start": 0.25}}, 5, 11),
    "one_cycle_three_phase": ({"one_cycle": {"three_phase": True, "pct_start": 0.4}}, 5, 12),
    "one_cycle_three_linear": ({"one_cycle": {"three_phase": True, "anneal": "linear"}}, 3, 21),
    "one_cycle_options": ({"one_cycle": {"pct_start": 0.1, "div_factor": 10, "final_div_factor": 100,
                                         "base_momentum": 0.7, "max_momentum": 0.9}}, 1, 57),
    "one_cycle_no_momentum": ({"one_cycle": {"cycle_momentum": False}}, 2, 27),
    "one_cycle_no_rise": ({"one_cycle": {"pct_start": 0.0}}, 1, 12),
    "one_cycle_all_rise": ({"one_cycle": {"pct_start": 1.0}}, 1, 12),
    "one_cycle_short_rise": ({"one_cycle": {"pct_start": 0.05}}, 1, 12),
    "one_cycle_one_step": ({"one_cycle": {}}, 1, 1),
    "multi_step": ({"multi_step": {"milestones": [1, 2, 5]}}, 7, 9),
    "multi_step_warm": ({"multi_step": {"milestones": [2, 3], "gamma": 0.5, "warmup_epochs": 1.5}}, 7, 10),
    "multi_step_beyond": ({"multi_step": {"milestones": [1, 50], "gamma": 0.7}}, 3, 5),
    "exponential": ({"exponential": {"gamma": 0.8}}, 7, 9),
    "exponential_warm": ({"exponential": {"gamma": 0.5, "warmup_epochs": 1, "warmup_start": 0.5}}, 4, 10),
    "polynomial": ({"polynomial": {}}, 6, 10),
    "polynomial_square": ({"polynomial": {"power": 2.0}}, 1, 61),
    "polynomial_root_warm": ({"polynomial": {"power": 0.5, "warmup_epochs": 1.25}}, 6, 12),
    "polynomial_one_step": ({"polynomial": {"power": 0.9}}, 1, 1),
    "restarts": ({"cosine_warm_restarts": {"T_0": 2}}, 7, 9),
    "restarts_longer": ({"cosine_warm_restarts": {"T_0": 1, "T_mult": 2, "eta_min": 0.01}}, 9, 8),
    "restarts_thrice": ({"cosine_warm_restarts": {"T_0": 2, "T_mult": 3}}, 9, 8),
    "restarts_warm": ({"cosine_warm_restarts": {"T_0": 1, "T_mult": 2, "warmup_epochs": 1.5}}, 9, 8),
    "stable_decay": ({"warmup_stable_decay": {}}, 5, 11),
    "stable_decay_warm": ({"warmup_stable_decay": {"eta_min": 0.01, "warmup_epochs": 0.5, "warmup_start": 0.1}}, 4, 16),
    "stable_decay_linear": ({"warmup_stable_decay": {"decay": "linear", "decay_fraction": 0.5}}, 3, 21),
    "stable_decay_cosine": ({"warmup_stable_decay": {"decay": "cosine", "decay_fraction": 1.0, "eta_min": 0.1}}, 2, 15),
    "stable_decay_short": ({"warmup_stable_decay": {"decay_fraction": 0.001}}, 1, 12),
    "stable_decay_one_step": ({"warmup_stable_decay": {}}, 1, 1),
    "cyclic": ({"cyclic": {"base_lr": 0.05, "step_size_up": 1}}, 7, 9),
    "cyclic_uneven": ({"cyclic": {"base_lr": 0.0, "step_size_up": 0.5, "step_size_down": 2}}, 6, 10),
    "cyclic_halved": ({"cyclic": {"base_lr": 0.05, "step_size_up": 1, "step_size_down": 0.7, "mode": "triangular2",
                                  "base_momentum": 0.6, "max_momentum": 0.95}}, 8, 10),
    "cyclic_exponential": ({"cyclic": {"base_lr": 0.01, "step_size_up": 1.3, "mode": "exp_range", "gamma": 0.98}},
                           7, 9),
    "cyclic_no_momentum": ({"cyclic": {"base_lr": 0.1, "step_size_up": 0.01, "step_size_down": 1,
                                       "cycle_momentum": False}}, 2, 27),
}

# name: (recipe's schedule, whether more is better)
PLATEAUS = {
    "plateau": ({"reduce_on_plateau": {}}, True),
    "plateau_impatient": ({"reduce_on_plateau": {"patience": 0, "factor": 0.5}}, True),
    "plateau_loss": ({"reduce_on_plateau": {"patience": 2, "factor": 0.3, "threshold": 0.1}}, False),
    "plateau_absolute": ({"reduce_on_plateau": {"patience": 1, "threshold": 0.2, "threshold_mode": "abs"}}, True),
    "plateau_absolute_loss": ({"reduce_on_plateau": {"patience": 1, "factor": 0.5, "threshold": 0.2,
                                                     "threshold_mode": "abs"}}, False),
    "plateau_cooldown": ({"reduce_on_plateau": {"patience": 1, "factor": 0.5, "cooldown": 3}}, True),
    "plateau_floor": ({"reduce_on_plateau": {"patience": 0, "factor": 0.5, "min_lr": 0.03, "eps": 0.05}}, False),
}

# round optimizers of the table
SAMS = {
    "sam": {"sam": {"optimizer": {"sgd": {"lr": 0.1}}}},
    "sam_wide": {"sam": {"rho": 2.0, "optimizer": {"sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}}}},
    "sam_adamw": {"sam": {"rho": 0.5}},
    "adaptive": {"sam": {"rho": 0.5, "adaptive": True, "optimizer": {"sgd": {"lr": 0.1, "momentum": 0.9}}}},
    "adaptive_adam": {"sam": {"rho": 2.0, "adaptive": True, "optimizer": {"adam": {"lr": 0.02}}}},
}
SAM_STEPS = 20

# of parameters of several shapes and types; "double" is float64
CLIPS = {
    "norm": {"norm": 1.0}, "norm_wide": {"norm": 1e4}, "norm_tight": {"norm": 1e-3},
    "value": {"value": 0.5}, "value_tight": {"value": 1e-6}, "value_wide": {"value": 1e3},
    "adaptive": {"adaptive": 0.01}, "adaptive_wide": {"adaptive": 3.0}, "none": "none",
}

PENALTIES = {
    "l1": {"l1": {}}, "l1_all": {"l1": {"alpha": 0.3, "biases": True}},
    "l2": {"l2": {}}, "l2_all": {"l2": {"alpha": 0.3, "biases": True}},
    "elasticnet": {"elasticnet": {}}, "elasticnet_all": {"elasticnet": {"alpha": 0.3, "l1_ratio": 0.7, "biases": True}},
    "l2_sp": {"l2_sp": {}}, "l2_sp_all": {"l2_sp": {"alpha": 0.3, "beta": 2.0, "biases": True}},
    "l2_sp_backbone": {"l2_sp": {"alpha": 0.3, "beta": 0.0}},
}

# name: (recipe's optimizer, how far out the start lies)
SECOND_ORDER = {
    "newton_cg": ({"newton_cg": {}}, 1), "newton_cg_far": ({"newton_cg": {}}, 3),
    "gauss_newton": ({"gauss_newton": {}}, 1), "gauss_newton_far": ({"gauss_newton": {}}, 6),
    "levenberg_marquardt": ({"levenberg_marquardt": {}}, 1), "levenberg_marquardt_far": ({"levenberg_marquardt": {}}, 6),
    "levenberg_marquardt_options": ({"levenberg_marquardt": {"lambda": 3.0, "nu": 2.0}}, 6),
}
SECOND_ORDER_STEPS = 8

# name: (function, torch.optim.LBFGS's options); minimised with max_iter 1, 2, 3, … MINIMISER_STEPS
MINIMISERS = {
    "wolfe_rosenbrock": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1000}),
    "wolfe_softmax": ("softmax", {"line_search_fn": "strong_wolfe", "max_eval": 1000}),
    "wolfe_short_history": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1000, "history_size": 2}),
    "wolfe_long_step": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1000, "lr": 40.0}),
    "wolfe_short_step": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1000, "lr": 1e-3}),
    "wolfe_few_evaluations": ("rosenbrock", {"line_search_fn": "strong_wolfe"}),
    "wolfe_no_evaluations": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1}),
    "wolfe_one_evaluation": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 2, "lr": 40.0}),
    "wolfe_wide_bracket": ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_eval": 1000, "lr": 40.0,
                                          "tolerance_change": 1e-2}),
    "wolfe_tolerance_grad": ("softmax", {"line_search_fn": "strong_wolfe", "max_eval": 1000, "tolerance_grad": 1e-2}),
    "wolfe_tolerance_change": ("softmax", {"line_search_fn": "strong_wolfe", "max_eval": 1000,
                                           "tolerance_change": 1e-3}),
    "fixed_softmax": ("softmax", {"max_eval": 1000}),
    "fixed_short": ("softmax", {"max_eval": 1000, "lr": 0.3, "history_size": 3}),
    "fixed_evaluations": ("softmax", {"max_eval": 7}),
}
MINIMISER_STEPS = 40


def text(value):
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def named(value):
    return (value, {}) if isinstance(value, str) else next(iter(value.items()))


def make_optimizer(spec, groups):
    """The optimizer that steps and the one whose groups a scheduler changes: two where the first wraps the second."""
    name, options = named(spec)
    if name == "lookahead":
        inner = make_optimizer(options.get("optimizer", "adamw"), groups)[1]
        return timm.optim.Lookahead(inner, **{key: options[key] for key in ("k", "alpha") if key in options}), inner
    optimizer = RULES[name](groups, foreach=False, **{"lr": learning_rate(spec), **options})
    return optimizer, optimizer


def learning_rate(spec):
    name, options = named(spec)
    if name == "lookahead":
        return learning_rate(options.get("optimizer", "adamw"))
    return options.get("lr", inspect.signature(RULES[name]).parameters["lr"].default)


def stable_decay(lr, steps, decay="sqrt", decay_fraction=0.2, eta_min=0.0):
    """Hu et al. 2024 and, for the length and the shape of the decay, Haegele et al. 2024; a factor of lr."""
    decaying = max(round(decay_fraction * steps), 1)
    shape = {"sqrt": lambda x: 1 - math.sqrt(x), "linear": lambda x: 1 - x,
             "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2}[decay]

    def factor(step):
        progress = min(max(step - (steps - decaying), 0) / decaying, 1)
        return (eta_min + (lr - eta_min) * shape(progress)) / lr
    return factor


def make_scheduler(spec, optimizer, max_lr, epochs, steps_per_epoch):
    name, options = named(spec)
    options = dict(options)
    total = epochs * steps_per_epoch
    warmup = round(options.pop("warmup_epochs", 0) * steps_per_epoch)
    start = options.pop("warmup_start", 0.01)
    if name == "constant":
        main = lr_scheduler.ConstantLR(optimizer, factor=1.0)
    elif name == "step":
        main = lr_scheduler.StepLR(optimizer, options.pop("step_size") * steps_per_epoch, **options)
    elif name == "multi_step":
        milestones = [epoch * steps_per_epoch for epoch in options.pop("milestones")]
        main = lr_scheduler.MultiStepLR(optimizer, milestones, **options)
    elif name == "exponential":  # ExponentialLR, stepped once an epoch
        main = lr_scheduler.StepLR(optimizer, steps_per_epoch, **options)
    elif name == "polynomial":
        main = lr_scheduler.PolynomialLR(optimizer, total - warmup, **options)
    elif name == "cosine":
        main = lr_scheduler.CosineAnnealingLR(optimizer, total - warmup, **options)
    elif name == "cosine_warm_restarts":
        main = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, options.pop("T_0") * steps_per_epoch, **options)
    elif name == "warmup_stable_decay":
        main = lr_scheduler.LambdaLR(optimizer, stable_decay(max_lr, total - warmup, **options))
    elif name == "cyclic":
        up = options.pop("step_size_up")
        sizes = [max(round(epochs * steps_per_epoch), 1) for epochs in (up, options.pop("step_size_down", up))]
        scale = [group / max_lr[0] for group in max_lr] if isinstance(max_lr, list) else 1
        base = options.pop("base_lr")
        base = [base * part for part in scale] if isinstance(scale, list) else base
        main = lr_scheduler.CyclicLR(optimizer, base, max_lr, *sizes, **options)
    else:
        anneal = options.pop("anneal", "cos")
        main = lr_scheduler.OneCycleLR(optimizer, max_lr, total, anneal_strategy=anneal, **options)
    if warmup == 0:
        return main
    ramp = lr_scheduler.LinearLR(optimizer, start_factor=start, total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [ramp, main], milestones=[warmup])


def run_optimizer(optimizer_spec, schedule_spec, initial, gradients):
    """Three groups as a recipe makes them: plain, with a scaled learning rate, without weight decay."""
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in initial.items()}
    lr = learning_rate(optimizer_spec)
    groups = [
        {"params": [parameters["plain"]]},
        {"params": [parameters["scaled"]], "lr": lr * 0.5},
        {"params": [parameters["undecayed"]], "weight_decay": 0.0},
    ]
    optimizer, scheduled = make_optimizer(optimizer_spec, groups)
    scheduler = make_scheduler(schedule_spec, scheduled, [lr, lr * 0.5, lr], 1, STEPS)
    path = {name: [] for name in parameters}
    for step in range(STEPS):
        for name, parameter in parameters.items():
            parameter.grad = gradients[name][step].clone()
        optimizer.step()
        scheduler.step()
        for name, parameter in parameters.items():
            path[name].append(parameter.detach().clone())
    return {name: torch.stack(values) for name, values in path.items()}


def optimizers():
    generator = torch.Generator().manual_seed(1)
    shapes = {"plain": (17, 5), "scaled": (33,), "undecayed": (4, 3, 2)}
    initial = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    gradients = {name: torch.randn((STEPS, *shape), generator=generator) for name, shape in shapes.items()}
    saved = {f"initial/{name}": value for name, value in initial.items()}
    saved.update({f"gradients/{name}": value for name, value in gradients.items()})
    for case, (optimizer_spec, schedule_spec) in OPTIMIZERS.items():
        saved[f"{case}/optimizer"] = text(optimizer_spec)
        saved[f"{case}/schedule"] = text(schedule_spec)
        for name, values in run_optimizer(optimizer_spec, schedule_spec, initial, gradients).items():
            saved[f"{case}/{name}"] = values
    return saved


def highest_nearby(parameters, rho, adaptive):
    """What is added (Foret et al. 2021; Kwon et al. 2021, with the magnitudes of the weights as T)."""
    sizes = [parameter.detach().abs() if adaptive else torch.ones_like(parameter) for parameter in parameters]
    norm = torch.sqrt(sum(((size * parameter.grad)**2).sum() for size, parameter in zip(sizes, parameters)))
    return [rho * size**2 * parameter.grad / norm for size, parameter in zip(sizes, parameters)]


def sams():
    """A small network in float64, its bias at half the learning rate and without weight decay."""
    generator = torch.Generator().manual_seed(9)
    saved = {"features": torch.randn((30, 4), generator=generator, dtype=torch.float64),
             "targets": torch.randint(0, 3, (30,), generator=generator),
             "initial/weight": torch.randn((3, 4), generator=generator, dtype=torch.float64),
             "initial/bias": torch.randn(3, generator=generator, dtype=torch.float64)}
    for case, spec in SAMS.items():
        options = spec["sam"]
        inner = options.get("optimizer", "adamw")
        weight, bias = (torch.nn.Parameter(saved[f"initial/{name}"].clone()) for name in ("weight", "bias"))
        optimizer, _ = make_optimizer(inner, [
            {"params": [weight]}, {"params": [bias], "lr": learning_rate(inner) * 0.5, "weight_decay": 0.0}])

        def gradient():
            optimizer.zero_grad()
            logits = torch.tanh(saved["features"] @ weight.T + bias)
            torch.nn.functional.cross_entropy(logits, saved["targets"]).backward()

        path = []
        for _ in range(SAM_STEPS):
            gradient()
            stood = [weight.detach().clone(), bias.detach().clone()]
            with torch.no_grad():
                for parameter, move in zip((weight, bias), highest_nearby((weight, bias), options.get("rho", 0.05),
                                                                         options.get("adaptive", False))):
                    parameter += move
            gradient()
            with torch.no_grad():
                weight.copy_(stood[0]), bias.copy_(stood[1])
            optimizer.step()
            path.append((weight.detach().clone(), bias.detach().clone()))
        saved[f"{case}/optimizer"] = text(spec)
        saved[f"{case}/weight"] = torch.stack([step[0] for step in path])
        saved[f"{case}/bias"] = torch.stack([step[1] for step in path])
    return saved


def schedules():
    saved = {}
    lr, momentum = 0.4, 0.123
    for case, (spec, epochs, steps_per_epoch) in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)
        scheduler = make_scheduler(spec, optimizer, lr, epochs, steps_per_epoch)
        rows = []
        for _ in range(epochs * steps_per_epoch):
            group = optimizer.param_groups[0]
            rows.append([group["lr"], group["momentum"]])
            optimizer.step()
            if len(rows) < epochs * steps_per_epoch:  # OneCycleLR may divide by zero beyond its end
                scheduler.step()
        saved[f"{case}/schedule"] = text(spec)
        saved[f"{case}/plan"] = torch.tensor([epochs, steps_per_epoch])
        saved[f"{case}/settings"] = torch.tensor(rows, dtype=torch.float64)
    generator = torch.Generator().manual_seed(11)
    epochs, steps_per_epoch = 40, 2
    for case, (spec, more_is_better) in PLATEAUS.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, "max" if more_is_better else "min", **named(spec)[1])
        trend = torch.linspace(0.2, 0.8, epochs, dtype=torch.float64) * (1 if more_is_better else -1)
        measured = 1 + trend + 0.2 * torch.randn(epochs, generator=generator, dtype=torch.float64)
        rows = []
        for value in measured:
            rows += [[optimizer.param_groups[0]["lr"], momentum]] * steps_per_epoch
            scheduler.step(value.item())
        saved[f"{case}/schedule"] = text(spec)
        saved[f"{case}/plan"] = torch.tensor([epochs, steps_per_epoch])
        saved[f"{case}/settings"] = torch.tensor(rows, dtype=torch.float64)
        saved[f"{case}/measured"], saved[f"{case}/more_is_better"] = measured, torch.tensor(more_is_better)
    saved["lr"] = torch.tensor(lr, dtype=torch.float64)
    saved["momentum"] = torch.tensor(momentum, dtype=torch.float64)
    return saved


def clips():
    generator = torch.Generator().manual_seed(5)
    shapes = {"linear": (6, 5), "conv": (4, 3, 2, 2), "bias": (7,), "scalar": (), "double": (3, 4)}
    saved, parameters = {}, {}
    for name, shape in shapes.items():
        dtype = torch.float64 if name == "double" else torch.float32
        weight = torch.randn(shape, generator=generator, dtype=dtype)
        gradient = torch.randn(shape, generator=generator, dtype=dtype)
        if name == "linear":
            weight[2], gradient[3] = 0, 0  # an output that has no weights yet, and one that has no gradient
        saved[f"parameters/{name}"], saved[f"gradients/{name}"] = weight, gradient
        parameters[name] = torch.nn.Parameter(weight.clone())
    for case, spec in CLIPS.items():
        for name, parameter in parameters.items():
            parameter.grad = saved[f"gradients/{name}"].clone()
        name, limit = (spec, 0) if spec == "none" else next(iter(spec.items()))
        clip = {"norm": nn_utils.clip_grad_norm_, "value": nn_utils.clip_grad_value_,
                "adaptive": agc.adaptive_clip_grad, "none": lambda *_: None}
        clip[name](list(parameters.values()), limit)
        saved[f"{case}/clip"] = text(spec)
        for name, parameter in parameters.items():
            saved[f"{case}/{name}"] = parameter.grad.clone()
    return saved


def penalty_value(name, parameters, pretrained, alpha=None, beta=0.01, l1_ratio=0.15, biases=False):
    """scikit-learn's formulas for SGDClassifier; Li et al. 2018."""
    alpha = (0.01 if name == "l2_sp" else 1e-4) if alpha is None else alpha
    value = torch.zeros((), dtype=torch.float64)
    for key, w in parameters.items():
        if key.endswith("bias") and not biases:
            continue
        ratio = {"l1": 1.0, "elasticnet": l1_ratio}.get(name, 0.0)
        strength = beta if name == "l2_sp" and key.startswith("head.") else alpha
        origin = pretrained.get(key, 0.0) if name == "l2_sp" else 0.0
        value = value + strength * (ratio * w.abs().sum() + (1 - ratio) / 2 * ((w - origin)**2).sum())
    return value


def penalties():
    generator = torch.Generator().manual_seed(12)
    shapes = {"head.weight": (3, 4), "head.bias": (3,), "backbone.weight": (4, 3, 2, 2), "backbone.bias": (4,)}
    start = {key: torch.randn(shape, generator=generator, dtype=torch.float64) for key, shape in shapes.items()}
    pretrained = {key: torch.randn(shape, generator=generator, dtype=torch.float64)
                  for key, shape in shapes.items() if key.startswith("backbone.")}
    saved = {**{f"parameters/{key}": value for key, value in start.items()},
             **{f"pretrained/{key}": value for key, value in pretrained.items()}}
    for case, spec in PENALTIES.items():
        (name, options), = spec.items()
        parameters = {key: value.clone().requires_grad_() for key, value in start.items()}
        value = penalty_value(name, parameters, pretrained, **options)
        value.backward()
        saved[f"{case}/penalty"], saved[f"{case}/value"] = text(spec), value.detach()
        for key, parameter in parameters.items():
            saved[f"{case}/{key}"] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return saved


def minimisers():
    generator = torch.Generator().manual_seed(7)
    features = torch.randn((30, 4), generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (30,), generator=generator)
    starts = {"rosenbrock": torch.tensor([-1.2, 1.0, -0.5, 2.0, 0.3, -1.0], dtype=torch.float64),
              "softmax": torch.randn(12, generator=generator, dtype=torch.float64)}
    functions = {
        "rosenbrock": lambda x: (100 * (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2).sum(),
        "softmax": lambda x: torch.nn.functional.cross_entropy(features @ x.view(3, 4).T, targets) + 0.01 * (x**2).sum(),
    }
    saved = {"features": features, "targets": targets, **{f"start/{name}": x for name, x in starts.items()}}
    for case, (function, options) in MINIMISERS.items():
        points, evaluations = [], []
        for max_iter in range(1, MINIMISER_STEPS + 1):
            point = starts[function].clone().requires_grad_()
            optimizer = torch.optim.LBFGS([point], max_iter=max_iter, **options)

            def closure():
                optimizer.zero_grad()
                value = functions[function](point)
                value.backward()
                return value

            optimizer.step(closure)
            points.append(point.detach().clone())
            evaluations.append(optimizer.state[point]["func_evals"])
        saved[f"{case}/function"], saved[f"{case}/options"] = text(function), text(options)
        saved[f"{case}/points"], saved[f"{case}/evaluations"] = torch.stack(points), torch.tensor(evaluations)
    return saved


def softmax_problem(features, targets):
    """The functions of linear weights [3, 4] in one vector: value, gradient and generalised Gauss-Newton matrix, the
    curvature of cross-entropy between the Jacobians of the logits."""
    rows, width, classes = len(features), features.shape[1], 3
    jacobian = torch.zeros((rows, classes, classes * width), dtype=torch.float64)
    for k in range(classes):
        jacobian[:, k, k * width:(k + 1) * width] = features
    truth = torch.nn.functional.one_hot(targets, classes).double()

    def value(x):
        log_p = (jacobian @ x).log_softmax(1)
        return (-(truth * log_p).sum() / rows + 0.01 * (x**2).sum()).item()

    def gradient(x):
        return torch.einsum("nk,nkd->d", (jacobian @ x).softmax(1) - truth, jacobian) / rows + 0.02 * x

    def curvature(x):
        p = (jacobian @ x).softmax(1)
        inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        return torch.einsum("nkd,nkl,nle->de", jacobian, inner, jacobian) / rows + 0.02 * torch.eye(len(x)).double()

    return value, gradient, curvature


def scipy_walk(problem, start, steps):
    value, gradient, curvature = problem
    points = []
    for maxiter in range(1, steps + 1):
        found = scipy.optimize.minimize(
            lambda x: value(torch.from_numpy(x)), start.numpy(), method="Newton-CG",
            jac=lambda x: gradient(torch.from_numpy(x)).numpy(),
            hessp=lambda x, v: (curvature(torch.from_numpy(x)) @ torch.from_numpy(v)).numpy(),
            options={"maxiter": maxiter, "xtol": 1e-15})
        points.append(torch.from_numpy(found.x))
    return points


def gauss_newton_walk(problem, start, steps):
    """Whole steps, halved until the value falls by 1e-4 of what the slope promises."""
    value, gradient, curvature = problem
    x, points = start.clone(), []
    for _ in range(steps):
        step = -torch.linalg.solve(curvature(x), gradient(x))
        part = 1.0
        while value(x + part * step) > value(x) + 1e-4 * part * (gradient(x) @ step).item() and part > 1e-8:
            part /= 2
        x = x + part * step
        points.append(x)
    return points


def levenberg_marquardt_walk(problem, start, steps, nu=10.0, **options):
    value, gradient, curvature = problem
    damping, x, points = options.get("lambda", 0.01), start.clone(), []
    for _ in range(steps):
        step = -torch.linalg.solve(curvature(x) + damping * torch.eye(len(x)).double(), gradient(x))
        falls = value(x + step) < value(x)
        x, damping = (x + step, damping / nu) if falls else (x, damping * nu)
        points.append(x)
    return points


def second_order():
    generator = torch.Generator().manual_seed(13)
    features = torch.randn((30, 4), generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 3, (30,), generator=generator)
    start = torch.randn(12, generator=generator, dtype=torch.float64)
    saved = {"features": features, "targets": targets}
    walks = {"newton_cg": scipy_walk, "gauss_newton": gauss_newton_walk, "levenberg_marquardt": levenberg_marquardt_walk}
    for case, (spec, distance) in SECOND_ORDER.items():
        name, options = named(spec)
        points = walks[name](softmax_problem(features, targets), distance * start, SECOND_ORDER_STEPS, **options)
        saved[f"{case}/optimizer"], saved[f"{case}/start"] = text(spec), distance * start
        saved[f"{case}/points"] = torch.stack(points)
    return saved


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) / "optim"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(optimizers(), folder / "optimizers.pt")
    torch.save(sams(), folder / "sam.pt")
    torch.save(schedules(), folder / "schedules.pt")
    torch.save(clips(), folder / "clip.pt")
    torch.save(penalties(), folder / "penalties.pt")
    torch.save(minimisers(), folder / "lbfgs.pt")
    torch.save(second_order(), folder / "newton.pt")
