#!/usr/bin/env python3
"""Writes the XCiT goldens: timm's xcit_{small_12,medium_24}_{p16,p8}_224, which are the nets DINO released (all have
tokens_norm = True), with synthetic weights, running statistics and images, evaluated in float64, stored as float32
slices. Weights carry the names of facebookresearch/xcit and reach timm through its own filter for those checkpoints.

  tests/golden/model/xcit.py        needs torch, timm, safetensors, numpy
"""

import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from timm.models.xcit import checkpoint_filter_fn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import synthetic  # noqa: E402

GAIN = 1.5
LITTLE = dict(embed_dim=48, depth=3, num_heads=4)
# name: (timm's name, arguments, batch, (steps kept of CLS channels, tokens, channels), [(height, width)]): native size,
# others, not square, not a multiple of the patch.
CASES = {
    "xcit_little_p16": ("xcit_small_12_p16_224", LITTLE, 2, (1, 3, 4), [(64, 64), (48, 112), (50, 71)]),
    "xcit_little_p8": ("xcit_medium_24_p8_224", LITTLE, 2, (1, 5, 4), [(32, 32), (56, 24), (43, 29)]),
    "xcit_small_12_p16": ("xcit_small_12_p16_224", {}, 1, (2, 29, 32), [(224, 224), (96, 96), (64, 160)]),
    "xcit_small_12_p8": ("xcit_small_12_p8_224", {}, 1, (2, 113, 32), [(224, 224), (56, 72)]),
    "xcit_medium_24_p16": ("xcit_medium_24_p16_224", {}, 1, (2, 29, 32), [(224, 224), (96, 160)]),
}
GRADIENTS = ["cls_token", "patch_embed.proj.0.0.weight", "blocks.0.attn.temperature", "blocks.1.attn.qkv.weight",
             "blocks.2.local_mp.bn.weight", "blocks.2.gamma3", "pos_embed.token_projection.weight"]


def canonical_tensors(model):
    """What a checkpoint of facebookresearch/xcit would hold, by its names."""
    shapes = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("pos_embed.", "pos_embeder.")
        if name.startswith("cls_attn_blocks.") and (".attn.k." in name or ".attn.v." in name):
            continue
        if name.startswith("cls_attn_blocks.") and ".attn.q." in name:
            name, shape = name.replace(".q.", ".qkv."), (3 * tensor.shape[0], *tensor.shape[1:])
        else:
            shape = tuple(tensor.shape)
        shapes[name] = shape
    return {name: synthetic.parameter(name, shape, GAIN) if "running" not in name and "tracked" not in name
            else synthetic.statistic(name, shape) for name, shape in shapes.items()}


def network(name, arguments):
    model = timm.create_model(name, num_classes=0, **arguments)
    assert all(block.tokens_norm for block in model.cls_attn_blocks)
    model.load_state_dict(checkpoint_filter_fn(canonical_tensors(model), model))
    return model.double().eval()


def with_block_inputs(model, images):
    """Final tokens, the outputs of all blocks and what the last class-attention block read."""
    outputs, inputs = [], []

    def note(module, given, output):
        inputs.append(given[0])
        outputs.append(output)

    handles = [block.register_forward_hook(note) for block in [*model.blocks, *model.cls_attn_blocks]]
    tokens = model.forward_features(images)
    for handle in handles:
        handle.remove()
    return tokens, outputs, inputs[-1]


def class_attention(block, x):
    attention, x = block.attn, block.norm1(x)
    b, n, d = x.shape
    q = attention.q(x[:, :1]).reshape(b, 1, attention.num_heads, -1).transpose(1, 2)
    k = attention.k(x).reshape(b, n, attention.num_heads, -1).transpose(1, 2)
    return (q @ k.transpose(-2, -1) * attention.scale).softmax(-1)  # [B, h, 1, N]


def golden(case, name, arguments, batch, steps, sizes):
    model = network(name, arguments)
    cls_step, token_step, channel_step = steps
    tensors = {}

    def keep(key, tokens):
        tensors[key + ".cls"] = tokens[:, 0, ::cls_step]
        tensors[key + ".patches"] = tokens[:, 1::token_step, ::channel_step]

    for height, width in sizes:
        images = synthetic.image("image", (batch, 3, height, width)).double()
        key = f"{height}x{width}"
        with torch.no_grad():
            tokens, outputs, last_input = with_block_inputs(model, images)
            attention = class_attention(model.cls_attn_blocks[-1], last_input)
        keep(key, tokens)
        depth = len(model.blocks)
        keep(key + ".class_block", outputs[depth])  # before any norm
        tensors[key + ".last_block"] = outputs[depth - 1][:, ::token_step, ::channel_step]
        tensors[key + ".cls_attention"] = attention[:, :, 0, ::token_step]
    if case == "xcit_little_p16":
        training(model, batch, keep, tensors)
    save(case, tensors)


def training(model, batch, keep, tensors):
    """One step's forward by batch statistics, its gradients and what it leaves in the running statistics."""
    model.train()
    images = synthetic.image("image", (batch, 3, 64, 64)).double()
    tokens = model.forward_features(images)
    keep("train", tokens.detach())
    (tokens[:, 0] * synthetic.image("loss", (batch, tokens.shape[2])).double()).sum().backward()
    parameters = dict(model.named_parameters())
    for name in GRADIENTS:
        tensors["gradient." + name.replace("pos_embed.", "pos_embeder.")] = parameters[name].grad.flatten()[:24]
    for statistic in ("running_mean", "running_var"):
        tensors["after." + statistic] = model.state_dict()["blocks.2.local_mp.bn." + statistic]


def save(case, tensors):
    path = HERE / f"{case}.safetensors"
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, path)
    path.chmod(0o644)
    for key, value in tensors.items():
        print(f"{case} {key} {tuple(value.shape)} std {value.std():.4g} max {value.abs().max():.4g}")
    print(f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    for case_name, parts in CASES.items():
        golden(case_name, *parts)
