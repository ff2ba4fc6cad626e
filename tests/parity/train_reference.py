"""Writes what torch.nn.functional.cross_entropy, the formulas of other losses and scikit-learn compute, for tests/train
to compare with.

usage: train_reference.py FOLDER   (writes FOLDER/train/losses.pt and FOLDER/train/metrics.pt)
"""
import json
import pathlib
import sys
import warnings

import torch
from sklearn import metrics
from torch.nn import functional

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
}

# Of the probability of the sample's class; Lin et al. 2017, Leng et al. 2022.
FORMULAS = {
    "focal": lambda p, gamma=2.0: -(1 - p)**gamma * p.log(),
    "poly1": lambda p, epsilon=1.0: -p.log() + epsilon * (1 - p),
}


def loss_value(spec, logits, targets, classes, samples):
    (name, options), = spec.items()
    if name == "cross_entropy" and samples is None:
        return functional.cross_entropy(logits, targets, weight=classes, **options)
    if name == "cross_entropy":
        each = functional.cross_entropy(logits, targets, reduction="none", **options)
    else:
        each = FORMULAS[name](logits.softmax(1)[torch.arange(len(targets)), targets], **options)
    weights = torch.ones_like(each) if classes is None else classes[targets]
    weights = weights if samples is None else weights * samples
    return (each * weights).sum() / weights.sum()


def losses():
    torch.manual_seed(3)
    saved = {"logits": torch.randn(16, 4) * 5, "targets": torch.randint(0, 4, (16,))}
    sample_weights = torch.rand(16, dtype=torch.float64) * 3
    for case, (spec, classes, sampled) in LOSSES.items():
        logits = saved["logits"].double().requires_grad_()
        classes = None if classes is None else torch.tensor(classes, dtype=torch.float64)
        samples = sample_weights if sampled else None
        loss = loss_value(spec, logits, saved["targets"], classes, samples)
        loss.backward()
        saved[f"{case}/spec"] = torch.tensor(list(json.dumps(spec).encode()), dtype=torch.uint8)
        saved[f"{case}/loss"] = loss.detach().clone()
        saved[f"{case}/gradient"] = logits.grad.clone()
        if classes is not None:
            saved[f"{case}/weights"] = classes
        if samples is not None:
            saved[f"{case}/samples"] = samples
    return saved


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
    return {**saved, "probabilities": probabilities, "targets": targets}


def all_metrics():
    """Five classes: all of them there, with one that is neither there nor predicted and one never predicted,
    with a certain but wrong answer, and a single image."""
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
    return {f"{case}/{name}": value for case, given in cases.items() for name, value in classification(*given).items()}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")  # one case is about just that
    folder = pathlib.Path(sys.argv[1]) / "train"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(losses(), folder / "losses.pt")
    torch.save(all_metrics(), folder / "metrics.pt")
