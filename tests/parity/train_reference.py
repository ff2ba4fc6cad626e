"""Writes what torch.nn.functional, timm, the formulas of other losses, scikit-learn and SciPy compute, for tests/train to
compare with.

usage: train_reference.py FOLDER   (writes FOLDER/train/losses.pt, metrics.pt, task_metrics.pt, answers.pt, balance.pt, average.pt,
statistics.pt, mix.pt, distillation.pt, pool.pt, ridge.pt, linear_probe.pt and pixels.pt)
"""
import json
import pathlib
import sys
import warnings

import numpy
import torch
from scipy import stats
from sklearn import decomposition, linear_model, metrics, model_selection, preprocessing
from sklearn.utils import class_weight
from torch.nn import functional
from torch.optim import swa_utils

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from backbones import torchvision_operators  # noqa: E402

torchvision_operators.provide()
from timm.layers import SelectAdaptivePool2d, global_pool_nlc  # noqa: E402
from timm.loss import AsymmetricLossMultiLabel, AsymmetricLossSingleLabel  # noqa: E402
from timm.utils import ModelEmaV3  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

WEIGHTS = [0.2, 1.0, 3.0, 0.5]
# Case: the recipe's loss, class weights, whether samples are weighted.
LOSSES = {
    "plain": ({"cross_entropy": {}}, None, False),
    "smoothed": ({"cross_entropy": {"label_smoothing": 0.1}}, None, False),
    "weighted": ({"cross_entropy": {}}, WEIGHTS, False),
    "smoothed_weighted": ({"cross_entropy": {"label_smoothing": 0.3}}, WEIGHTS, False),
    "sampled": ({"cross_entropy": {}}, WEIGHTS, True),
    "focal": ({"focal": {}}, None, False),
    "focal_root": ({"focal": {"gamma": 0.5}}, None, True),
    "focal_weighted": ({"focal": {"gamma": 3}}, WEIGHTS, True),
    "poly1": ({"poly1": {}}, None, False),
    "poly1_negative": ({"poly1": {"epsilon": -1}}, None, True),
    "poly1_weighted": ({"poly1": {"epsilon": 2.5}}, WEIGHTS, True),
    "asymmetric": ({"asymmetric": {}}, None, False),
    "asymmetric_plain": ({"asymmetric": {"gamma_pos": 0.5, "gamma_neg": 2, "eps": 0}}, None, True),
    "asymmetric_weighted": ({"asymmetric": {"gamma_pos": 0, "gamma_neg": 1.5}}, WEIGHTS, True),
    "ldam": ({"ldam": {}}, None, False),
    "ldam_weighted": ({"ldam": {"max_m": 0.2, "s": 2}}, WEIGHTS, True),
    "logit_adjusted": ({"logit_adjusted": {}}, None, False),
    "logit_adjusted_weighted": ({"logit_adjusted": {"tau": 0.3}}, WEIGHTS, True),
    "bce": ({"bce": {}}, None, False),
    "bce_weighted": ({"bce": {"pos_weight": 2.5}}, None, True),
    "bce_balanced": ({"bce": {"pos_weight": "balanced"}}, None, False),
    "asymmetric_multi_label": ({"asymmetric_multi_label": {}}, None, False),
    "asymmetric_multi_label_plain": (
        {"asymmetric_multi_label": {"gamma_neg": 0, "gamma_pos": 0, "clip": 0, "eps": 1e-3}}, None, True),
    "asymmetric_multi_label_sharp": ({"asymmetric_multi_label": {"gamma_neg": 2, "gamma_pos": 3, "clip": 0.2}}, None, True),
    "mse": ({"mse": {}}, None, False),
    "mse_weighted": ({"mse": {}}, None, True),
    "l1": ({"l1": {}}, None, True),
    "huber": ({"huber": {}}, None, False),
    "huber_wide": ({"huber": {"delta": 2.5}}, None, True),
    "smooth_l1": ({"smooth_l1": {}}, None, False),
    "smooth_l1_narrow": ({"smooth_l1": {"beta": 0.25}}, None, True),
    "smooth_l1_none": ({"smooth_l1": {"beta": 0}}, None, False),
    "coral": ({"coral": {}}, None, False),
    "coral_weighted": ({"coral": {}}, WEIGHTS, True),
}

COUNTS = [40, 7, 20, 3]  # images of each class


def ldam(logits, targets, max_m=0.5, s=30.0):
    """Cao et al. 2019, equations 12 and 13."""
    margins = torch.tensor(COUNTS, dtype=torch.float64)**-0.25
    margins = margins * max_m / margins.max()
    shifted = logits.clone()
    shifted[torch.arange(len(targets)), targets] -= margins[targets]
    return functional.cross_entropy(s * shifted, targets, reduction="none")


