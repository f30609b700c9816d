#!/usr/bin/env python3
"""Writes trajectory_v2.safetensors and trajectory_v2.json: ten training steps of a tiny DINOv2 by the modules of the PyPI
package `dinov2` (backbone, heads, losses, parameter groups), put together as its SSLMetaArch and do_train put them: CLS loss,
iBOT on masked patches, KoLeo, tied or own head, centering or Sinkhorn-Knopp, layer decay, rate of the patch embedding,
clipping of each part of the network, the last layer at rate 0 in the first epoch. Only what needs a GPU is left out: the
crops of each size go through the backbone by themselves. Computed in float64; a float32 run must stay within a tenth of
the test's tolerances, which shows that the trajectory is well conditioned.

  tests/golden/train/trajectory_v2.py  needs torch, dinov2 (with --no-deps), safetensors, numpy
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from dinov2.layers import DINOHead
from dinov2.loss import DINOLoss, KoLeoLoss, iBOTPatchLoss
from dinov2.models.vision_transformer import DinoVisionTransformer
from dinov2.utils.param_groups import get_params_groups_with_decay
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import dino_torch as dino  # noqa: E402
import synthetic  # noqa: E402
from trajectory import crops, masks, slices, store  # noqa: E402

STEPS = 10
ITERATIONS_PER_EPOCH, EPOCHS = 4, 3
BATCH, GLOBAL_PX, PATCH, DIM, DEPTH = 4, 16, 4, 32, 2
LR, MIN_LR, WARMUP_EPOCHS = 0.002, 1e-6, 1
WEIGHT_DECAY, MOMENTUM = (0.04, 0.4), (0.9, 1.0)
TEACHER_TEMPERATURE, WARMUP_TEMPERATURE, TEMPERATURE_EPOCHS = 0.07, 0.04, 2
FREEZE_LAST_LAYER_EPOCHS = 1
CLIP, LAYER_DECAY, PATCH_EMBED_LR = 0.3, 0.9, 0.2
IBOT_WEIGHT, KOLEO_WEIGHT = 0.8, 0.1

# tied: one head for CLS and patches; else its own with other sizes.
CASES = {"tied_mean": dict(tied=True, sinkhorn=False, ffn="mlp"),
         "tied_sinkhorn": dict(tied=True, sinkhorn=True, ffn="mlp"),
         "untied_mean": dict(tied=False, sinkhorn=False, ffn="swiglu"),
         "untied_sinkhorn": dict(tied=False, sinkhorn=True, ffn="mlp")}


def network(tied, ffn, dtype):
    parts = {"backbone": DinoVisionTransformer(img_size=GLOBAL_PX, patch_size=PATCH, embed_dim=DIM, depth=DEPTH, num_heads=2,
                                               init_values=1.0, ffn_layer=ffn, block_chunks=0),
             "dino_head": DINOHead(DIM, 64, hidden_dim=48, bottleneck_dim=16)}
    if not tied:
        parts["ibot_head"] = DINOHead(DIM, 40, hidden_dim=32, bottleneck_dim=12)
    return synthetic.fill_parameters(nn.ModuleDict(parts)).to(dtype)


def train(case, dtype):
    student, teacher = (network(case["tied"], case["ffn"], dtype) for _ in range(2))
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    dino_loss, koleo_loss = DINOLoss(64), KoLeoLoss()
    ibot_loss = iBOTPatchLoss(64 if case["tied"] else 40)
    dino_loss.center, ibot_loss.center = dino_loss.center.to(dtype), ibot_loss.center.to(dtype)
    patch_head = "dino_head" if case["tied"] else "ibot_head"
    groups = [group for part in student.values()
              for group in get_params_groups_with_decay(part, LAYER_DECAY, PATCH_EMBED_LR)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999))
    total = EPOCHS * ITERATIONS_PER_EPOCH
    lr = dino.cosine_schedule(LR, MIN_LR, total, WARMUP_EPOCHS * ITERATIONS_PER_EPOCH)
    decay, momentum = dino.cosine_schedule(*WEIGHT_DECAY, total), dino.cosine_schedule(*MOMENTUM, total)
    warmup = TEMPERATURE_EPOCHS * ITERATIONS_PER_EPOCH
    temperatures = torch.linspace(WARMUP_TEMPERATURE, TEACHER_TEMPERATURE, warmup, dtype=torch.float64).tolist()
    temperatures += [TEACHER_TEMPERATURE] * (total - warmup)

    steps = []
    for i in range(STEPS):
        last_layer_lr = 0 if i < FREEZE_LAST_LAYER_EPOCHS * ITERATIONS_PER_EPOCH else lr[i]
        for group in optimizer.param_groups:
            group["lr"] = (last_layer_lr if group["is_last_layer"] else lr[i]) * group["lr_multiplier"]
            group["weight_decay"] = decay[i] * group["wd_multiplier"]
        views, masked = crops(i, dtype), masks(i)
        globals_, locals_ = torch.cat(views[:2]), torch.cat(views[2:])
        indices = masked.flatten().nonzero().flatten()
        weights = (1 / masked.sum(-1).clamp(min=1)).unsqueeze(-1).expand_as(masked)[masked].to(dtype)

        with torch.no_grad():
            out = teacher["backbone"](globals_, is_training=True)
            cls = torch.cat(out["x_norm_clstoken"].chunk(2)[::-1])  # the other view's, as the package has it
            cls_logits = teacher["dino_head"](cls)
            patch_logits = teacher[patch_head](out["x_norm_patchtokens"].flatten(0, 1)[indices])
            if case["sinkhorn"]:
                # The package computes in float32 here whatever it is given.
                double = partial(torch.Tensor.to, dtype=dtype)
                with _keeping_type(dtype):
                    targets = double(dino_loss.sinkhorn_knopp_teacher(cls_logits, temperatures[i]))
                    patch_targets = double(ibot_loss.sinkhorn_knopp_teacher(patch_logits, temperatures[i],
                                                                            torch.tensor([len(indices)])))
            else:
                targets = dino_loss.softmax_center_teacher(cls_logits, temperatures[i])
                dino_loss.update_center(cls_logits)
                patch_targets = ibot_loss.softmax_center_teacher(patch_logits.unsqueeze(0), temperatures[i]).squeeze(0)
                ibot_loss.update_center(patch_logits.unsqueeze(0))

        out = student["backbone"](globals_, masks=masked, is_training=True)
        local_out = student["backbone"](locals_, is_training=True)
        local_count = len(views) - 2
        terms = 2 + 2 * local_count
        local_term = dino_loss(student["dino_head"](local_out["x_norm_clstoken"]).chunk(local_count),
                               targets.view(2, -1, targets.shape[-1])) / terms
        global_term = dino_loss([student["dino_head"](out["x_norm_clstoken"])], [targets]) * 2 / terms
        koleo = sum(koleo_loss(p) for p in out["x_norm_clstoken"].chunk(2))
        patches = ibot_loss.forward_masked(student[patch_head](out["x_norm_patchtokens"].flatten(0, 1)[indices]),
                                           patch_targets, student_masks_flat=masked, n_masked_patches=len(indices),
                                           masks_weight=weights)
        loss = local_term + global_term + KOLEO_WEIGHT * koleo + IBOT_WEIGHT * patches
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in student.parameters() if p.grad is not None]).norm().item()
        for part in student.values():
            torch.nn.utils.clip_grad_norm_(part.parameters(), CLIP)
        optimizer.step()
        dino.update_teacher(student, teacher, momentum[i])
        steps.append({"loss": loss.item(), "loss_dino": (local_term + global_term).item(), "loss_ibot": patches.item(),
                      "loss_spread": koleo.item(), "gradient_norm": norm, "lr": lr[i],
                      "teacher_temperature": temperatures[i]})
    dino_loss.apply_center_update()
    ibot_loss.apply_center_update()
    return steps, student, teacher, dino_loss.center, ibot_loss.center


class _keeping_type:
    """Lets Tensor.float() keep float64 while it is entered."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        self.original = torch.Tensor.float
        torch.Tensor.float = lambda x: x.to(self.dtype)

    def __exit__(self, *_):
        torch.Tensor.float = self.original


def final(case, student, teacher, *centers):
    return {**slices(f"{case}.student", student), **slices(f"{case}.teacher", teacher),
            f"{case}.dino_center": centers[0].flatten().float(), f"{case}.ibot_center": centers[1].flatten().float()}


def main():
    dist.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/store", rank=0, world_size=1)
    store("trajectory_v2", CASES, train, final)


if __name__ == "__main__":
    main()
