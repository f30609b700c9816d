#!/usr/bin/env python3
"""Runs `dino bench train` and a PyTorch step (dino_step.py, or another by --peer) in turn (A B A B ...) on one recipe
and prints a Markdown table: median images/s over the rounds, spread, ratios, peak resident memory. Paste it into
bench/results/.

  bench/peers/compare_train.py --dino build/dino --python /path/to/python --recipe recipes/bench_tiny28.toml
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(command):
    """Runs a program that prints one JSON object; adds the peak memory the kernel counted for it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"[compare] {' '.join(map(str, command))} failed with status {process.returncode}")
    result = json.loads(output[output.index("{"):])
    result["peak_mb"] = usage.ru_maxrss / 1024
    return result


def machine():
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return f"{model}, {os.cpu_count()} CPUs, commit {commit.stdout.strip() or 'unknown'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dino", type=Path, default=Path("build/dino"), help="our program")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with PyTorch")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/bench_tiny28.toml"))
    parser.add_argument("--peer", default="dino_step.py", help="its script in this folder: dinov2_step.py")
    parser.add_argument("--precision", choices=["fp32", "bf16", "both"], default="both")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program")
    parser.add_argument("--steps", type=int, default=10, help="timed steps per run")
    args = parser.parse_args()

    precisions = ["fp32", "bf16"] if args.precision == "both" else [args.precision]
    runs = {(who, precision): [] for precision in precisions for who in ("dino", "peer")}
    for round_index in range(args.rounds):
        for who, precision in runs:
            common = ["--recipe", args.recipe, "--precision", precision, "--threads", str(args.threads), "--json"]
            command = [args.dino, "bench", "train", *common, "--steps", str(args.steps)] if who == "dino" \
                else [args.python, HERE / args.peer, *common, "--steps", str(args.steps)]
            result = run(command)
            runs[who, precision].append(result)
            print(f"round {round_index + 1}: {who} {precision} {result['images_per_second']:.2f} images/s",
                  file=sys.stderr)

    speed = {key: statistics.median(r["images_per_second"] for r in results) for key, results in runs.items()}
    memory = {key: statistics.median(r["peak_mb"] for r in results) for key, results in runs.items()}
    names = {"dino": "dino bench train", "peer": "PyTorch eager step"}
    print(f"`{args.recipe}`, {args.threads} threads, {args.rounds} rounds in turn; {machine()}; "
          f"PyTorch {runs['peer', precisions[0]][0]['torch']}\n")
    print("| program | precision | images/s (median) | lowest to highest run | peak memory |")
    print("|---|---|---|---|---|")
    for (who, precision), results in runs.items():
        rates = [r["images_per_second"] for r in results]
        print(f"| {names[who]} | {precision} | {speed[who, precision]:.2f} | {min(rates):.2f} to {max(rates):.2f} "
              f"| {memory[who, precision]:.0f} MB |")
    print("\n| ratio, dino over PyTorch | speed | peak memory |")
    print("|---|---|---|")
    # The first line is what a user gains over the peer's default, which is fp32.
    for title, ours, peer in (("bf16 against fp32 default", "bf16", "fp32"), ("bf16 against bf16", "bf16", "bf16"),
                              ("fp32 against fp32", "fp32", "fp32")):
        if ("dino", ours) in runs and ("peer", peer) in runs:
            print(f"| {title} | {speed['dino', ours] / speed['peer', peer]:.2f} "
                  f"| {memory['dino', ours] / memory['peer', peer]:.2f} |")


if __name__ == "__main__":
    main()