def logit_adjusted(logits, targets, tau=1.0):
    """Menon et al. 2021, equation 10."""
    prior = torch.tensor(COUNTS, dtype=torch.float64)
    return functional.cross_entropy(logits + tau * (prior / prior.sum()).log(), targets, reduction="none")


def bce(logits, targets, pos_weight=1.0):
    if pos_weight == "balanced":
        positive = torch.tensor(COUNTS, dtype=torch.float64)
        pos_weight = (sum(COUNTS) - positive) / positive
    return functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=torch.as_tensor(pos_weight), reduction="none").mean(1)


def asymmetric_multi_label(logits, targets, **options):
    """Image by image, the sum over the classes, as timm's default reduction has it."""
    return AsymmetricLossMultiLabel(reduction="none", **options)(logits, targets).sum(1)


def coral(logits, targets):
    """Cao et al. 2020, equation 4, of weights of 1."""
    p = torch.sigmoid(logits)
    above = (targets[:, None] > torch.arange(logits.shape[1])).double()
    return -(above * p.log() + (1 - above) * (1 - p).log()).sum(1)


def of_numbers(name):
    return lambda *given, **options: getattr(functional, name)(*given, reduction="none", **options).mean(1)


def of_probability(formula):
    return lambda logits, targets, **options: formula(logits.softmax(1)[torch.arange(len(targets)), targets], **options)


# Losses [N]. Lin et al. 2017, Leng et al. 2022.
FORMULAS = {
    "cross_entropy": lambda *given, **options: functional.cross_entropy(*given, reduction="none", **options),
    "focal": of_probability(lambda p, gamma=2.0: -(1 - p)**gamma * p.log()),
    "poly1": of_probability(lambda p, epsilon=1.0: -p.log() + epsilon * (1 - p)),
    "asymmetric": lambda *given, **options: AsymmetricLossSingleLabel(**options, reduction="none")(*given),
    "ldam": ldam,
    "logit_adjusted": logit_adjusted,
    "bce": bce,
    "asymmetric_multi_label": asymmetric_multi_label,
    **{name: of_numbers(f"{name}_loss") for name in ("mse", "l1", "huber", "smooth_l1")},
    "coral": coral,
}

# Case: classes, C, whether there is a bias, whether classes are balanced, whether samples are weighted, smoothing.
PROBES = {
    "plain": (4, 1.0, True, False, False, 0), "strong": (4, 1e-3, True, False, False, 0),
    "weak": (4, 1e3, True, False, False, 0), "no_bias": (4, 1.0, False, False, False, 0),
    "balanced": (4, 0.1, True, True, False, 0), "sampled": (4, 0.5, True, False, True, 0),
    "both": (4, 2.0, True, True, True, 0), "smoothed": (4, 1.0, True, False, False, 0.1),
    "two_classes": (2, 1.0, True, False, False, 0), "two_classes_sampled": (2, 0.1, True, True, True, 0),
}


def loss_value(spec, logits, targets, classes, samples):
    (name, options), = spec.items()
    if name == "cross_entropy" and samples is None:
        return functional.cross_entropy(logits, targets, weight=classes, **options)
    each = FORMULAS[name](logits, targets, **options)
    weights = torch.ones_like(each) if classes is None else classes[targets]
    weights = weights if samples is None else weights * samples
    return (each * weights).sum() / weights.sum()


def losses():
    torch.manual_seed(3)
    saved = {"logits": torch.randn(16, 4) * 5, "targets": torch.randint(0, 4, (16,)), "counts": torch.tensor(COUNTS)}
    sample_weights = torch.rand(16, dtype=torch.float64) * 3
    several, numbers = torch.randint(0, 2, (16, 4)).double(), torch.randn(16, 4).double() * 3
    targets_of = {"bce": several, "asymmetric_multi_label": several, "coral": saved["targets"],
                  **dict.fromkeys(("mse", "l1", "huber", "smooth_l1"), numbers)}
    for case, (spec, classes, sampled) in LOSSES.items():
        name, = spec
        outputs = saved["logits"][:, :3].clone() if name == "coral" else saved["logits"]
        targets = targets_of.get(name, saved["targets"])
        if name in targets_of:
            saved.update({f"{case}/logits": outputs, f"{case}/targets": targets})
        logits = outputs.double().requires_grad_()
        classes = None if classes is None else torch.tensor(classes, dtype=torch.float64)
        samples = sample_weights if sampled else None
        loss = loss_value(spec, logits, targets, classes, samples)
        loss.backward()
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps(spec).encode()), dtype=torch.uint8)
        saved[f"{case}/loss"] = loss.detach().clone()
        saved[f"{case}/gradient"] = logits.grad.clone()
        if classes is not None:
            saved[f"{case}/weights"] = classes
        if samples is not None:
            saved[f"{case}/samples"] = samples
    return saved


