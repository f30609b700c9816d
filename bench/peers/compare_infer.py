#!/usr/bin/env python3
"""Times our features and the peers' in turns, several rounds, and prints a Markdown table of the medians.

  bench/peers/compare_infer.py --dino build/release/dino [--rounds 2] [--configs S224,V3S256,B518] [--precisions fp32]
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONFIGS = {  # name: model, size, batch, runs
    "S224": ("dinov2_vits14", 224, 1, 20), "S224x16": ("dinov2_vits14", 224, 16, 5),
    "V3S256": ("dinov3_vits16", 256, 1, 20), "V3S256x16": ("dinov3_vits16", 256, 16, 5),
    "B518": ("dinov2_vitb14", 518, 1, 5), "B518x16": ("dinov2_vitb14", 518, 16, 2),
}


def lines(command):
    out = subprocess.run(command, capture_output=True, text=True)
    return [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dino", default="build/release/dino")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--configs", default=",".join(CONFIGS))
    parser.add_argument("--precisions", default="fp32,bf16,int8")
    parser.add_argument("--peers", default="compiled,onnxruntime,openvino")
    a = parser.parse_args()
    peers = a.peers.split(",")
    print("| model | batch | precision | dino.cpp |", " | ".join(peers), "|")
    print("|---" * (4 + len(peers)) + "|")
    for config in a.configs.split(","):
        model, size, batch, runs = CONFIGS[config]
        for precision in a.precisions.split(","):
            times = {}
            for _ in range(a.rounds):
                common = ["--model", model, "--size", str(size), "--batch", str(batch), "--precision", precision,
                          "--threads", str(a.threads), "--runs", str(runs)]
                ours = json.loads(subprocess.run([a.dino, "bench", "infer", "--json", *common], capture_output=True,
                                                 text=True, check=True).stdout)
                times.setdefault("ours", []).append(ours["milliseconds"])
                for row in lines([sys.executable, HERE / "infer.py", "--peers", a.peers, *common]):
                    if "milliseconds" in row:
                        times.setdefault(row["peer"], []).append(row["milliseconds"])
                    else:
                        print(row, file=sys.stderr)
            cell = {k: statistics.median(v) for k, v in times.items()}
            shown = [f"{cell[p]:.1f} ({cell[p] / cell['ours']:.2f}x)" if p in cell else "-" for p in peers]
            print(f"| {model}@{size} | {batch} | {precision} | {cell['ours']:.1f} |", " | ".join(shown), "|", flush=True)


if __name__ == "__main__":
    main()
