#!/usr/bin/env python3
"""Runs exported networks in ONNX Runtime and OpenVINO and compares them with the features our program computed.

  ninja -C build/release onnx_cases
  build/release/tests/onnx_cases cases tiny dino_vits16 dinov2_vits14 dinov2_vits14_reg dinov3_vits16 ...
  tests/golden/onnx/check_runtimes.py cases [--time N]

Needs onnx, onnxruntime, openvino, numpy and safetensors. For each file, runtime and size: the lowest cosine and the
largest relative difference of any token of any output; fails below 0.9999 or above 0.0142, what the program itself
asks for. --time N also prints the median and range of N runs at the first size, batch 1, in milliseconds.
"""
import argparse
import pathlib
import statistics
import sys
import time

import numpy as np
import onnx
import onnxruntime
import openvino
from safetensors.numpy import load_file

LOWEST_COSINE, LARGEST_DIFFERENCE = 0.9999, 0.0142


def in_onnxruntime(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"images": images})))


def in_openvino(path, threads):
    core = openvino.Core()
    model = core.compile_model(core.read_model(str(path)), "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"})
    names = [name for name in ("cls", "patches", "registers") if any(name in o.get_names() for o in model.outputs)]

    def run(images):
        results = model({"images": images})
        return {name: results[name] for name in names}

    return run


def compare(actual, expected):
    """Lowest cosine and largest relative difference of the vectors along the last axis."""
    if actual.shape != expected.shape:
        return float("nan"), float("nan")
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    length = np.linalg.norm(b, axis=-1)
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * length)
    return cosine.min(), (np.linalg.norm(a - b, axis=-1) / length).max()


def timed(run, images, count):
    run(images)
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run(images)
        seconds.append((time.perf_counter() - start) * 1e3)
    return f"{statistics.median(seconds):.1f} ms ({min(seconds):.1f} to {max(seconds):.1f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--time", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, openvino {openvino.__version__}\n")
    print("| network | runtime | sizes | lowest cosine | largest difference |\n|---|---|---|---|---|")
    good = True
    for path in sorted(options.folder.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
        expected = load_file(path.with_suffix(".safetensors"))
        sizes = [key.removesuffix(".images") for key in expected if key.endswith(".images")]
        for runtime, make in (("ONNX Runtime", in_onnxruntime), ("OpenVINO", in_openvino)):
            run = make(path, options.threads)
            lowest, largest = 1.0, 0.0
            for size in sizes:
                for name, value in run(expected[f"{size}.images"]).items():
                    cosine, difference = compare(value, expected[f"{size}.{name}"])
                    fine = cosine >= LOWEST_COSINE and difference <= LARGEST_DIFFERENCE
                    if not fine:
                        good = False
                        print(f"{path.stem}, {runtime}, {size}, {name}: cosine {cosine}, difference {difference}",
                              file=sys.stderr)
                    lowest, largest = np.minimum(lowest, cosine), np.maximum(largest, difference)
            line = f"| {path.stem} | {runtime} | {', '.join(sizes)} | {lowest:.9f} | {largest:.1e} |"
            if options.time:
                native = min((s for s in sizes if s.startswith("1x")), key=sizes.index)
                line += f" {timed(run, expected[f'{native}.images'], options.time)} at {native} |"
            print(line, flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