def expected_calibration_error(probabilities, targets, bins=15):
    """Guo et al. 2017: bins (low, high] of equal width."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    error = 0
    for low, high in zip(numpy.linspace(0, 1, bins + 1)[:-1], numpy.linspace(0, 1, bins + 1)[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - (predicted == targets)[inside].mean())
    return error


def scores(probabilities, truth):
    """Those that are defined; of the areas, the mean over the classes, one against the rest."""
    classes = list(range(probabilities.shape[1]))
    predicted = probabilities.argmax(1)
    one_hot = numpy.eye(len(classes))[truth]
    figures = {
        "weighted_f1": metrics.f1_score(truth, predicted, average="weighted", zero_division=0),
        "mcc": metrics.matthews_corrcoef(truth, predicted),
        "brier": metrics.brier_score_loss(
            truth, probabilities[:, 1] if len(classes) == 2 else probabilities,
            **({"pos_label": 1} if len(classes) == 2 else {"labels": classes})),
        "ece": expected_calibration_error(probabilities, truth),
    }
    if len(set(truth) | set(predicted)) > 1:
        figures["kappa"] = metrics.cohen_kappa_score(truth, predicted)
    if len(classes) > 5:
        figures["top_5"] = metrics.top_k_accuracy_score(truth, probabilities, k=5, labels=classes)
    if len(set(truth)) == len(classes):
        figures["auroc"] = metrics.roc_auc_score(one_hot, probabilities, average="macro")
        figures["average_precision"] = metrics.average_precision_score(one_hot, probabilities, average="macro")
    return figures


def classification(probabilities, targets):
    classes = list(range(probabilities.shape[1]))
    truth, predicted = targets.numpy(), probabilities.argmax(1).numpy()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=0)
    figures = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "loss": metrics.log_loss(truth, probabilities.numpy(), labels=classes),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "precision": precision, "recall": recall, "f1": f1, "support": support,
        "confusion": metrics.confusion_matrix(truth, predicted, labels=classes),
    }
    saved = {name: torch.as_tensor(value, dtype=torch.float64) for name, value in figures.items()}
    for name, value in scores(probabilities.double().numpy(), truth).items():
        saved[f"score/{name}"] = torch.tensor(value, dtype=torch.float64)
    return {**saved, "probabilities": probabilities, "targets": targets}


def all_metrics():
    """Five classes: all of them there, with one that is neither there nor predicted and one never predicted,
    with a certain but wrong answer, and a single image. Eight and two classes, with many equal probabilities."""
    torch.manual_seed(4)
    logits = torch.randn(200, 5)
    targets = torch.randint(0, 5, (200,))
    logits[torch.arange(200), targets] += 0.8
    cases = {"all": (logits.softmax(1), targets)}
    sparse = logits.clone()
    sparse[:, 2] -= 100
    sparse[:, 4] -= 100
    cases["absent"] = (sparse.softmax(1), torch.where(targets == 4, 0, targets))
    wrong = torch.zeros(3, 5)
    wrong[:, 1] = 1
    cases["certain"] = (wrong, torch.tensor([1, 1, 3]))
    cases["single"] = (logits[:1].softmax(1), targets[:1])
    for case, count in {"eight": 8, "two": 2}.items():
        many = torch.randint(1, 4, (120, count)).double()
        cases[case] = (many / many.sum(1, keepdim=True), torch.arange(120) % count)
    return {f"{case}/{name}": value for case, given in cases.items() for name, value in classification(*given).items()}


def several_classes(probabilities, targets):
    """Areas: means over the classes that occur (of the second: and not in every image)."""
    truth, scored = targets.numpy(), probabilities.numpy()
    predicted = scored >= 0.5
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    figures = {
        "loss": numpy.mean([metrics.log_loss(y, p, labels=[0, 1]) for y, p in zip(truth.T, scored.T)]),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "micro_f1": metrics.f1_score(truth, predicted, average="micro", zero_division=0),
    }
    occur = truth.any(0)
    both = occur & ~truth.all(0)
    if occur.any():
        figures["average_precision"] = metrics.average_precision_score(truth[:, occur], scored[:, occur], average="macro")
    if both.any():
        figures["auroc"] = metrics.roc_auc_score(truth[:, both], scored[:, both], average="macro")
    return figures, {"precision": precision, "recall": recall, "f1": f1, "support": support}


def numbers(values, targets):
    truth, found = targets.numpy(), values.double().numpy()
    figures = {"rmse": metrics.root_mean_squared_error(truth, found), "mae": metrics.mean_absolute_error(truth, found),
               "loss": metrics.mean_squared_error(truth, found)}
    if len(truth) > 1:
        figures["r2"] = metrics.r2_score(truth, found)
        if all(len(set(column)) > 1 for column in [*truth.T, *found.T]):
            figures["spearman"] = numpy.mean([stats.spearmanr(a, b).statistic for a, b in zip(truth.T, found.T)])
    return figures, {}


def ordered_classes(probabilities, targets):
    truth, predicted = targets.numpy(), probabilities.argmax(1).numpy()
    figures = {"accuracy": metrics.accuracy_score(truth, predicted), "mae": metrics.mean_absolute_error(truth, predicted)}
    if len(set(truth) | set(predicted)) > 1:
        figures["quadratic_kappa"] = metrics.cohen_kappa_score(
            truth, predicted, weights="quadratic", labels=list(range(probabilities.shape[1])))
    return figures, {}


def task_metrics():
    """Classes that never and always occur, none at all, ties, numbers that are all the same, a single image."""
    torch.manual_seed(5)
    truth = (torch.rand(120, 5) < torch.tensor([0.5, 0.1, 0.3, 0.7, 0.2])).double()
    scores = torch.sigmoid(torch.randn(120, 5) + 2 * truth.float() - 1)
    part = truth.clone()
    part[:, 1], part[:, 3] = 0, 1
    ties = (scores * 4).round() / 4
    several = {"all": (scores, truth), "part": (scores, part), "ties": (ties, truth), "single": (scores[:1], truth[:1]),
               "none": (scores, torch.zeros_like(truth))}
    values = torch.randn(60, 2).double() * torch.tensor([1.0, 300.0]) + torch.tensor([0.0, 1000.0])
    found = (values + torch.randn(60, 2) * torch.tensor([0.5, 400.0])).float()
    flat = values.clone()
    flat[:, 1] = 7
    ranks = torch.randint(0, 4, (90,))
    likely = torch.softmax(torch.randn(90, 5) + 2 * torch.nn.functional.one_hot(ranks, 5), 1)
    same = torch.full((6,), 2)
    cases = {
        "multi_label": (several_classes, several),
        "regression": (numbers, {"all": (found, values), "flat": (found, flat), "ties": (found.round(), values.round()),
                                 "one": (found[:, :1], values[:, :1]), "single": (found[:1], values[:1])}),
        "ordinal": (ordered_classes, {"all": (likely, ranks), "one": (torch.nn.functional.one_hot(same, 5).float(), same)}),
    }
    saved = {}
    for task, (measure, given) in cases.items():
        for case, (answers, targets) in given.items():
            figures, of_classes = measure(answers, targets)
            saved.update({f"{task}/{case}/answers": answers, f"{task}/{case}/targets": targets})
            for kind, found_figures in (("figure", figures), ("class", of_classes)):
                for name, value in found_figures.items():
                    saved[f"{task}/{case}/{kind}/{name}"] = torch.as_tensor(value, dtype=torch.float64)
    return saved


def answers():
    """What heads' outputs come to. Of numbers: what brings the scaler's values back. Cao et al. 2020: differences of the
    probabilities of lying above."""
    torch.manual_seed(7)
    outputs, labels = torch.randn(8, 4) * 3, torch.randn(20, 4).double() * torch.tensor([1.0, 1e-3, 50.0, 0.0]) + 100
    scaler = preprocessing.StandardScaler().fit(labels.numpy())
    thresholds = (torch.randn(8, 1) + torch.tensor([1.5, 0.5, -1.0])).float()
    above = torch.nn.functional.pad(torch.sigmoid(thresholds.double()), (1, 0), value=1.0)
    between = above - torch.nn.functional.pad(above[:, 1:], (0, 1))
    return {
        "single_label/outputs": outputs, "single_label/answers": outputs.double().softmax(1),
        "multi_label/outputs": outputs, "multi_label/answers": outputs.double().sigmoid(),
        "regression/outputs": outputs, "regression/labels": labels,
        "regression/answers": torch.as_tensor(scaler.inverse_transform(outputs.double().numpy())),
        "regression/targets": torch.as_tensor(scaler.transform(labels.numpy())),
        "ordinal/outputs": thresholds, "ordinal/answers": between,
    }


def probe_features(classes, count, width, noise, generator):
    """Classes of unequal size, features of unequal scale that depend on each other."""
    targets = torch.multinomial(torch.arange(1.0, classes + 1), count, replacement=True, generator=generator)
    centres = torch.randn((classes, width), generator=generator, dtype=torch.float64)
    mixing = torch.randn((width, width), generator=generator, dtype=torch.float64) / width**0.5
    features = centres[targets] + noise * torch.randn((count, width), generator=generator, dtype=torch.float64) @ mixing
    return (features * torch.linspace(0.2, 2, width, dtype=torch.float64)).float(), targets


def probe(features, targets, classes, C, bias, balanced, samples, smoothing):
    """Smoothed targets are samples of every class, weighted."""
    x, y = features.double().numpy(), targets.numpy()
    weights = numpy.ones(len(y)) if samples is None else samples.numpy()
    shares = numpy.full((len(y), classes), smoothing / classes)
    shares[numpy.arange(len(y)), y] += 1 - smoothing
    of_class = len(y) / (classes * numpy.bincount(y)) if balanced else numpy.ones(classes)
    total = (weights * of_class[y]).sum()
    rows, labels = numpy.nonzero(shares)
    model = linear_model.LogisticRegression(C=C, fit_intercept=bias, tol=1e-10, max_iter=1000, solver="newton-cholesky")
    model.fit(x[rows], labels, sample_weight=(shares[rows, labels] * (weights * of_class[y])[rows]))
    coef, intercept = model.coef_, model.intercept_
    penalty = (coef**2).sum() / (2 * C * total)
    if classes == 2:
        coef, intercept = numpy.vstack([-coef / 2, coef / 2]), numpy.concatenate([-intercept, intercept]) / 2
    log_p = torch.log_softmax(torch.as_tensor(x @ coef.T + intercept), 1).numpy()
    loss = -((shares * log_p).sum(1) * weights * of_class[y]).sum() / total
    figures = {"weight": coef, "loss": loss, "objective": loss + penalty, "class_weights": of_class}
    figures.update({"bias": intercept} if bias else {})
    return {name: torch.as_tensor(value, dtype=torch.float64) for name, value in figures.items()}


def probes():
    generator = torch.Generator().manual_seed(6)
    saved = {}
    for case, (classes, C, bias, balanced, sampled, smoothing) in PROBES.items():
        features, targets = probe_features(classes, 150, 20, 3.0, generator)
        samples = torch.rand(150, dtype=torch.float64, generator=generator) * 2 + 0.1 if sampled else None
        saved.update({f"{case}/features": features, f"{case}/targets": targets,
                      f"{case}/C": torch.tensor(C, dtype=torch.float64),
                      f"{case}/smoothing": torch.tensor(smoothing, dtype=torch.float64)})
        if sampled:
            saved[f"{case}/samples"] = samples
        fitted = probe(features, targets, classes, C, bias, balanced, samples, smoothing)
        if not balanced:
            del fitted["class_weights"]
        saved.update({f"{case}/{name}": value for name, value in fitted.items()})
    return saved


def chosen_probes():
    """What LogisticRegressionCV chooses, on features of more and less noise, so that it chooses differently."""
    generator = torch.Generator().manual_seed(8)
    saved = {}
    for case, (classes, noise) in {"noisy": (4, 6.0), "clear": (4, 2.0), "easy": (3, 0.3), "two": (2, 5.0)}.items():
        features, targets = probe_features(classes, 203, 30, noise, generator)
        x = preprocessing.StandardScaler().fit_transform(features.double().numpy())
        model = linear_model.LogisticRegressionCV(Cs=10, cv=5, scoring="accuracy", l1_ratios=(0,), tol=1e-8, max_iter=1000, solver="newton-cholesky",
                                                  use_legacy_attributes=False)
        model.fit(x, targets.numpy())
        folds = torch.empty(len(targets), dtype=torch.int64)
        for fold, (_, tested) in enumerate(model_selection.StratifiedKFold(5).split(x, targets.numpy())):
            folds[torch.as_tensor(tested)] = fold
        saved.update({f"{case}/features": torch.as_tensor(x), f"{case}/targets": targets, f"{case}/folds": folds,
                      f"{case}/C": torch.tensor(float(model.C_), dtype=torch.float64),
                      f"{case}/grid": torch.as_tensor(numpy.asarray(model.Cs_))})
    return saved


def balances():
    """Weights whose mean over the images is 1. Cui et al. 2019, equation 2."""
    counts = numpy.array(COUNTS)
    y = numpy.repeat(numpy.arange(len(counts)), counts)
    balanced = class_weight.compute_class_weight("balanced", classes=numpy.unique(y), y=y)

    def scaled(weights):
        return weights * counts.sum() / (weights * counts).sum()

    cases = {"loss": ("loss", balanced), "sampler": ("sampler", balanced), "sqrt_sampler": ("sqrt_sampler", scaled(balanced**0.5))}
    for beta in (0.9, 0.999):
        cases[f"effective {beta}"] = ({"effective": {"beta": beta}}, scaled((1 - beta) / (1 - beta**counts)))
    saved = {"counts": torch.tensor(COUNTS)}
    for case, (spec, weights) in cases.items():
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps(spec).encode()), dtype=torch.uint8)
        saved[f"{case}/weights"] = torch.as_tensor(weights)
    return saved


def ridges():
    """What scikit-learn's Ridge says of each image when it is fitted to all others."""
    torch.manual_seed(5)
    saved = {}
    for case, (images, features, alpha) in {"wide": (12, 30, 30.0), "tall": (40, 3, 0.5)}.items():
        x, y = torch.randn(images, features), torch.arange(images) % 3
        wanted, kept = functional.one_hot(y).double().numpy(), numpy.arange(images)
        scores = [linear_model.Ridge(alpha).fit(x[kept != i].double().numpy(), wanted[kept != i]).predict(x[i:i + 1].double().numpy())[0]
                  for i in range(images)]
        saved.update({f"{case}/features": x, f"{case}/targets": y, f"{case}/penalty": torch.tensor(alpha),
                      f"{case}/scores": torch.as_tensor(numpy.stack(scores))})
    return saved


