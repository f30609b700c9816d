#!/usr/bin/env python3
"""Times `dino bench data` and the peers of multi_crop.py on the same files in turns, and prints a Markdown table.

  bench/peers/compare_data.py DIR --dino build/release/dino [--rounds 3] [--seconds 4] [--recipes multi,single] [--threads 1]

Images per second: median (least to most) of the rounds, and ours over the peer's. Run it pinned (taskset -c N) for one
thread. DIR: JPEG files, such as make_photos.py writes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SINGLE = """name = "single"
[crops]
global_scale = [0.08, 1.0]
local_count = 0
jitter = 0.0
grayscale = 0.0
blur = [0.0, 0.0, 0.0]
solarize = [0.0, 0.0, 0.0]
"""  # two such crops: the loader always makes both global ones


def last_json(command):
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out[out.index("{"):])


def shown(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--dino", default="build/release/dino")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="4")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--recipes", default="multi,single")
    parser.add_argument("--peers", default="torchvision,dali")
    a = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as single, tempfile.NamedTemporaryFile("w", suffix=".toml") as multi:
        single.write(SINGLE)
        multi.write('name = "multi"\n')
        single.flush(), multi.flush()
        recipes = {"multi": multi.name, "single": single.name}
        print("| work | dino.cpp |", " | ".join(a.peers.split(",")), "|")
        print("|---" * (2 + len(a.peers.split(","))) + "|")
        for recipe in a.recipes.split(","):
            speeds, stages = {}, []
            for _ in range(a.rounds):
                ours = last_json([a.dino, "bench", "data", a.dir, "--recipe", recipes[recipe], "--threads", a.threads,
                                  "--seconds", a.seconds, "--json"])
                speeds.setdefault("ours", []).append(ours["images_per_second"])
                stages.append(ours["stages"])
                for peer in a.peers.split(","):
                    found = last_json([sys.executable, HERE / "multi_crop.py", a.dir, "--peer", peer, "--recipe", recipe,
                                       "--threads", a.threads, "--seconds", a.seconds])
                    speeds.setdefault(peer, []).append(found["images_per_second"])
            ours = speeds["ours"]
            row = [f"{shown(speeds[p])}: {statistics.median(ours) / statistics.median(speeds[p]):.2f}x"
                   for p in a.peers.split(",")]
            print(f"| {recipe}, {a.threads} threads | {shown(ours)} |", " | ".join(row), "|", flush=True)
            print("ms per image:", {k: round(statistics.median(s[k] for s in stages), 3) for k in stages[0]},
                  file=sys.stderr)


if __name__ == "__main__":
    main()
