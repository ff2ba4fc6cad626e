"""Writes what fastai's definitions say of losses of a range test, for tests/tune to compare with.

usage: tune_reference.py FOLDER   (writes FOLDER/tune/lr_curves.pt)

fastai itself is not installed: the formulas are written down here from its documentation of Learner.lr_find.
"""
import math
import pathlib
import sys

import torch

START, END = 1e-7, 10.0


def smoothed(losses):
    """The running mean of which 0.98 stays, divided by the weights that it has so far."""
    weights = [0.98**i for i in range(len(losses))]
    return [sum(w * x for w, x in zip(weights, reversed(losses[:n + 1]))) / sum(weights[:n + 1]) for n in range(len(losses))]


def kept(values):
    """Up to the first that is above four times the lowest so far, or no number."""
    for n, value in enumerate(values):
        if not math.isfinite(value):
            return values[:n]
        if value > 4 * min(values[:n + 1]):
            return values[:n + 1]
    return values


def valley(lrs, losses):
    """A longest falling subsequence, the first that ends; the place a third and half a third along, where its length is
    counted back from its end."""
    longest = [1] * len(losses)
    for i in range(len(losses)):
        below = [longest[j] + 1 for j in range(i) if losses[j] > losses[i]]
        longest[i] = max([1] + below)
    end = longest.index(max(longest))
    start = end - longest[end]
    third = (end - start) / 3
    return lrs[max(start + int(third) + int(third / 2), 0)]


def steepest(lrs, losses):
    slopes = [(losses[i + 1] - losses[i]) / (math.log(lrs[i + 1]) - math.log(lrs[i])) for i in range(len(lrs) - 1)]
    return lrs[slopes.index(min(slopes))]


def curves():
    generator = torch.Generator().manual_seed(14)

    def noise(count, size):
        return (size * torch.randn(count, generator=generator, dtype=torch.float64)).tolist()

    def falling(count, noisy, blow_up):
        """Flat, then a fall about a rate of 1e-2, then a rise."""
        lrs = [START * (END / START)**(i / count) for i in range(count)]
        return [0.7 - 0.5 / (1 + (1e-2 / lr)**1.5) + blow_up * lr**2 + n for lr, n in zip(lrs, noise(count, noisy))]

    cases = {
        "smooth": (100, falling(100, 0.0, 0.5)), "noisy": (100, falling(100, 0.1, 50.0)), "long": (300, falling(300, 0.2, 5.0)),
        "calm": (40, falling(40, 0.01, 0.0)), "broken": (100, falling(60, 0.05, 0.0) + [math.nan] * 40),
        "short": (100, falling(100, 0.0, 1e9)[:12] + [1e9] * 3),
    }
    saved = {}
    for case, (count, losses) in cases.items():
        lrs = [START * (END / START)**(i / count) for i in range(count)]
        values = kept(smoothed(losses))
        first, last = count // 10, len(values) - 5
        judged = (lrs[first:max(last, 0)], values[first:max(last, 0)])
        suggestions = (valley(*judged), steepest(*judged)) if len(judged[0]) > 1 else (math.nan, math.nan)
        saved.update({f"{case}/num_iter": torch.tensor(count)})
        for name, value in {"losses": losses, "lrs": lrs, "smoothed": values, "valley": suggestions[0],
                            "steepest": suggestions[1]}.items():
            saved[f"{case}/{name}"] = torch.tensor(value, dtype=torch.float64)
    return saved


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) / "tune"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(curves(), folder / "lr_curves.pt")
