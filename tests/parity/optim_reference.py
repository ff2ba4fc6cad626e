"""Writes what torch.optim and its schedulers compute, for tests/optim to compare with.

usage: optim_reference.py FOLDER   (writes FOLDER/optim/optimizers.pt and FOLDER/optim/schedules.pt)
"""
import json
import pathlib
import sys

import torch
from torch.optim import lr_scheduler

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
}


def text(value):
    return torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)


def named(value):
    return (value, {}) if isinstance(value, str) else next(iter(value.items()))


def make_optimizer(spec, groups):
    name, options = named(spec)
    rule = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name]
    return rule(groups, foreach=False, fused=False, **{"lr": 1e-3, **options})


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
    elif name == "cosine":
        main = lr_scheduler.CosineAnnealingLR(optimizer, total - warmup, **options)
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
    lr = named(optimizer_spec)[1].get("lr", 1e-3)
    groups = [
        {"params": [parameters["plain"]]},
        {"params": [parameters["scaled"]], "lr": lr * 0.5},
        {"params": [parameters["undecayed"]], "weight_decay": 0.0},
    ]
    optimizer = make_optimizer(optimizer_spec, groups)
    scheduler = make_scheduler(schedule_spec, optimizer, [lr, lr * 0.5, lr], 1, STEPS)
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
    saved["lr"] = torch.tensor(lr, dtype=torch.float64)
    saved["momentum"] = torch.tensor(momentum, dtype=torch.float64)
    return saved


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) / "optim"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(optimizers(), folder / "optimizers.pt")
    torch.save(schedules(), folder / "schedules.pt")
