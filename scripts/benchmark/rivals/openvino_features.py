#!/usr/bin/env python3
"""openvino_features.py MODEL.xml FOLDER: features by OpenVINO, then logistic regression.

Photos are read by two threads while OpenVINO computes batches of eight asynchronously, one stream a core.
"""

import concurrent.futures
import sys

import numpy
import openvino

from classify import fit_and_answer
from photos import folder

BATCH = 8


def features_of(compiled, photos, pool) -> numpy.ndarray:
    rows = {}
    queue = openvino.AsyncInferQueue(compiled, 2)
    queue.set_callback(lambda request, first: rows.__setitem__(first, request.get_output_tensor().data.copy()))
    images = pool.map(lambda index: photos[index][0].numpy(), range(len(photos)))
    for first in range(0, len(photos), BATCH):
        count = min(BATCH, len(photos) - first)
        batch = numpy.zeros((BATCH, 3, 224, 224), numpy.float32)
        for row in range(count):
            batch[row] = next(images)
        queue.start_async({0: batch}, first)
    queue.wait_all()
    return numpy.concatenate([rows[first] for first in sorted(rows)])[: len(photos)]


def main(model: str, root: str) -> None:
    compiled = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    splits = {split: folder(root, split) for split in ("train", "val")}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        features = {split: features_of(compiled, photos, pool) for split, photos in splits.items()}
    fit_and_answer(features, {split: photos.targets for split, photos in splits.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
