"""Writes survey.json: mean and standard deviation per channel over the files of formats/ and the pages in
them, by their number of channels.

Run: python make_survey_golden.py   (after make_format_golden.py, from whose formats.json the pixels come)
"""
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
pixels = {}
for name, entry in json.loads((HERE / "formats.json").read_text()).items():
    channels, count = entry["channels"], entry["size"][0] * entry["size"][1]
    if "wide" in entry:
        values = np.array(entry["wide"]).reshape(count, -1)[:, :channels]
    else:
        values = np.frombuffer(bytes.fromhex(entry["rgb" if channels == 3 else "gray"]), np.uint8).reshape(count, channels) / 255
    pixels.setdefault(channels, []).append(values)
result = {}
for channels, parts in sorted(pixels.items()):
    values = np.concatenate(parts)
    result[channels] = {"images": len(parts), "mean": values.mean(axis=0).tolist(), "std": values.std(axis=0).tolist()}
(HERE / "survey.json").write_text(json.dumps(result) + "\n")
print(result)
