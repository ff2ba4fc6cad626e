#!/usr/bin/env python3
"""engine.py MODEL.xml f32|bf16: images a second of OpenVINO, one stream a core, batches of eight."""

import json
import sys
import time

import numpy
import openvino

BATCH, SECONDS = 8, 4


def main(model: str, precision: str) -> None:
    compiled = openvino.Core().compile_model(
        model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    )
    queue = openvino.AsyncInferQueue(compiled)
    batch = numpy.random.default_rng(0).standard_normal((BATCH, 3, 224, 224), numpy.float32)
    for _ in range(4):
        queue.start_async({0: batch})
    queue.wait_all()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        queue.start_async({0: batch})
        done += BATCH
    queue.wait_all()
    print(json.dumps({"images_a_second": done / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