def averages():
    """timm's running mean of a layer's state over twenty steps."""
    torch.manual_seed(4)
    layer = torch.nn.BatchNorm1d(5)
    keys = ("weight", "running_var", "num_batches_tracked")
    saved = {f"start/{key}": layer.state_dict()[key].clone() for key in keys}
    states = [{key: torch.tensor(i + 1) if key == keys[2] else torch.randn(5) for key in keys} for i in range(20)]
    saved.update({f"steps/{key}": torch.stack([state[key] for state in states]) for key in keys})
    for case, options in {"plain": {"decay": 0.9}, "warm": {"decay": 0.8, "warmup": True}, "slow": {}}.items():
        average = ModelEmaV3(layer, decay=options.get("decay", 0.9999), use_warmup=options.get("warmup", False))
        found = {key: [] for key in keys}
        for i, state in enumerate(states):
            layer.load_state_dict({**layer.state_dict(), **state})
            average.update(layer, step=i + 1)
            for key in keys:
                found[key].append(average.module.state_dict()[key].clone())
        saved.update({f"{case}/{key}": torch.stack(values) for key, values in found.items()})
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps({"ema": options}).encode()), dtype=torch.uint8)
        layer.load_state_dict({**layer.state_dict(), **{key: saved[f"start/{key}"] for key in keys}})
    saved.update(means_of_epochs(layer, states))
    return saved


