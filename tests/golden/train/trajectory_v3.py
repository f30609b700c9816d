#!/usr/bin/env python3
"""Writes trajectory_v3.safetensors and trajectory_v3.json: ten training steps of a tiny DINOv3 in plain PyTorch, written from
the method's description: rotary positions, registers, LayerScale, masked key bias or none, SwiGLU, a norm of its own for
local CLS, heads with a plain last layer, iBOT with its own head, Sinkhorn-Knopp, KoLeo, local terms whose weight falls, and
Gram anchoring to a copy of the teacher that is renewed once, with larger crops. Computed in float64; a float32 run must stay
within a tenth of the test's tolerances, which shows that the trajectory is well conditioned.

  tests/golden/train/trajectory_v3.py  needs torch, safetensors, numpy
"""

import copy
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import dino_torch as dino  # noqa: E402
import synthetic  # noqa: E402
from trajectory import crops, masks, slices, store  # noqa: E402

STEPS = 10
ITERATIONS_PER_EPOCH, EPOCHS = 4, 3
BATCH, CHANNELS, GLOBAL_PX, GRAM_PX, PATCH, DIM, DEPTH, HEADS, REGISTERS = 4, 3, 16, 24, 4, 32, 2, 2, 4
LR, WARMUP_EPOCHS = 0.002, 1
WEIGHT_DECAY, MOMENTUM, STUDENT_TEMPERATURE = 0.04, 0.9, 0.1
TEACHER_TEMPERATURE, WARMUP_TEMPERATURE, TEMPERATURE_EPOCHS = 0.07, 0.04, 2
CLIP, LAYER_DECAY, PATCH_EMBED_LR = 0.3, 0.98, 0.2
IBOT_WEIGHT, KOLEO_WEIGHT, GRAM_WEIGHT = 1.0, 0.1, 2.0
COPY_AT, GRAM_START, GRAM_RAMP, RENEWED_AFTER = 4, 4, 4, 7  # iterations
LOCAL_WEIGHTS = (1.0, 0.5)

CASES = {"seven": dict(swiglu=64, qkv_bias=False, local_cls_norm=True, per_image=True),
         "small": dict(swiglu=0, qkv_bias=True, local_cls_norm=False, per_image=False)}


class Holder(nn.Module):
    """Names a parameter as published files do."""

    def __init__(self, **parameters):
        super().__init__()
        for name, parameter in parameters.items():
            setattr(self, name, nn.Parameter(parameter) if torch.is_tensor(parameter) else parameter)


