#!/usr/bin/env python3
"""Writes the ConvNeXt goldens: Hugging Face's DINOv3ConvNextModel with synthetic weights and images, evaluated in
float64, stored as float32 slices. timm's convnext (the architecture of its *.dinov3_lvd1689m names) must agree.

  tests/golden/model/convnext.py        needs torch, transformers, timm, safetensors, numpy
"""

import re
import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from transformers import DINOv3ConvNextConfig, DINOv3ConvNextModel

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import synthetic  # noqa: E402

GAIN = 1.5
TINY = dict(depths=[3, 3, 9, 3], widths=[96, 192, 384, 768])
DEEP = dict(depths=[3, 3, 27, 3], widths=[8, 16, 24, 40])
# name: (net, batch, [(height, width)]): native sizes, an odd multiple of 32, not square, not a multiple of 32.
CASES = {
    "convnext_tiny": (TINY, 1, [(256, 256), (224, 224), (96, 160)]),
    "convnext_deep": (DEEP, 2, [(64, 64), (96, 32), (75, 101)]),
}
GRADIENTS = {  # canonical name: elements kept
    "downsample_layers.0.0.weight": 24, "stages.1.2.dwconv.weight": 24, "stages.2.26.gamma": 24,
    "stages.3.0.pwconv1.weight": 24, "norm.weight": 24,
}


def canonical_of_hf(name):
    name = name.removeprefix("model.")
    name = re.sub(r"^stages\.(\d)\.downsample_layers\.(\d)\.", r"downsample_layers.\1.\2.", name)
    name = re.sub(r"^stages\.(\d)\.layers\.(\d+)\.", r"stages.\1.\2.", name)
    name = name.replace("depthwise_conv.", "dwconv.").replace("pointwise_conv", "pwconv")
    return name.replace("layer_norm.", "norm.")


def canonical_of_timm(name):
    name = re.sub(r"^stem\.(\d)\.", r"downsample_layers.0.\1.", name)
    name = re.sub(r"^stages\.(\d)\.downsample\.(\d)\.", r"downsample_layers.\1.\2.", name)
    name = re.sub(r"^stages\.(\d)\.blocks\.(\d+)\.", r"stages.\1.\2.", name)
    name = name.replace("conv_dw.", "dwconv.").replace("mlp.fc", "pwconv")
    return name.replace("head.norm.", "norm.")


@torch.no_grad()
def fill(model, canonical):
    for name, tensor in model.named_parameters():
        tensor.copy_(synthetic.parameter(canonical(name), tensor.shape, GAIN))
    return model.double().eval()


def networks(net):
    model = DINOv3ConvNextModel(DINOv3ConvNextConfig(hidden_sizes=net["widths"], depths=net["depths"]))
    peer = timm.create_model("convnext_tiny.dinov3_lvd1689m", pretrained=False, num_classes=0, depths=net["depths"],
                             dims=net["widths"])
    return fill(model, canonical_of_hf), fill(peer, canonical_of_timm)


def golden(case, net, batch, sizes):
    model, peer = networks(net)
    tensors = {}
    for height, width in sizes:
        images = synthetic.image("image", (batch, 3, height, width)).double()
        with torch.no_grad():
            out = model(images, output_hidden_states=True)
            pooled = peer(images)
        assert (pooled - out.pooler_output).abs().max() < 1e-12 * pooled.abs().max(), case
        key = f"{height}x{width}"
        tensors[key + ".cls"] = out.pooler_output[:, ::2]
        tensors[key + ".patches"] = out.last_hidden_state[:, 1:][:, ::5, ::8]
        stages = out.hidden_states[-4:]
        assert [x.shape[1] for x in stages] == net["widths"]
        for s, stage in enumerate(stages[:3]):
            tensors[f"{key}.stage{s}.cls"] = stage.mean((2, 3))[:, ::8]
            tensors[f"{key}.stage{s}.patches"] = stage.flatten(2).transpose(1, 2)[:, ::97, ::8]
        tensors[key + ".stage3.unnormed"] = stages[3].flatten(2).transpose(1, 2)[:, ::5, ::8]
    if case == "convnext_deep":
        images = synthetic.image("image", (batch, 3, *sizes[0])).double()
        weights = synthetic.image("loss", (batch, net["widths"][-1])).double()
        (model(images).pooler_output * weights).sum().backward()
        for name, tensor in model.named_parameters():
            if kept := GRADIENTS.get(canonical_of_hf(name)):
                tensors["gradient." + canonical_of_hf(name)] = tensor.grad.flatten()[:kept]
    save(case, tensors)


def save(case, tensors):
    path = HERE / f"{case}.safetensors"
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, path)
    path.chmod(0o644)
    for key, value in tensors.items():
        print(f"{case} {key} {tuple(value.shape)} std {value.std():.4g} max {value.abs().max():.4g}")
    print(f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    for name, arguments in CASES.items():
        golden(name, *arguments)
