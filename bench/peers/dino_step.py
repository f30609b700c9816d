#!/usr/bin/env python3
"""Times one DINO training step in eager PyTorch on the CPU, doing the work of a recipe as the reference code does it:
two networks, one backbone pass per crop resolution, one head pass, the loss over all (teacher view, student view)
pairs, per-parameter clipping, AdamW with two weight-decay groups, EMA. Crops are synthetic and not timed.

  bench/peers/dino_step.py --recipe recipes/bench_tiny28.toml --precision bf16 --threads 2 --json
"""

import argparse
import contextlib
import json
import resource
import statistics
import sys
import time
import tomllib
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "golden"))
import dino_torch as dino  # noqa: E402

# The defaults of dino/recipe/recipe.h, as far as a step depends on them.
DEFAULTS = {
    "seed": 0,
    "data": {"channels": 3},
    "crops": {"global_size": 224, "local_size": 96, "local_count": 8},
    "backbone": {"arch": "vit_small", "patch_size": 16, "dim": 0, "depth": 0, "heads": 0, "mlp_ratio": 4.0,
                 "drop_path": 0.1},
    "head": {"prototypes": 65536, "layers": 3, "hidden": 2048, "bottleneck": 256, "norm_last_layer": True,
             "batch_norm": False},
    "dino": {"student_temperature": 0.1, "teacher_temperature": 0.04, "center_momentum": 0.9},
    "optim": {"lr": 5e-4, "lr_reference_batch": 256, "weight_decay": 0.04, "ema_momentum": 0.996, "clip_grad": 3.0,
              "betas": [0.9, 0.999], "eps": 1e-8},
    "train": {"batch_size": 64},
}


def merge(base, over):
    result = dict(base)
    for key, value in over.items():
        result[key] = merge(base.get(key, {}), value) if isinstance(value, dict) else value
    return result


def load_recipe(path):
    table = tomllib.loads(path.read_text())
    parent = table.pop("extends", None)
    return merge(load_recipe(path.parent / parent) if parent else DEFAULTS, table)


def build_network(recipe, drop_path):
    backbone, head, crops = recipe["backbone"], recipe["head"], recipe["crops"]
    if backbone["arch"] not in ("vit", *dino.ARCHITECTURES) or head["batch_norm"]:
        sys.exit("[dino_step] only ViTs and heads without batch norm are timed here")
    head = {key: value for key, value in head.items() if key != "batch_norm"}
    dim, depth, heads = dino.ARCHITECTURES.get(backbone["arch"], (0, 0, 0))
    dim, depth, heads = backbone["dim"] or dim, backbone["depth"] or depth, backbone["heads"] or heads
    trunk = dino.VisionTransformer(crops["global_size"], backbone["patch_size"], recipe["data"]["channels"], dim,
                                   depth, heads, backbone["mlp_ratio"], drop_path)
    return dino.Network(trunk, dino.DinoHead(dim, **head))


class Step:
    """Everything one training step needs; calling it runs the step and returns the loss."""

    def __init__(self, recipe, precision):
        self.recipe, optim = recipe, recipe["optim"]
        batch, crops = recipe["train"]["batch_size"], recipe["crops"]
        self.student = build_network(recipe, recipe["backbone"]["drop_path"])
        self.teacher = build_network(recipe, 0.0)
        self.teacher.load_state_dict(self.student.state_dict())
        for parameter in self.teacher.parameters():
            parameter.requires_grad = False
        self.loss = dino.DinoLoss(recipe["head"]["prototypes"], recipe["dino"]["student_temperature"],
                                  recipe["dino"]["center_momentum"])
        lr = optim["lr"] * (batch / optim["lr_reference_batch"] if optim["lr_reference_batch"] else 1)
        self.optimizer = torch.optim.AdamW(dino.parameter_groups(self.student), lr=lr, betas=tuple(optim["betas"]),
                                           eps=optim["eps"], weight_decay=optim["weight_decay"])
        sizes = [crops["global_size"]] * 2 + [crops["local_size"]] * crops["local_count"]
        self.crops = [torch.randn(batch, recipe["data"]["channels"], size, size) for size in sizes]
        self.autocast = (lambda: torch.autocast("cpu", dtype=torch.bfloat16)) if precision == "bf16" \
            else contextlib.nullcontext

    def __call__(self):
        with self.autocast():
            teacher = self.teacher(self.crops[:2])
            student = self.student(self.crops)
            loss = self.loss(student, teacher, self.recipe["dino"]["teacher_temperature"], len(self.crops))
        value = loss.item()
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe["optim"]["clip_grad"]:
            dino.clip_per_parameter(self.student, self.recipe["optim"]["clip_grad"])
        self.optimizer.step()
        dino.update_teacher(self.student, self.teacher, self.recipe["optim"]["ema_momentum"])
        return value


def time_steps(make_step, description):
    """Reads the command line, times steps of make_step(recipe, precision) and prints the result."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="timed steps, after the warm-up")
    parser.add_argument("--warmup", type=int, default=2, help="untimed steps")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    recipe = load_recipe(args.recipe)
    torch.manual_seed(recipe["seed"])
    step = make_step(recipe, args.precision)
    seconds = []
    for i in range(args.warmup + args.steps):
        start = time.perf_counter()
        loss = step()
        if i >= args.warmup:
            seconds.append(time.perf_counter() - start)
    batch = recipe["train"]["batch_size"]
    result = {
        "images_per_second": batch / statistics.median(seconds),
        "min": batch / max(seconds),
        "max": batch / min(seconds),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "precision": args.precision,
        "threads": args.threads,
        "steps": args.steps,
        "batch_size": batch,
        "last_loss": loss,
        "torch": torch.__version__,
    }
    if args.json:
        print(json.dumps(result))
    else:
        print("{precision}: {images_per_second:.2f} images/s ({min:.2f} to {max:.2f}), "
              "{peak_rss_mb:.0f} MB".format(**result))


if __name__ == "__main__":
    time_steps(Step, __doc__.splitlines()[0])