def means_of_epochs(layer, states, steps_per_epoch=4):
    """AveragedModel from an epoch on; before, what the last epoch ended with."""
    saved = {}
    for start in (1, 3):
        average = swa_utils.AveragedModel(layer)
        weights, mean = [], layer.weight.detach().clone()
        for step, state in enumerate(states, 1):
            if step % steps_per_epoch == 0:
                layer.weight.data.copy_(state["weight"])
                if step // steps_per_epoch >= start:
                    average.update_parameters(layer)
                mean = (average.module if step // steps_per_epoch >= start else layer).weight.detach().clone()
            weights.append(mean)
        saved[f"swa {start}/weight"] = torch.stack(weights)
        saved[f"swa {start}/spec"] = torch.tensor(list(json.dumps({"swa": {"start": start}}).encode()), dtype=torch.uint8)
        layer.weight.data.fill_(1)
    return saved


def statistics():
    """What update_bn estimates for two layers, behind each other, of different momenta; the last batch is a short one."""
    torch.manual_seed(5)
    network = torch.nn.Sequential()
    for name, module in {
        "batch_norm_0": torch.nn.BatchNorm1d(5, momentum=0.03), "linear_1": torch.nn.Linear(5, 6, bias=False),
        "activation_2": torch.nn.ReLU(), "batch_norm_3": torch.nn.BatchNorm1d(6),
    }.items():
        network.add_module(name, module)
    batches = torch.randn(47, 5) * torch.linspace(0.1, 30, 5) + torch.linspace(-20, 5, 5)
    saved = {"batches": batches, "linear_1.weight": network.linear_1.weight.detach().clone()}
    swa_utils.update_bn(batches.split([20, 20, 7]), network)
    return {**saved, **{name: buffer.clone() for name, buffer in network.named_buffers()}}


MIXES = {
    "mixup": {}, "mixup_low": {"mixup": {"alpha": 0.2}}, "cutmix": {}, "cutmix_high": {"cutmix": {"alpha": 4.0}},
    "mixup_cutmix": {},
    "mixup_cutmix_often": {"mixup_cutmix": {"mixup_alpha": 0.8, "cutmix_alpha": 0.5, "switch_prob": 0.9}},
}


def mixer(spec):
    (name, options), = spec.items()
    if name == "mixup_cutmix" and torch.rand(()) < options.get("switch_prob", 0.5):
        return v2.CutMix(alpha=options.get("cutmix_alpha", 1.0), num_classes=4)
    if name == "cutmix":
        return v2.CutMix(alpha=options.get("alpha", 1.0), num_classes=4)
    return v2.MixUp(alpha=options.get("alpha", options.get("mixup_alpha", 1.0)), num_classes=4)


def mixes():
    """torchvision's mixed images and labels by seed, and the loss against them: smoothed, and weighted by class and
    sample."""
    torch.manual_seed(5)
    images, targets, logits = torch.randn(5, 3, 12, 12), torch.tensor([2, 0, 3, 1, 2]), torch.randn(5, 4) * 3
    samples = torch.rand(5, dtype=torch.float64) + 0.1
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)[targets] * samples
    log_p = logits.double().log_softmax(1)
    saved = {"images": images, "targets": targets, "logits": logits, "samples": samples,
             "classes": torch.tensor(WEIGHTS, dtype=torch.float64)}
    for case, spec in MIXES.items():
        spec = spec or {case: {}}
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps(spec).encode()), dtype=torch.uint8)
        for seed in range(8):
            torch.manual_seed(seed)
            mixed, labels = mixer(spec)(images, targets)
            soft = labels.double()
            own = functional.one_hot(targets, 4).double()
            lam = soft[1, targets[1]].item()  # its partner is of another class
            shares = lam * own * weights[:, None] + (1 - lam) * (own * weights[:, None]).roll(1, 0)
            saved.update({f"{case}/{seed}/images": mixed,
                          f"{case}/{seed}/loss": functional.cross_entropy(logits.double(), soft, label_smoothing=0.1),
                          f"{case}/{seed}/weighted": -(shares * log_p).sum() / weights.sum()})
    return saved


