#!/usr/bin/env python3
"""Writes trajectory.safetensors and trajectory.json: ten training steps of a tiny DINO in plain PyTorch, from fixed
weights and crops: two networks, all schedules, per-parameter clipping, AdamW with two weight-decay groups, a last layer
frozen in the first epoch, EMA, centering. Computed in float64; a float32 run must stay within a tenth of the test's
tolerances, which shows that the trajectory is well conditioned.

  tests/golden/train/trajectory.py  needs torch, safetensors, numpy
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import dino_torch as dino  # noqa: E402
import synthetic  # noqa: E402

STEPS = 10
ITERATIONS_PER_EPOCH = 4
EPOCHS = 3
BATCH, CHANNELS, GLOBAL_PX, LOCAL_PX, LOCAL_COUNT = 4, 3, 16, 8, 3
PROTOTYPES = 64
LR, MIN_LR, WARMUP_EPOCHS = 0.002, 1e-6, 1
WEIGHT_DECAY = (0.04, 0.4)
MOMENTUM = (0.9, 1.0)
TEACHER_TEMPERATURE = (0.04, 0.055, 0.07)  # per epoch: linear warm-up over three, end included
FREEZE_LAST_LAYER_EPOCHS = 1
CLIP = 0.3
SLICE = 17  # every SLICE-th element of each final parameter is stored

CASES = {"frozen_gain": True, "trained_gain": False}  # norm_last_layer


def network(norm_last_layer, dtype):
    backbone = dino.VisionTransformer(GLOBAL_PX, 4, CHANNELS, dim=32, depth=2, heads=2)
    head = dino.DinoHead(32, PROTOTYPES, hidden=48, bottleneck=16, norm_last_layer=norm_last_layer)
    return synthetic.fill_parameters(dino.Network(backbone, head)).to(dtype)


def crops(step, dtype):
    views = synthetic.image(f"globals{step}", (2, BATCH, CHANNELS, GLOBAL_PX, GLOBAL_PX))
    locals_ = synthetic.image(f"locals{step}", (LOCAL_COUNT, BATCH, CHANNELS, LOCAL_PX, LOCAL_PX))
    return [view.to(dtype) for view in (*views, *locals_)]


def train(norm_last_layer, dtype):
    student, teacher = network(norm_last_layer, dtype), network(norm_last_layer, dtype)
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    loss_of = dino.DinoLoss(PROTOTYPES)
    loss_of.center = loss_of.center.to(dtype)
    optimizer = torch.optim.AdamW(dino.parameter_groups(student))
    total = EPOCHS * ITERATIONS_PER_EPOCH
    lr = dino.cosine_schedule(LR, MIN_LR, total, WARMUP_EPOCHS * ITERATIONS_PER_EPOCH)
    decay = dino.cosine_schedule(*WEIGHT_DECAY, total)
    momentum = dino.cosine_schedule(*MOMENTUM, total)

    steps = []
    for i in range(STEPS):
        epoch = i // ITERATIONS_PER_EPOCH
        for group in optimizer.param_groups:
            group["lr"] = lr[i]
        optimizer.param_groups[0]["weight_decay"] = decay[i]
        views = crops(i, dtype)
        temperature = TEACHER_TEMPERATURE[epoch]
        targets = torch.softmax((teacher(views[:2]) - loss_of.center) / temperature, dim=-1)
        entropy = -(targets * targets.clamp_min(1e-300).log()).sum(-1).mean().item() if dtype == torch.float64 else 0
        loss = loss_of(student(views), teacher(views[:2]), temperature, len(views))
        optimizer.zero_grad()
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in student.parameters() if p.grad is not None]).norm().item()
        dino.clip_per_parameter(student, CLIP)
        if epoch < FREEZE_LAST_LAYER_EPOCHS:
            for name, parameter in student.named_parameters():
                if "last_layer" in name:
                    parameter.grad = None
        optimizer.step()
        dino.update_teacher(student, teacher, momentum[i])
        steps.append({"loss": loss.item(), "teacher_entropy": entropy, "gradient_norm": norm, "lr": lr[i],
                      "weight_decay": decay[i], "momentum": momentum[i], "teacher_temperature": temperature})
    return steps, student, teacher, loss_of.center


def key_bias(name, tensor):
    """The key third of a qkv bias has no effect (softmax ignores it): its gradient is rounding noise, which Adam
    blows up to whole steps. Nobody's values of it can be compared."""
    if name.endswith("qkv.bias"):
        tensor = tensor.clone()
        third = len(tensor) // 3
        tensor[third : 2 * third] = 0
    return tensor


def masks(step, patches=(GLOBAL_PX // 4) ** 2):
    """[2 B, P] bool: about two fifths of the patches of every other global crop, for the generations that mask."""
    masked = torch.from_numpy(synthetic.uniform(f"masks{step}", 2 * BATCH * patches).reshape(2 * BATCH, patches)) < -0.2
    masked[step % 2::2] = False
    return masked


def store(stem, cases, train, final):
    """Writes STEM.json and STEM.safetensors: of each case the figures of its steps, and final(name, *networks), computed
    in float64; a float32 run must stay within a tenth of the test's tolerances. train(case, dtype) -> steps, *networks."""
    document, tensors = {}, {}
    for name, case in cases.items():
        steps, *networks = train(case, torch.float64)
        document[name] = steps
        stored = final(name, *networks)
        tensors.update(stored)
        single, *networks = train(case, torch.float32)
        again = final(name, *networks)
        keys = [key for key in steps[0] if key.startswith("loss")]
        loss_error = max(abs(a[key] - b[key]) / max(abs(b[key]), 0.01) for a, b in zip(single, steps) for key in keys)
        weight_error = max((again[key] - stored[key]).abs().max().item() for key in again)
        print(name, [round(s["loss"], 5) for s in steps], f"fp32: losses {loss_error:.1e}, weights {weight_error:.1e}")
        print("  gradient norms", [round(s["gradient_norm"], 3) for s in steps])
        assert loss_error < 1e-5 and weight_error < 1e-5
    (HERE / f"{stem}.json").write_text(json.dumps(document, indent=1) + "\n")
    path = HERE / f"{stem}.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)


def slices(prefix, model):
    return {f"{prefix}.{name}": key_bias(name, tensor.detach()).flatten()[::SLICE].float().contiguous()
            for name, tensor in model.named_parameters()}


def final(name, student, teacher, center):
    return {**slices(f"{name}.student", student), **slices(f"{name}.teacher", teacher),
            f"{name}.center": center.flatten().float()}


def main():
    store("trajectory", CASES, train, final)


if __name__ == "__main__":
    main()