class Block(nn.Module):
    def __init__(self, swiglu, qkv_bias):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM, eps=1e-5), nn.LayerNorm(DIM, eps=1e-5)
        self.attn = Holder(qkv=nn.Linear(DIM, 3 * DIM, bias=qkv_bias), proj=nn.Linear(DIM, DIM))
        self.ls1, self.ls2 = Holder(gamma=torch.ones(DIM)), Holder(gamma=torch.ones(DIM))
        self.swiglu = swiglu
        self.mlp = (Holder(w12=nn.Linear(DIM, 2 * swiglu), w3=nn.Linear(swiglu, DIM)) if swiglu
                    else Holder(fc1=nn.Linear(DIM, 4 * DIM), fc2=nn.Linear(4 * DIM, DIM)))

    def attention(self, x, rope):
        b, n, _ = x.shape
        bias = self.attn.qkv.bias
        if bias is not None:  # the key third is held at zero
            third = torch.ones_like(bias)
            third[DIM:2 * DIM] = 0
            bias = bias * third
        q, k, v = F.linear(x, self.attn.qkv.weight, bias).reshape(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, rope), rotate(k, rope)
        x = ((q @ k.transpose(-2, -1)) / math.sqrt(DIM // HEADS)).softmax(-1) @ v
        return self.attn.proj(x.transpose(1, 2).reshape(b, n, DIM))

    def forward(self, x, rope):
        x = x + self.ls1.gamma * self.attention(self.norm1(x), rope)
        y = self.norm2(x)
        if self.swiglu:
            a, b = self.mlp.w12(y).chunk(2, -1)
            return x + self.ls2.gamma * self.mlp.w3(F.silu(a) * b)
        return x + self.ls2.gamma * self.mlp.fc2(F.gelu(self.mlp.fc1(y)))


def rotation(height, width, dtype):
    """(cos, sin) [P, d] of d = DIM / HEADS: d / 4 periods 100^(2 k / (d / 2)) for y, then for x, the whole twice."""
    d = DIM // HEADS
    periods = 100.0 ** (2 * torch.arange(d // 4, dtype=torch.float64) / (d // 2))
    y, x = ((torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 - 1 for n in (height, width))
    at = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    angles = (2 * math.pi * at[:, :, None] / periods).flatten(1).tile(2)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x, rope):
    cosines, sines = rope
    prefix = 1 + REGISTERS
    u, v = x[:, :, prefix:].chunk(2, -1)
    turned = x[:, :, prefix:] * cosines + torch.cat([-v, u], -1) * sines
    return torch.cat([x[:, :, :prefix], turned], 2)


class Backbone(nn.Module):
    def __init__(self, swiglu, qkv_bias, local_cls_norm):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, DIM))
        self.register_tokens = nn.Parameter(torch.zeros(1, REGISTERS, DIM))
        self.mask_token = nn.Parameter(torch.zeros(1, DIM))
        self.patch_embed = dino.PatchEmbed(CHANNELS, DIM, PATCH)
        self.blocks = nn.ModuleList(Block(swiglu, qkv_bias) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(DIM, eps=1e-5)
        self.local_cls_norm = nn.LayerNorm(DIM, eps=1e-5) if local_cls_norm else None

    def forward(self, images, masks=None, local=False):
        x = self.patch_embed(images)
        if masks is not None:
            x = torch.where(masks[:, :, None], self.mask_token, x)
        tokens = [self.cls_token.expand(len(x), -1, -1), self.register_tokens.expand(len(x), -1, -1), x]
        x = torch.cat(tokens, 1)
        rope = rotation(images.shape[-2] // PATCH, images.shape[-1] // PATCH, x.dtype)
        for block in self.blocks:
            x = block(x, rope)
        norm = self.local_cls_norm if local and self.local_cls_norm is not None else self.norm
        return norm(x[:, 0]), self.norm(x[:, 1 + REGISTERS:])


class Head(nn.Module):
    def __init__(self, prototypes, hidden, bottleneck):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(DIM, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
                                 nn.Linear(hidden, bottleneck))
        self.last_layer = nn.Linear(bottleneck, prototypes, bias=False)

    def forward(self, x):
        return self.last_layer(F.normalize(self.mlp(x), dim=-1))


def network(case, dtype):
    parts = {"backbone": Backbone(case["swiglu"], case["qkv_bias"], case["local_cls_norm"]),
             "dino_head": Head(64, 48, 16), "ibot_head": Head(40, 32, 12)}
    return synthetic.fill_parameters(nn.ModuleDict(parts)).to(dtype)


def sinkhorn(logits, temperature):
    q = (logits / temperature).exp().t()
    q /= q.sum()
    for _ in range(3):
        q /= q.sum(1, keepdim=True) * len(q)
        q /= q.sum(0, keepdim=True) * q.shape[1]
    return (q * q.shape[1]).t()


def cross_entropy(target, logits):
    return -(target * (logits / STUDENT_TEMPERATURE).log_softmax(-1)).sum(-1)


def koleo(x):
    x = F.normalize(x, dim=-1, eps=1e-8)
    with torch.no_grad():
        nearest = (x @ x.t()).fill_diagonal_(-1).argmax(1)
    return -((x - x[nearest] + 1e-8).norm(dim=-1) + 1e-8).log().mean()


def gram(student, teacher, per_image):
    """Patch features [C, P, D] and [C, G, D] of a finer grid."""
    side, finer = (math.isqrt(x.shape[1]) for x in (student, teacher))
    maps = teacher.unflatten(1, (finer, finer)).permute(0, 3, 1, 2)
    teacher = F.interpolate(maps, size=(side, side), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
    student, teacher = F.normalize(student, dim=-1), F.normalize(teacher, dim=-1)
    if not per_image:
        student, teacher = student.flatten(0, 1), teacher.flatten(0, 1)
    return (student @ student.mT - teacher @ teacher.mT).square().mean()


def half_cosine(start, end, begin, length, i):
    if i < begin:
        return start
    if i >= begin + length:
        return end
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * (i - begin) / (length - 1)))


def groups_of(student):
    """(parameter, factor of the rate, factor of the decay, is of a last layer)."""
    for part, module in student.items():
        for name, parameter in module.named_parameters():
            rate = 1.0
            if part == "backbone":
                if name.startswith("blocks."):
                    rate = LAYER_DECAY ** (DEPTH - int(name.split(".")[1]))
                elif "token" in name or name.startswith("patch_embed"):
                    rate = LAYER_DECAY ** (DEPTH + 1)
                if name.startswith("patch_embed"):
                    rate *= PATCH_EMBED_LR
            plain = name.endswith("bias") or "norm" in name or "gamma" in name
            yield {"params": parameter, "rate": rate, "decay": 0.0 if plain else 1.0, "last": "last_layer" in name}


def train(case, dtype):
    student, teacher = network(case, dtype), network(case, dtype)
    gram_teacher = None
    optimizer = torch.optim.AdamW(list(groups_of(student)), betas=(0.9, 0.99))
    warmup = TEMPERATURE_EPOCHS * ITERATIONS_PER_EPOCH
    temperatures = torch.linspace(WARMUP_TEMPERATURE, TEACHER_TEMPERATURE, warmup, dtype=torch.float64).tolist()
    temperatures += [TEACHER_TEMPERATURE] * EPOCHS * ITERATIONS_PER_EPOCH

    steps = []
    for i in range(STEPS):
        lr = LR * min(1.0, i / (WARMUP_EPOCHS * ITERATIONS_PER_EPOCH))
        for group in optimizer.param_groups:
            group["lr"] = 0.0 if group["last"] and i < ITERATIONS_PER_EPOCH else lr * group["rate"]
            group["weight_decay"] = WEIGHT_DECAY * group["decay"]
        local_weight = half_cosine(*LOCAL_WEIGHTS, GRAM_START, GRAM_RAMP, i)
        gram_weight = half_cosine(0, GRAM_WEIGHT, GRAM_START, GRAM_RAMP, i)
        if i == COPY_AT:
            gram_teacher = copy.deepcopy(teacher["backbone"])
        views, masked = crops(i, dtype), masks(i)
        globals_, locals_ = torch.cat(views[:2]), torch.cat(views[2:])
        large = synthetic.image(f"gram{i}", (2 * BATCH, CHANNELS, GRAM_PX, GRAM_PX)).to(dtype)
        indices = masked.flatten().nonzero().flatten()
        weights = (1 / masked.sum(-1).clamp(min=1)).unsqueeze(-1).expand_as(masked)[masked].to(dtype)

        with torch.no_grad():
            cls, patches = teacher["backbone"](globals_)
            targets = sinkhorn(teacher["dino_head"](cls), temperatures[i]).chunk(2)
            patch_targets = sinkhorn(teacher["ibot_head"](patches.flatten(0, 1)[indices]), temperatures[i])
            anchors = gram_teacher(large)[1] if gram_teacher is not None else None
        cls, patches = student["backbone"](globals_, masked)
        local_cls, _ = student["backbone"](locals_, local=True)
        global_logits = student["dino_head"](cls).chunk(2)
        local_logits = student["dino_head"](local_cls).chunk(len(views) - 2)
        count = len(local_logits)
        local_loss = sum(cross_entropy(t, s).mean() for t in targets for s in local_logits) / (2 * count)
        global_loss = (cross_entropy(targets[0], global_logits[1]).mean() +
                       cross_entropy(targets[1], global_logits[0]).mean()) / 2
        terms = 2 * count + 2
        dino_loss = 2 * count / terms * local_weight * local_loss + 2 / terms * global_loss
        ibot_loss = (weights * cross_entropy(patch_targets, student["ibot_head"](patches.flatten(0, 1)[indices]))).sum() \
            / (2 * BATCH)
        koleo_loss = sum(koleo(x) for x in cls.chunk(2))
        gram_loss = gram(patches, anchors, case["per_image"]) if gram_weight > 0 else torch.zeros((), dtype=dtype)
        loss = dino_loss + IBOT_WEIGHT * ibot_loss + KOLEO_WEIGHT * koleo_loss + gram_weight * gram_loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in student.parameters() if p.grad is not None]).norm().item()
        for part in student.values():
            torch.nn.utils.clip_grad_norm_(part.parameters(), CLIP)
        optimizer.step()
        dino.update_teacher(student, teacher, MOMENTUM)
        if i == RENEWED_AFTER:
            gram_teacher = copy.deepcopy(teacher["backbone"])
        steps.append({"loss": loss.item(), "loss_dino": dino_loss.item(), "loss_ibot": ibot_loss.item(),
                      "loss_spread": koleo_loss.item(), "loss_gram": gram_loss.item(), "gradient_norm": norm, "lr": lr,
                      "teacher_temperature": temperatures[i], "local_weight": local_weight})
    return steps, student, teacher


def final(name, student, teacher):
    return {**slices(f"{name}.student", student), **slices(f"{name}.teacher", teacher)}


def main():
    store("trajectory_v3", CASES, train, final)


if __name__ == "__main__":
    main()
