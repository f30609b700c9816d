#!/usr/bin/env python3
"""Times one DINOv2 training step in eager PyTorch on the CPU with the modules of the PyPI package `dinov2` (backbone,
heads, losses, parameter groups), put together as its SSLMetaArch does it: CLS loss, iBOT on masked patches, KoLeo, clipping
of each part, AdamW, EMA. What needs a GPU is left out: the crops of each size go through the backbone by themselves, and
attention is the package's own. Crops and masks are synthetic and not timed.

  bench/peers/dinov2_step.py --recipe recipes/bench_dinov2_vits14.toml --precision fp32 --threads 2 --json
"""

import contextlib
import sys
import tempfile

import torch
import torch.distributed as dist
from dinov2.layers import DINOHead
from dinov2.loss import DINOLoss, KoLeoLoss, iBOTPatchLoss
from dinov2.models.vision_transformer import DinoVisionTransformer
from dinov2.utils.param_groups import get_params_groups_with_decay
from torch import nn

import dino_step  # puts tests/golden on the path
import dino_torch as dino

ARCHITECTURES = {  # name: (D, depth, heads)
    "dinov2_vits14": (384, 12, 6),
    "dinov2_vitb14": (768, 12, 12),
    "dinov2_vitl14": (1024, 24, 16),
}


def build_network(recipe, drop_path):
    backbone, head = recipe["backbone"], recipe["head"]
    if backbone["arch"] not in ARCHITECTURES or not recipe["ibot"]["tied"] or recipe["dino"]["centering"] != "mean":
        sys.exit("[dinov2_step] only ViTs with an MLP, a tied head and a running mean are timed here")
    dim, depth, heads = ARCHITECTURES[backbone["arch"]]
    trunk = DinoVisionTransformer(img_size=recipe["crops"]["global_size"], patch_size=backbone["patch_size"],
                                  embed_dim=dim, depth=depth, num_heads=heads, drop_path_rate=drop_path,
                                  drop_path_uniform=True, init_values=backbone["layer_scale"], block_chunks=0)
    return nn.ModuleDict({"backbone": trunk,
                          "dino_head": DINOHead(dim, head["prototypes"], hidden_dim=head["hidden"],
                                                bottleneck_dim=head["bottleneck"], nlayers=head["layers"])})


def draw_masks(count, patches, options):
    """[count, patches] bool: `share` of the crops are masked, in ratios that are spread over `ratio`."""
    masks = torch.zeros(count, patches, dtype=torch.bool)
    masked = int(count * options["share"])
    for row, ratio in zip(torch.randperm(count)[:masked].tolist(), torch.linspace(*options["ratio"], masked).tolist()):
        masks[row, torch.randperm(patches)[:int(ratio * patches)]] = True
    return masks


class Step:
    """Everything one training step needs; calling it runs the step and returns the loss."""

    def __init__(self, recipe, precision):
        dist.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/store", rank=0, world_size=1)
        self.recipe, optim, crops = recipe, recipe["optim"], recipe["crops"]
        batch, prototypes = recipe["train"]["batch_size"], recipe["head"]["prototypes"]
        self.student, self.teacher = build_network(recipe, recipe["backbone"]["drop_path"]), build_network(recipe, 0.0)
        self.teacher.load_state_dict(self.student.state_dict())
        for parameter in self.teacher.parameters():
            parameter.requires_grad = False
        self.dino_loss, self.ibot_loss, self.koleo_loss = DINOLoss(prototypes), iBOTPatchLoss(prototypes), KoLeoLoss()
        groups = [group for part in self.student.values()
                  for group in get_params_groups_with_decay(part, optim["layer_decay"], optim["patch_embed_lr"])]
        lr = optim["lr"] * (batch / optim["lr_reference_batch"]) ** 0.5
        for group in groups:
            group["lr"], group["weight_decay"] = (lr * group["lr_multiplier"],
                                                  optim["weight_decay"] * group["wd_multiplier"])
        self.optimizer = torch.optim.AdamW(groups, betas=tuple(optim["betas"]), eps=optim["eps"])
        size, side = crops["global_size"], crops["global_size"] // recipe["backbone"]["patch_size"]
        self.globals = torch.randn(2 * batch, 3, size, size)
        self.locals = torch.randn(crops["local_count"] * batch, 3, crops["local_size"], crops["local_size"])
        self.masks = draw_masks(2 * batch, side * side, recipe["masks"])
        self.autocast = (lambda: torch.autocast("cpu", dtype=torch.bfloat16)) if precision == "bf16" \
            else contextlib.nullcontext

    def targets(self, indices):
        temperature = self.recipe["dino"]["teacher_temperature"]
        head = self.teacher["dino_head"]
        out = self.teacher["backbone"](self.globals, is_training=True)
        cls = head(torch.cat(out["x_norm_clstoken"].chunk(2)[::-1]))
        patches = head(out["x_norm_patchtokens"].flatten(0, 1)[indices]).unsqueeze(0)
        cls_targets = self.dino_loss.softmax_center_teacher(cls, temperature)
        self.dino_loss.update_center(cls)
        patch_targets = self.ibot_loss.softmax_center_teacher(patches, temperature).squeeze(0)
        self.ibot_loss.update_center(patches)
        return cls_targets, patch_targets

    def loss(self):
        masks, local_count = self.masks, self.recipe["crops"]["local_count"]
        indices = masks.flatten().nonzero().flatten()
        weights = (1 / masks.sum(-1).clamp(min=1)).unsqueeze(-1).expand_as(masks)[masks]
        with torch.no_grad():
            targets, patch_targets = self.targets(indices)
        head = self.student["dino_head"]
        out = self.student["backbone"](self.globals, masks=masks, is_training=True)
        local_cls = self.student["backbone"](self.locals, is_training=True)["x_norm_clstoken"]
        terms = 2 + 2 * local_count
        local_term = self.dino_loss(head(local_cls).chunk(local_count), targets.view(2, -1, targets.shape[-1])) / terms
        global_term = self.dino_loss([head(out["x_norm_clstoken"])], [targets]) * 2 / terms
        koleo = sum(self.koleo_loss(view) for view in out["x_norm_clstoken"].chunk(2))
        patches = self.ibot_loss.forward_masked(head(out["x_norm_patchtokens"].flatten(0, 1)[indices]), patch_targets,
                                                student_masks_flat=masks, n_masked_patches=len(indices),
                                                masks_weight=weights)
        return local_term + global_term + self.recipe["koleo"]["weight"] * koleo + self.recipe["ibot"]["weight"] * patches

    def __call__(self):
        with self.autocast():
            loss = self.loss()
        value = loss.item()
        self.optimizer.zero_grad()
        loss.backward()
        for part in self.student.values():
            torch.nn.utils.clip_grad_norm_(part.parameters(), self.recipe["optim"]["clip_grad"])
        self.optimizer.step()
        dino.update_teacher(self.student, self.teacher, self.recipe["optim"]["ema_momentum"])
        return value


if __name__ == "__main__":
    dino_step.time_steps(Step, __doc__.splitlines()[0])