# Case: the recipe's loss, alpha, temperature, class weights, whether samples are weighted.
DISTILLATIONS = {
    "hot": ({"cross_entropy": {"label_smoothing": 0.1}}, 0.3, 4.0, None, False),
    "plain": ({"cross_entropy": {}}, 0.3, 1.0, None, False),
    "weighted": ({"focal": {}}, 0.3, 4.0, WEIGHTS, True),
    "alone": ({"cross_entropy": {}}, 1.0, 2.5, WEIGHTS, False),
}


def distillations():
    """Hinton et al. 2015 by torch.nn.functional.kl_div: losses and gradients of some of the images that a teacher saw, and of
    these mixed each with the one before it."""
    torch.manual_seed(6)
    teacher, rows = torch.randn(16, 4) * 4, torch.tensor([3, 0, 15, 7, 8, 2, 11, 5])
    targets, samples = torch.randint(0, 4, (16,)), torch.rand(16, dtype=torch.float64) + 0.1
    saved = {"teacher": teacher, "rows": rows, "targets": targets, "samples": samples, "logits": torch.randn(8, 4) * 3}

    def blended(case, logits, rows):
        spec, alpha, temperature, classes, sampled = DISTILLATIONS[case]
        classes = None if classes is None else torch.tensor(classes, dtype=torch.float64)
        weights = (torch.ones(8).double() if classes is None else classes[targets[rows]]) * (samples[rows] if sampled else 1)
        soft = (teacher[rows].double() / temperature).softmax(1)
        each = functional.kl_div((logits / temperature).log_softmax(1), soft, reduction="none").sum(1)
        of_teacher = temperature**2 * (each * weights).sum() / weights.sum()
        of_labels = loss_value(spec, logits, targets[rows], classes, samples[rows] if sampled else None)
        return (1 - alpha) * of_labels + alpha * of_teacher, weights.sum()

    for case, (spec, alpha, temperature, classes, sampled) in DISTILLATIONS.items():
        logits = saved["logits"].double().requires_grad_()
        own, weight = blended(case, logits, rows)
        own.backward()
        partners, of_partners = blended(case, logits.detach(), rows.roll(1))
        saved.update({f"{case}/loss": own.detach().clone(), f"{case}/gradient": logits.grad.clone(),
                      f"{case}/mixed": 0.7 * own.detach() + 0.3 * partners * of_partners / weight})
        options = {"loss": spec, "alpha": alpha, "temperature": temperature, "sampled": sampled}
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps(options).encode()), dtype=torch.uint8)
        if classes is not None:
            saved[f"{case}/classes"] = torch.tensor(classes, dtype=torch.float64)
    return saved


