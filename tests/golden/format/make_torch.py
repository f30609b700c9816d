"""Writes the fixtures of torch_zip_test.cpp, pickle_test.cpp, sharded_safetensors_test.cpp and tensor_file_test.cpp with
PyTorch 2.11, and checks with it what our writer wrote.

python tests/golden/format/make_torch.py            # needs numpy, torch, safetensors
"""
import argparse
import json
import os
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
os.chdir(HERE)  # the archives carry the name they are saved under

# Element i of each tensor is i - 2 (U8: i; BOOL: i odd), except where noted.
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
          "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}


def ramp(dtype, shape):
    i = torch.arange(int(np.prod(shape))).reshape(shape)
    return i % 2 == 1 if dtype == torch.bool else (i if dtype == torch.uint8 else i - 2).to(dtype)


# ---- A plain state dict, in both forms --------------------------------------------------------------
plain = {name: ramp(dtype, (2, 3)) for name, dtype in DTYPES.items()}
plain |= {"scalar": torch.tensor(0.5), "empty": torch.zeros(0, 7), "Zürich/日本": torch.ones(1)}
torch.save(plain, "torch_plain.pth")
torch.save(plain, "torch_plain_legacy.pth", _use_new_zipfile_serialization=False)
for protocol in (1, 3, 4, 5):
    small = {"a": ramp(torch.float32, (2, 3)), "large": 2**40, "minus": -3, "half": 0.5, "yes": True, "none": None}
    torch.save(small, f"torch_protocol{protocol}.pth", pickle_protocol=protocol)

# ---- What a training program of the DINO family saves -----------------------------------------------
torch.manual_seed(0)
backbone = torch.nn.Sequential(OrderedDict(norm=torch.nn.BatchNorm1d(2), fc=torch.nn.Linear(2, 3)))
optimizer = torch.optim.AdamW(backbone.parameters(), lr=0.001)
backbone(torch.randn(4, 2)).sum().backward()
optimizer.step()
optimizer.param_groups[0]["lr"] = np.float64(0.0005)  # schedules are NumPy arrays
with torch.no_grad():
    for parameter in backbone.parameters():
        parameter.copy_(ramp(torch.float32, parameter.shape))
full = {
    "student": {f"module.backbone.{k}": v for k, v in backbone.state_dict().items()},
    "teacher": backbone.state_dict(),  # an OrderedDict with _metadata
    "optimizer": optimizer.state_dict(),
    "epoch": 3,
    "args": argparse.Namespace(arch="vit_small", lr=0.0005, use_fp16=True, output_dir=".", seed=None, scale=(0.4, 1.0)),
    "fp16_scaler": {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000, "_growth_tracker": 7},
    "dino_loss": OrderedDict(center=torch.zeros(1, 4)),
    "loss": np.float32(2.5), "step": np.int64(-9), "half": np.float16(0.25), "flag": np.bool_(True), "array": np.arange(3),
    "large": 2**70, "size": torch.Size([2, 3]), "notes": ["a", torch.ones(2), {"b": b"xyz"}],
}
torch.save(full, "torch_full.pth")
torch.save(full, "torch_full_legacy.pth", _use_new_zipfile_serialization=False)

# ---- Views: what is not one row-major run of a storage ----------------------------------------------
base = ramp(torch.float32, (4, 6))
strided = OrderedDict(
    base=base, again=base, row=base[2], transposed=base.t(), columns=base[1:3, 1::2], expanded=torch.tensor([7.0]).expand(2, 3),
    none=base[:, 6:], flipped_channels=ramp(torch.int16, (2, 3, 2, 2)).to(memory_format=torch.channels_last))
torch.save(strided, "torch_strided.pth")
torch.save(strided, "torch_strided_legacy.pth", _use_new_zipfile_serialization=False)

# ---- Parameters -------------------------------------------------------------------------------------
parameter = torch.nn.Parameter(ramp(torch.float32, (2, 3)))
tagged = torch.nn.Parameter(ramp(torch.float32, (3,)))
tagged.is_frozen = True  # becomes _rebuild_parameter_with_state
torch.save(OrderedDict(weight=parameter, tagged=tagged), "torch_parameters.pth")

# ---- What is refused --------------------------------------------------------------------------------
torch.save(torch.nn.Linear(2, 1), "torch_module.pth")
torch.save({"a": torch.zeros(2).to(torch.float8_e4m3fn)}, "refused_float8.pth")
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 1)), "refused_script.pth")

# ---- The pickles by themselves: seeds of tests/fuzz -------------------------------------------------
for name in ("torch_full", "torch_protocol1", "torch_protocol5"):
    (HERE / f"{name}.pkl").write_bytes(zipfile.ZipFile(f"{name}.pth").read(f"{name}/data.pkl"))

# ---- Sharded safetensors ----------------------------------------------------------------------------
shards = {"model-00001-of-00002.safetensors": {"a": ramp(torch.float32, (2, 3)), "b": ramp(torch.bfloat16, (4,))},
          "model-00002-of-00002.safetensors": {"c": torch.zeros(3).to(torch.float8_e5m2)}}
(HERE / "sharded").mkdir(exist_ok=True)
for file, tensors in shards.items():
    save_file(tensors, HERE / "sharded" / file, metadata={"format": "pt"})
index = {"metadata": {"total_size": 35}, "weight_map": {name: file for file, tensors in shards.items() for name in tensors}}
(HERE / "sharded" / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")

# ---- What torch_zip_test.cpp writes ("WriterBytesArePinned") must be readable by the original -------
for ours, wrapper in (("ours.pth", None), ("ours_teacher.pth", "teacher")):
    if not Path(ours).exists():
        continue
    for mmap in (False, True):
        read = torch.load(ours, weights_only=True, mmap=mmap)
        if wrapper:
            assert list(read) == [wrapper]
            read = read[wrapper]
        assert type(read) is OrderedDict and list(read) == ["b", "a", "Ω", "ids", "a.again", "scalar"], list(read)
        assert torch.equal(read["a"], torch.tensor([[1.0, 2.0], [3.0, 4.0]])) and not read["a"].requires_grad
        assert torch.equal(read["b"], torch.tensor([True, False, True]))
        assert torch.equal(read["ids"], torch.tensor([-1, 2**40]))
        assert read["Ω"].shape == (0, 5) and read["Ω"].dtype == torch.bfloat16
        assert read["a"].untyped_storage().data_ptr() == read["a.again"].untyped_storage().data_ptr()
        assert read["scalar"].shape == () and read["scalar"] == -1
    archive = zipfile.ZipFile(ours)
    assert archive.testzip() is None  # every checksum holds
    for member in archive.infolist():
        local = Path(ours).read_bytes()[member.header_offset:]
        data = member.header_offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        assert data % 64 == 0, (member.filename, data)
