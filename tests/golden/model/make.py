#!/usr/bin/env python3
"""Writes the backbone goldens: timm's ViTs (the architecture of the published DINO checkpoints) and torchvision's
ResNet-50, with synthetic weights and images, evaluated in float64 and stored as float32 slices. timm resamples
positions by another rule, so for sizes other than the table's the table is resampled here by DINO's rule first.

  tests/golden/model/make.py        needs torch, torchvision, timm, safetensors, numpy
"""

import sys
from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import synthetic  # noqa: E402
from dino_torch import interpolate_positions  # noqa: E402

# name: (timm model, arguments, table size px, batch, [(height, width)]); sizes not divisible by the patch drop the rest.
CASES = {
    "tiny_p8": ("vit_small_patch8_224", dict(embed_dim=48, depth=3, num_heads=3), 32, 2,
                [(32, 32), (48, 48), (24, 40), (35, 31)]),
    "gray_p4": ("vit_small_patch8_224", dict(embed_dim=32, depth=2, num_heads=2, patch_size=4, in_chans=1), 28, 2,
                [(28, 28), (16, 16)]),
    "small_p16": ("vit_small_patch16_224", {}, 224, 1, [(224, 224), (96, 96), (160, 240)]),
    "small_p8": ("vit_small_patch8_224", {}, 224, 1, [(224, 224), (96, 96), (64, 104)]),
}


def resized(name, arguments, table_px, height, width, patch):
    """timm's model for this input size, its position table resampled by DINO's rule."""
    model = timm.create_model(name, num_classes=0, global_pool="token", img_size=table_px, **arguments)
    weights = synthetic.fill_parameters(model).double().state_dict()
    weights["pos_embed"] = interpolate_positions(weights["pos_embed"], table_px // patch, height // patch,
                                                 width // patch)
    model = timm.create_model(name, num_classes=0, global_pool="token",
                              img_size=(height // patch * patch, width // patch * patch), **arguments)
    model.double().load_state_dict(weights)
    return model.eval()


def last_attention(model, images):
    captured = []
    block = model.blocks[-1]
    handle = block.norm1.register_forward_hook(lambda module, inputs, output: captured.append(output))
    model.forward_features(images)
    handle.remove()
    attention, x = block.attn, captured[0]
    b, n, d = x.shape
    q, k, _ = attention.qkv(x).reshape(b, n, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    return (q @ k.transpose(-2, -1) * attention.scale).softmax(-1)


@torch.no_grad()
def vit_goldens():
    for case, (name, arguments, table_px, batch, sizes) in CASES.items():
        tensors = {}
        patch = arguments.get("patch_size", 16 if "patch16" in name else 8)
        for height, width in sizes:
            images = synthetic.image("image", (batch, arguments.get("in_chans", 3), height, width)).double()
            images = images[:, :, : height // patch * patch, : width // patch * patch]
            model = resized(name, arguments, table_px, height, width, patch)
            tokens = model.forward_features(images)  # [B, N, D] after the final norm
            before_last = model.forward_intermediates(images, indices=[len(model.blocks) - 2], norm=True,
                                                      output_fmt="NLC", intermediates_only=True,
                                                      return_prefix_tokens=True)[0][1]
            key = f"{height}x{width}"
            tensors[key + ".cls"] = tokens[:, 0]
            tensors[key + ".patches"] = tokens[:, 1:][:, ::13, :24]
            tensors[key + ".previous_cls"] = before_last[:, 0, :24]
            tensors[key + ".cls_attention"] = last_attention(model, images)[:, :, 0, ::5]
        save(case, tensors)


@torch.no_grad()
def resnet_golden():
    """Evaluation with fresh running statistics (0, 1), then training mode (batch statistics)."""
    model = torchvision.models.resnet50(weights=None)
    model.fc = torch.nn.Identity()
    synthetic.fill_parameters(model, gain=1.5).double()
    images = synthetic.image("image", (3, 3, 64, 96)).double()
    tensors = {}
    for mode in ("eval", "train"):
        stages = {}
        model.train(mode == "train")
        handle = model.layer4.register_forward_hook(lambda module, inputs, output: stages.update(last=output))
        tensors[mode + ".cls"] = model(images)[:, ::5]
        handle.remove()
        tensors[mode + ".patches"] = stages["last"].flatten(2).transpose(1, 2)[:, :, ::64]  # [B, P, D/64]
    tensors["running_mean"] = model.layer4[2].bn3.running_mean[::16]
    tensors["running_var"] = model.layer4[2].bn3.running_var[::16]
    save("resnet50", tensors)


def save(case, tensors):
    path = HERE / f"{case}.safetensors"
    save_file({key: value.float().contiguous() for key, value in tensors.items()}, path)
    path.chmod(0o644)
    for key, value in tensors.items():
        print(f"{case} {key} {tuple(value.shape)} std {value.std():.4f} max {value.abs().max():.4f}")


def check_resampling():
    """The worked example of the rule: a 4x4 table of 0..15 to 3x3, first row."""
    table = torch.cat([torch.zeros(1, 1, 1), torch.arange(16.0).reshape(1, 16, 1)], dim=1)
    row = interpolate_positions(table, 4, 3, 3)[0, 1:4, 0]
    assert torch.allclose(row, torch.tensor([0.54818, 1.88989, 3.22774]), atol=1e-5), row


if __name__ == "__main__":
    check_resampling()
    vit_goldens()
    resnet_golden()