def gem(x, over, p=3.0, eps=1e-6):
    """Radenovic et al. 2019, equation 4."""
    return x.clamp(min=eps).pow(p).mean(over).pow(1 / p)


def pools():
    """timm's pooling of a map and, where timm has it, of tokens."""
    torch.manual_seed(9)
    feature_map, tokens = torch.randn(3, 5, 4, 6), torch.randn(3, 7, 5)
    saved = {"map": feature_map, "tokens": tokens}
    both = torch.cat([tokens.mean(1), tokens.amax(1)], 1)
    for name in ("avg", "max", "avgmax", "catavgmax"):
        saved[f"{name}/spec"] = name
        saved[f"{name}/map"] = SelectAdaptivePool2d(pool_type=name, flatten=True)(feature_map)
        saved[f"{name}/tokens"] = both if name == "catavgmax" else global_pool_nlc(tokens, name, num_prefix_tokens=0)
    for case, options in {"gem": {}, "gem_low": {"p": 1.5, "eps": 0.1}}.items():
        saved[f"{case}/spec"] = {"gem": options}
        saved[f"{case}/map"] = gem(feature_map.double(), (2, 3), **options)
        saved[f"{case}/tokens"] = gem(tokens.double(), 1, **options)
    text = lambda value: torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)  # noqa: E731
    return {key: value if isinstance(value, torch.Tensor) else text(value) for key, value in saved.items()}


