#!/usr/bin/env python3
"""Times features of a published backbone (random weights) in the peers: PyTorch eager and compiled, ONNX Runtime,
OpenVINO; the same work as `dino bench infer`, on the same threads. Prints one JSON line per peer.

  bench/peers/infer.py --model dinov2_vits14 --size 224 --batch 1 --precision fp32 --threads 2 [--peers openvino,torch]
Needs torch, timm, onnx, onnxscript, onnxruntime, openvino.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

TIMM = {
    "dinov2_vits14": "vit_small_patch14_dinov2", "dinov2_vitb14": "vit_base_patch14_dinov2",
    "dinov2_vitl14": "vit_large_patch14_dinov2", "dinov3_vits16": "vit_small_patch16_dinov3",
    "dinov3_vitb16": "vit_base_patch16_dinov3", "dino_vits16": "vit_small_patch16_224",
}


def timed(run, runs, warmup=3):
    times = []
    for i in range(warmup + runs):
        start = time.perf_counter()
        run()
        if i >= warmup:
            times.append(1e3 * (time.perf_counter() - start))
    return times


def onnx_file(model, images, folder):
    import torch
    path = os.path.join(folder, "model.onnx")
    torch.onnx.export(model, (images,), path, dynamo=True, verbose=False)
    return path


def peer_torch(model, images, a):
    import torch
    cast = torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16")

    def run():
        with torch.inference_mode(), cast:
            model(images)
    return run


def peer_compiled(model, images, a):
    import torch
    import torch._inductor.config
    torch._inductor.config.freezing = True
    return peer_torch(torch.compile(model), images, a)


def peer_onnxruntime(model, images, a):
    import onnxruntime
    with tempfile.TemporaryDirectory() as folder:
        path = onnx_file(model, images, folder)
        if a.precision == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic
            quantize_dynamic(path, path + ".int8", weight_type=QuantType.QInt8)
            path += ".int8"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = a.threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: images.numpy()}
    return lambda: session.run(None, feed)


def peer_openvino(model, images, a):
    import openvino
    network = openvino.convert_model(model, example_input=images, input=list(images.shape))
    if a.precision == "int8":
        import nncf
        import numpy
        data = nncf.Dataset([images.numpy()])
        network = nncf.quantize(network, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=1)
    core = openvino.Core()
    compiled = core.compile_model(network, "CPU", {
        "INFERENCE_NUM_THREADS": a.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if a.precision == "bf16" else "f32"})
    request = compiled.create_infer_request()
    array = images.numpy()
    return lambda: request.infer([array])


PEERS = {"torch": peer_torch, "compiled": peer_compiled, "onnxruntime": peer_onnxruntime, "openvino": peer_openvino}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="dinov2_vits14", choices=TIMM)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "int8"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--peers", default="torch,compiled,onnxruntime,openvino")
    a = parser.parse_args()
    import timm
    import torch
    torch.set_num_threads(a.threads)
    size = {} if "dinov3" in a.model else {"img_size": a.size}
    model = timm.create_model(TIMM[a.model], num_classes=0, global_pool="", **size).eval()
    images = torch.randn(a.batch, 3, a.size, a.size)
    for name in a.peers.split(","):
        if a.precision == "int8" and name in ("torch", "compiled"):
            continue
        try:
            with torch.no_grad():
                run = PEERS[name](model, images, a)
            times = timed(run, a.runs)
        except Exception as error:  # a peer that cannot: say so, go on
            print(json.dumps({"peer": name, "error": str(error).splitlines()[0][:200]}), flush=True)
            continue
        print(json.dumps({"peer": name, "model": a.model, "size": a.size, "batch": a.batch, "precision": a.precision,
                          "milliseconds": statistics.median(times), "milliseconds_min": min(times),
                          "milliseconds_max": max(times)}), flush=True)


if __name__ == "__main__":
    main()
