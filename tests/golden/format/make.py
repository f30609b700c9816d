"""Writes the fixtures of tests/format with the formats' own libraries, and checks with them what our writers wrote.

python tests/golden/format/make.py            # needs numpy, torch, torchvision, safetensors
"""
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

HERE = Path(__file__).parent

# ---- safetensors ------------------------------------------------------------------------------------
# Element i of each tensor is i - 2 (unsigned: i; bool: i odd), except where noted.
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
          "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
          "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8, "BOOL": torch.bool}


def ramp(dtype, shape):
    i = np.arange(int(np.prod(shape)))
    if dtype == torch.bool:
        return torch.tensor(i % 2 == 1).reshape(shape)
    signed = dtype not in (torch.uint8, torch.uint16, torch.uint32, torch.uint64)
    return torch.tensor(i - 2 if signed else i).to(dtype).reshape(shape)


tensors = {name: ramp(dtype, (2, 3)) for name, dtype in DTYPES.items()}
tensors |= {"scalar": torch.tensor(0.5), "empty": torch.zeros(0, 7), "Zürich/日本": torch.ones(1)}
save_file(tensors, HERE / "torch.safetensors", metadata={"format": "pt", "note": "naïve"})

# What tests/format/safetensors_test.cpp writes ("WriterBytesArePinned") must be readable by the original.
ours = HERE / "ours.safetensors"
if ours.exists():
    read = load_file(ours)
    assert list(sorted(read)) == ["a", "b", "ids", "Ω"], list(read)
    assert torch.equal(read["a"], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert torch.equal(read["b"], torch.tensor([True, False, True]))
    assert torch.equal(read["ids"], torch.tensor([-1, 2**40]))
    assert read["Ω"].shape == (0, 5) and read["Ω"].dtype == torch.bfloat16
    header_bytes = struct.unpack("<Q", ours.read_bytes()[:8])[0]
    assert (8 + header_bytes) % 64 == 0
    assert json.loads(ours.read_bytes()[8:8 + header_bytes])["__metadata__"] == {"made_by": "dino.cpp"}

# ---- NPY --------------------------------------------------------------------------------------------
for code in ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]:
    i = np.arange(6)
    np.save(HERE / f"{code}.npy", (i if code[0] == "u" else i - 2).astype(code).reshape(2, 3))
np.save(HERE / "b1.npy", np.arange(6).reshape(2, 3) % 2 == 1)
np.save(HERE / "big_endian.npy", np.arange(-2, 4).astype(">f4").reshape(2, 3))
np.save(HERE / "scalar.npy", np.float32(0.5))
np.save(HERE / "empty.npy", np.zeros((0, 7), np.float32))
np.save(HERE / "vector.npy", np.arange(-2, 4).astype(np.int64))
np.save(HERE / "fortran.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
np.save(HERE / "object.npy", np.array([{}, None], dtype=object), allow_pickle=True)
np.save(HERE / "record.npy", np.zeros(2, dtype=[("a", "<f4"), ("b]", "<i4", (2,))]))
np.save(HERE / "string.npy", np.array(["ab", "c"]))
for version in [(2, 0), (3, 0)]:
    with open(HERE / f"version{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, np.arange(-2, 4).astype(np.float32).reshape(2, 3), version=version)

# ---- IDX: written by hand, read by torchvision ------------------------------------------------------
IDX = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
for code, number in IDX.items():
    i = np.arange(6)
    array = (i if code[0] == "u" else i - 2).astype(">" + code).reshape(2, 3)
    data = struct.pack(">BBBB2I", 0, 0, number, 2, 2, 3) + array.tobytes()
    path = HERE / f"{code}.idx"
    path.write_bytes(data)
    assert np.array_equal(read_sn3_pascalvincent_tensor(str(path)).numpy(), array)
images = (np.arange(3 * 4 * 5) * 3 % 251).astype(np.uint8)
data = struct.pack(">BBBB3I", 0, 0, 8, 3, 3, 4, 5) + images.tobytes()
(HERE / "images.idx.gz").write_bytes(gzip.compress(data, mtime=0))
(HERE / "members.idx.gz").write_bytes(gzip.compress(data[:20], mtime=0) + gzip.compress(data[20:], mtime=0))