def pixels():
    """Figures of photos' pixels, and what whitening makes of them: scikit-learn's PCA, to whose variances 1e-5 is added
    (it divides them by one pixel less), and U (variances + 1e-5)^-1/2 U^T."""
    generator = numpy.random.default_rng(8)
    mixing = numpy.array([[60, 20, 5], [50, -10, 10], [40, -25, -20]])
    photos = (generator.normal(size=(6, 16, 16, 3)) @ mixing.T + [90, 120, 150]).clip(0, 255).astype(numpy.uint8)
    wide = photos.reshape(-1, 3).astype(numpy.float64) / 255
    eps, count = 1e-5, len(wide)
    pca = decomposition.PCA(whiten=True, svd_solver="full").fit(wide)
    variances = pca.explained_variance_ * (count - 1) / count
    white = pca.transform(wide) * numpy.sqrt(pca.explained_variance_ / (variances + eps))
    components = pca.components_
    zca = (wide - wide.mean(0)) @ components.T @ numpy.diag((variances + eps)**-0.5) @ components
    return {"photos": torch.tensor(photos), "mean": torch.tensor(wide.mean(0)), "std": torch.tensor(wide.std(0)), "pca": torch.tensor(white),
            "zca": torch.tensor(zca)}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")  # one case is about just that
    warnings.filterwarnings("ignore", "The y_prob values do not sum to one")  # in float32
    folder = pathlib.Path(sys.argv[1]) / "train"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(losses(), folder / "losses.pt")
    torch.save(all_metrics(), folder / "metrics.pt")
    torch.save(task_metrics(), folder / "task_metrics.pt")
    torch.save(answers(), folder / "answers.pt")
    torch.save(balances(), folder / "balance.pt")
    torch.save(averages(), folder / "average.pt")
    torch.save(statistics(), folder / "statistics.pt")
    torch.save(mixes(), folder / "mix.pt")
    torch.save(distillations(), folder / "distillation.pt")
    torch.save(pools(), folder / "pool.pt")
    torch.save(ridges(), folder / "ridge.pt")
    torch.save(pixels(), folder / "pixels.pt")
    torch.save({**{f"fit/{k}": v for k, v in probes().items()}, **{f"cv/{k}": v for k, v in chosen_probes().items()}},
               folder / "linear_probe.pt")
