#!/usr/bin/env python3
"""Writes checkpoints/*.pth as the papers' code saves them, tiny and with random numbers: modules of timm and of the
package dinov2 (its DINOHead is DINO's), wrapped, prefixed and put beside the optimizer as main_dino.py, DINOv2's
checkpointer and the releases do; DINOv3, which no package here has, by its published names. expected.json lists what
each file holds: heads with their numbers, and of every tensor shape, sum, first and last value.

  tests/golden/weights/make_checkpoints.py     needs torch, timm, and dinov2 (pip install --no-deps)
"""

import argparse
import json
import sys
import types
from functools import partial
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parent / "checkpoints"
D, DEPTH, HIDDEN, BOTTLENECK, K = 16, 2, 24, 8, 20

sys.modules.setdefault("xformers", types.ModuleType("xformers"))
from dinov2.layers import DINOHead, MemEffAttention, NestedTensorBlock  # noqa: E402
from dinov2.models.vision_transformer import DinoVisionTransformer  # noqa: E402


def randomized(module):
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape))
    return module


def head(in_dim=D, out_dim=K, **options):
    return randomized(DINOHead(in_dim, out_dim, hidden_dim=HIDDEN, bottleneck_dim=BOTTLENECK, **options))


def prefixed(prefix, module):
    state = module if isinstance(module, dict) else module.state_dict()
    return {prefix + name: tensor.clone() for name, tensor in state.items()}


def vit_v1():
    import timm
    return randomized(timm.models.VisionTransformer(img_size=16, patch_size=4, embed_dim=D, depth=DEPTH, num_heads=1,
                                                    num_classes=0))


def vit_v2(chunks):
    return randomized(DinoVisionTransformer(
        img_size=28, patch_size=14, embed_dim=D, depth=DEPTH, num_heads=1, init_values=1.0, block_chunks=chunks,
        block_fn=partial(NestedTensorBlock, attn_class=MemEffAttention)))


def vit_v3():
    """By the released files: storage tokens, periods, masked key bias, gamma."""
    state = {"cls_token": (1, 1, D), "storage_tokens": (1, 4, D), "mask_token": (1, D),
             "patch_embed.proj.weight": (D, 3, 16, 16), "patch_embed.proj.bias": (D,)}
    for i in range(DEPTH):
        shapes = {"norm1.weight": (D,), "norm1.bias": (D,), "attn.qkv.weight": (3 * D, D), "attn.qkv.bias": (3 * D,),
                  "attn.proj.weight": (D, D), "attn.proj.bias": (D,), "ls1.gamma": (D,), "norm2.weight": (D,),
                  "norm2.bias": (D,), "mlp.fc1.weight": (4 * D, D), "mlp.fc1.bias": (4 * D,),
                  "mlp.fc2.weight": (D, 4 * D), "mlp.fc2.bias": (D,), "ls2.gamma": (D,)}
        state |= {f"blocks.{i}.{name}": shape for name, shape in shapes.items()}
    state |= {"norm.weight": (D,), "norm.bias": (D,)}
    state = {name: torch.randn(shape) for name, shape in state.items()}
    state["rope_embed.periods"] = 100 ** (torch.arange(D // 4) / (D // 4))
    for i in range(DEPTH):
        state[f"blocks.{i}.attn.qkv.bias"][D:2 * D] = 0
        state[f"blocks.{i}.attn.qkv.bias_mask"] = torch.cat([torch.ones(D), torch.zeros(D), torch.ones(D)])
    return state


def head_v3(out_dim):
    """DINOv3's last layer is a plain linear one."""
    plain = head(out_dim=out_dim)
    state = {name: t for name, t in plain.state_dict().items() if name.startswith("mlp.")}
    state["last_layer.weight"] = torch.randn(out_dim, BOTTLENECK)
    return state


def save(name, document):
    OUT.mkdir(exist_ok=True)
    torch.save(document, OUT / f"{name}.pth")
    print(name, (OUT / f"{name}.pth").stat().st_size, "bytes")


# ---- what C++ must find ----

def facts(tensors):
    # weight_g and weight_v are how torch saves what is read; the newer names are those of parametrizations.
    newer = {"last_layer.parametrizations.weight.original0": "last_layer.weight_g",
             "last_layer.parametrizations.weight.original1": "last_layer.weight_v"}
    return {newer.get(name, name): {"shape": list(t.shape), "sum": t.double().sum().item(),
                                    "first": t.flatten()[0].item(), "last": t.flatten()[-1].item()}
            for name, t in tensors.items()}


def numbers(module, **more):
    state = module if isinstance(module, dict) else module.state_dict()
    matrices = [t for name, t in state.items() if name.startswith("mlp.") and t.dim() == 2]
    last = [t for name, t in state.items() if name.startswith("last_layer.") and t.shape[1] > 1][0]
    return {"in_dim": matrices[0].shape[1], "outputs": last.shape[0], "layers": len(matrices),
            "hidden": matrices[0].shape[0] if len(matrices) > 1 else 0, "bottleneck": last.shape[1],
            "bias": "mlp.bias" in state or "mlp.0.bias" in state, "weight_norm": "last_layer.weight" not in state, "batch_norm": any("running" in n for n in state), **more,
            "tensors": facts(state)}


def main():
    torch.manual_seed(0)
    expected = {}

    # main_dino.py: save_dict
    student, teacher = (vit_v1(), head()), (vit_v1(), head())
    joined = torch.nn.ModuleDict({"backbone": student[0], "head": student[1]})
    optimizer = torch.optim.AdamW(joined.parameters())
    (sum(p.sum() for p in joined.parameters())).backward()
    optimizer.step()
    save("v1", {
        "student": {**prefixed("module.backbone.", student[0]), **prefixed("module.head.", student[1])},
        "teacher": {**prefixed("backbone.", teacher[0]), **prefixed("head.", teacher[1])},
        "optimizer": optimizer.state_dict(), "epoch": 3, "args": argparse.Namespace(arch="vit_small", lr=0.0005),
        "dino_loss": {"center": torch.randn(1, K)}})
    expected["v1"] = {name: {"dino_head": numbers(parts[1])} for name, parts in
                      (("student", student), ("teacher", teacher))}

    # With batch norm both networks are wrapped, and the MLP counts the norms; newer torch names weight norm anew.
    normed = head(use_bn=True)
    direction = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(BOTTLENECK, K, bias=False))
    newer = {n: t for n, t in normed.state_dict().items() if n.startswith("mlp.")}
    newer |= prefixed("last_layer.", randomized(direction))
    save("v1_batch_norm", {"teacher": {**prefixed("module.backbone.", vit_v1()), **prefixed("module.head.", newer)}})
    expected["v1_batch_norm"] = {"teacher": {"dino_head": {**numbers(newer), "bottleneck": BOTTLENECK, "outputs": K,
                                                            "weight_norm": True}}}

    # DINOv2: the teacher that evaluation gets, its blocks in chunks; and the consolidated model.
    one_layer = head(nlayers=1, mlp_bias=False)
    ibot = head(out_dim=12)
    save("v2_teacher", {"teacher": {**prefixed("backbone.", vit_v2(2)), **prefixed("dino_head.", one_layer),
                                    **prefixed("ibot_head.", ibot)}})
    expected["v2_teacher"] = {"teacher": {"dino_head": numbers(one_layer), "ibot_head": numbers(ibot)}}
    model = {}
    expected["v2_model"] = {}
    for network in ("student", "teacher"):
        dino, ibot = head(), head(out_dim=12)
        model |= prefixed(f"{network}.backbone.", vit_v2(0))
        model |= prefixed(f"{network}.dino_head.", dino) | prefixed(f"{network}.ibot_head.", ibot)
        expected["v2_model"][network] = {"dino_head": numbers(dino), "ibot_head": numbers(ibot)}
    model["dino_loss.center"], model["ibot_patch_loss.center"] = torch.randn(1, K), torch.randn(1, 1, 12)
    save("v2_model", {"model": model, "iteration": 12})

    dino, ibot = head_v3(K), head_v3(12)
    save("v3_teacher", {"teacher": {**prefixed("backbone.", vit_v3()), **prefixed("dino_head.", dino),
                                    **prefixed("ibot_head.", ibot)}})
    expected["v3_teacher"] = {"teacher": {"dino_head": numbers(dino), "ibot_head": numbers(ibot)}}

    # Releases of linear classifiers: eval_linear.py's checkpoint, and DINOv2's and DINOv3's plain module.
    linear = randomized(torch.nn.Linear(4 * D, 10))
    save("v1_linear", {"epoch": 100, "state_dict": prefixed("module.linear.", linear), "best_acc": 77.0,
                       "scheduler": {"T_max": 100, "base_lrs": [0.004]}})
    plain = randomized(torch.nn.Linear(2 * D, 10))
    save("v2_linear", prefixed("", plain))
    for name, module in (("v1_linear", linear), ("v2_linear", plain)):
        expected[name] = {"": {"classifier": {"in_dim": module.in_features, "outputs": module.out_features,
                                              "tensors": facts(module.state_dict())}}}
    (OUT / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
