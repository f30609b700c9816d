"""Writes dicom/: small DICOM files of many codings and meanings, and dicom.json: what pydicom makes of them.

Run: python make_dicom_golden.py
     (pydicom 3.0.2, pylibjpeg-libjpeg 2.5.0, pylibjpeg-openjpeg 2.6.0, imagecodecs 2026.3.6, numpy 2.4.6)
An entry holds size, channels, bits, pages; "wide": values with black as 0 and white as 1, "eight": the same in 8 bits, through
pydicom's windows; "tolerance" of the latter in levels.
"""
import json
import pathlib

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, convert_color_space
from pydicom.sequence import Sequence

HERE = pathlib.Path(__file__).parent / "dicom"
HERE.mkdir(exist_ok=True)
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
RLE, BASELINE, EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
LOSSLESS, SV1, LS, J2K = (f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 90))
W, H = 18, 13
expected = {}
y, x = np.mgrid[0:H, 0:W]


def gray(bits, signed=False):
    """A picture that uses the whole range."""
    wave = (np.sin(x / 3.0) * np.cos(y / 4.0) + 1) / 2 * 0.8 + (x * 7 + y * 13) % 11 / 50
    wave = (wave - wave.min()) / (wave.max() - wave.min())
    values = np.round(wave * ((1 << bits) - 1)).astype(np.int64) - ((1 << (bits - 1)) if signed else 0)
    size = 8 if bits <= 8 else 16 if bits <= 16 else 32
    return values.astype(f"{'int' if signed else 'uint'}{size}")


color = np.stack([gray(8), gray(8)[::-1], gray(8)[:, ::-1]], -1)


def write(name, pixels, syntax=EXPLICIT, photometric="MONOCHROME2", bits=None, frames=0, coded=None, more=None,
          high_bit=None, padded=None, offsets=True):
    """pixels: as stored. coded: the bytes of each frame."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.ImplementationClassUID = "1.2.826.0.1.3680043.8.498.2"
    meta.TransferSyntaxUID = syntax
    data = FileDataset(HERE / name, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Modality = "OT"
    size = pixels.dtype.itemsize * 8
    data.SamplesPerPixel = 3 if photometric[:3] in ("RGB", "YBR") else 1
    data.PhotometricInterpretation = photometric
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = H, W
    if frames:
        data.NumberOfFrames = frames
    data.BitsAllocated, data.BitsStored = size, bits or size
    data.HighBit = data.BitsStored - 1 if high_bit is None else high_bit
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    for key, value in (more or {}).items():
        setattr(data, key, value)
    if coded:
        data.PixelData = encapsulate(coded, has_bot=offsets)
        data["PixelData"].VR = "OB"
    else:
        data.PixelData = padded if padded is not None else pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        data["PixelData"].VR = "OB" if size == 8 and syntax != IMPLICIT else "OW"
    data["PixelData"].is_undefined_length = bool(coded)
    data.save_as(HERE / name, enforce_file_format=True)
    return HERE / name


def expect(name, page=0, tolerance=1, raw=None, wide_tolerance=1e-5, **more):
    data = pydicom.dcmread(HERE / name)
    photometric = data.PhotometricInterpretation
    array = raw if raw is not None else data.pixel_array
    if int(data.get("NumberOfFrames", 1)) > 1 and raw is None:
        array = array[page]
    bits, signed = data.BitsStored, data.PixelRepresentation == 1
    entry = {"file": name, "size": [W, H], "channels": 1, "bits": bits, "pages": int(data.get("NumberOfFrames", 1))}
    if photometric.startswith("MONOCHROME"):
        low = -(1 << (bits - 1)) if signed else 0
        # Values after slope and intercept, black and white by the window or by what the bits can hold.
        meant = apply_modality_lut(array, data).astype(np.float64)
        ends = np.array([low, low + (1 << bits) - 1], np.float64) * float(data.get("RescaleSlope", 1))
        black, white = np.sort(ends + float(data.get("RescaleIntercept", 0)))
        if "WindowWidth" in data:
            shown = apply_windowing(apply_modality_lut(array, data), data)  # over the range of the bits
            eight = (shown - black) / (white - black)
            black, white = window_ends(data)
        wide = (meant - black) / (white - black)
        if "WindowWidth" not in data or data.get("VOILUTFunction") == "SIGMOID":
            eight = np.clip(wide, 0, 1)
        if photometric == "MONOCHROME1":
            wide, eight = 1 - wide, 1 - eight
    elif photometric == "PALETTE COLOR":
        table = apply_color_lut(array, data)
        wide = eight = table / (255 if table.dtype == np.uint8 else 65535)
        entry |= {"channels": 3, "bits": int(data.RedPaletteColorLookupTableDescriptor[2])}
    else:
        wide = eight = array / ((1 << bits) - 1)
        entry["channels"] = 3
    if page:
        entry["page"] = page
    entry |= {"wide": [round(float(v), 7) for v in wide.reshape(-1)], "wide_tolerance": wide_tolerance,
              "eight": [round(float(v) * 255, 3) for v in eight.reshape(-1)], "tolerance": tolerance}
    expected[name + (f"#{page}" if page else "")] = entry | more


def window_ends(data):
    """PS3.3 C.11.2.1.2; of a sigmoid its linear part, of a step two values around it."""
    first = [float(v[0] if isinstance(v, pydicom.multival.MultiValue) else v) for v in (data.WindowCenter, data.WindowWidth)]
    center, width = first
    if data.get("VOILUTFunction", "LINEAR") != "LINEAR":
        return center - width / 2, center + width / 2
    return center - 0.5 - max(width - 1, 0.5) / 2, center - 0.5 + max(width - 1, 0.5) / 2


def both(name, *args, page=0, tolerance=1, raw=None, wide_tolerance=1e-5, **options):
    write(name, *args, **options)
    expect(name, page=page, tolerance=tolerance, raw=raw, wide_tolerance=wide_tolerance)


ct = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "WindowCenter": "40", "WindowWidth": "400", "Modality": "CT"}
both("gray8.dcm", gray(8))
both("implicit8.dcm", gray(8), syntax=IMPLICIT)
both("inverted8.dcm", gray(8), photometric="MONOCHROME1")
both("bits12.dcm", gray(12), bits=12)
both("bits10_inverted.dcm", gray(10), bits=10, photometric="MONOCHROME1")
both("bits16.dcm", gray(16))
both("bits32.dcm", gray(32), wide_tolerance=2e-5)
both("signed16.dcm", gray(16, True))
both("signed12.dcm", gray(12, True), bits=12)
both("shifted12.dcm", gray(12) << 4, bits=12, high_bit=15, raw=gray(12))
both("ct.dcm", gray(12), bits=12, more=ct)
both("ct_implicit.dcm", gray(12), bits=12, syntax=IMPLICIT, more=ct)
both("ct_signed.dcm", (gray(12).astype(np.int16) - 1024), more=ct | {"RescaleIntercept": "0"})
both("windows.dcm", gray(12), bits=12, more={"WindowCenter": ["2000", "1000"], "WindowWidth": ["1500.5", "300"]})
both("window_inverted.dcm", gray(12), bits=12, photometric="MONOCHROME1", more={"WindowCenter": "2000", "WindowWidth": "900"})
both("window_exact.dcm", gray(12), bits=12,
     more={"WindowCenter": "1800", "WindowWidth": "1100", "VOILUTFunction": "LINEAR_EXACT"})
both("window_sigmoid.dcm", gray(12), bits=12,
     more={"WindowCenter": "1800", "WindowWidth": "1100", "VOILUTFunction": "SIGMOID"})
both("window_step.dcm", gray(12), bits=12, more={"WindowCenter": "2000", "WindowWidth": "1"})
both("negative_slope.dcm", gray(12), bits=12, more={"RescaleSlope": "-2", "RescaleIntercept": "7"})
both("fraction_slope.dcm", gray(16), more={"RescaleSlope": "0.25", "RescaleIntercept": "-3.5E1", "WindowCenter": "5000.5",
                                           "WindowWidth": "9000"})
both("range16.dcm", gray(12), bits=16, more={"SmallestImagePixelValue": 100, "LargestImagePixelValue": 3000})
# Colors
both("rgb.dcm", color, photometric="RGB")
both("rgb_planar.dcm", color, photometric="RGB", more={"PlanarConfiguration": 1},
     padded=np.ascontiguousarray(color.transpose(2, 0, 1)).tobytes())
both("rgb16.dcm", color.astype(np.uint16) * 257, photometric="RGB")
ybr = convert_color_space(color, "RGB", "YBR_FULL")
both("ybr.dcm", ybr, photometric="YBR_FULL", raw=convert_color_space(ybr, "YBR_FULL", "RGB"), wide_tolerance=0.004)
pairs = ybr.copy()
pairs[:, 1::2, 1:] = pairs[:, ::2, 1:]
stored = np.stack([pairs[:, ::2, 0], pairs[:, 1::2, 0], pairs[:, ::2, 1], pairs[:, ::2, 2]], -1)
both("ybr422.dcm", pairs, photometric="YBR_FULL_422", padded=stored.tobytes(),
     raw=convert_color_space(pairs, "YBR_FULL", "RGB"), wide_tolerance=0.004)


def palette(entries, bits, first=0):
    tables = [np.linspace(a, b, entries) * ((1 << bits) - 1) for a, b in ((0, 1), (1, 0), (0.3, 0.7))]
    out = {}
    for name, table in zip(("Red", "Green", "Blue"), tables):
        out[f"{name}PaletteColorLookupTableDescriptor"] = [entries, first, bits]
        out[f"{name}PaletteColorLookupTableData"] = np.round(table).astype(np.uint16 if bits == 16 else np.uint8).tobytes()
    return out


both("palette16.dcm", gray(8), photometric="PALETTE COLOR", more=palette(256, 16))
both("palette8.dcm", gray(8), photometric="PALETTE COLOR", more=palette(200, 8, 20))
# Frames
stack = np.stack([gray(8), 255 - gray(8), gray(8)[::-1]])
write("frames.dcm", stack, frames=3)
write("frames_rle.dcm", stack, frames=3, syntax=RLE, coded=[pydicom.pixels.get_encoder(RLE).encode(
    f.tobytes(), rows=H, columns=W, samples_per_pixel=1, photometric_interpretation="MONOCHROME2", bits_allocated=8,
    bits_stored=8, pixel_representation=0, number_of_frames=1) for f in stack])
for page in range(3):
    expect("frames.dcm", page)
    expect("frames_rle.dcm", page)
mask = (stack > 128).astype(np.uint8)
write("bits1.dcm", mask, frames=3, padded=np.packbits(mask.ravel(), bitorder="little").tobytes() + b"\0" * 0,
      more={"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0})
for page in range(3):
    expect("bits1.dcm", page)


# An enhanced file: slope and window lie in sequences, another window for each frame.
def functional(center):
    shown, group = Dataset(), Dataset()
    shown.WindowCenter, shown.WindowWidth = str(center), "800"
    group.FrameVOILUTSequence = Sequence([shown])
    return group


values, shared = Dataset(), Dataset()
values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "2", "-100", "US"
shared.PixelValueTransformationSequence = Sequence([values])
frames12 = np.stack([gray(12), gray(12)[::-1]])
for syntax, name in ((EXPLICIT, "enhanced.dcm"), (IMPLICIT, "enhanced_implicit.dcm")):
    write(name, frames12, bits=12, frames=2, syntax=syntax, more={
        "SharedFunctionalGroupsSequence": Sequence([shared]),
        "PerFrameFunctionalGroupsSequence": Sequence([functional(3000), functional(5000)])})
    for page, center in ((0, 3000), (1, 5000)):
        data = Dataset()
        data.RescaleSlope, data.RescaleIntercept, data.WindowCenter, data.WindowWidth = 2, -100, center, 800
        modality = frames12[page] * 2.0 - 100
        shown = np.clip((modality - (center - 0.5)) / 799 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
        expected[name + (f"#{page}" if page else "")] = {
            "file": name, "size": [W, H], "channels": 1, "bits": 12, "pages": 2, "page": page,
            "wide": [round(float(v), 7) for v in ((modality - (center - 0.5)) / 799 + 0.5).ravel()], "wide_tolerance": 1e-5,
            "eight": [round(float(v) * 255, 3) for v in shown.ravel()], "tolerance": 1}
# Sequences that are passed over: an icon with pixels of its own, private items, of known and of open length.
icon, inner = Dataset(), Dataset()
icon.Rows, icon.Columns, icon.BitsAllocated, icon.PixelData = 2, 2, 8, b"\0\1\2\3"
inner.PatientID = "x"
deep = Dataset()
deep.ReferencedStudySequence = Sequence([inner, inner])
for syntax, name in ((EXPLICIT, "icon.dcm"), (IMPLICIT, "icon_implicit.dcm")):
    sequences = {"IconImageSequence": Sequence([icon]), "ReferencedSeriesSequence": Sequence([deep])}
    for sequence in (sequences["ReferencedSeriesSequence"], deep.ReferencedStudySequence):
        sequence.is_undefined_length = True
        for item in sequence:
            item.is_undefined_length_sequence_item = True
    write(name, gray(8), syntax=syntax, more=sequences)
    expect(name)
# Codings
rle = pydicom.pixels.get_encoder(RLE)
for name, pixels, bits, photometric in (("rle8.dcm", gray(8), 8, "MONOCHROME2"), ("rle12.dcm", gray(12), 12, "MONOCHROME2"),
                                        ("rle_signed.dcm", gray(16, True), 16, "MONOCHROME2"), ("rle_rgb.dcm", color, 8, "RGB")):
    code = rle.encode(pixels.tobytes(), rows=H, columns=W, samples_per_pixel=3 if photometric == "RGB" else 1,
                      photometric_interpretation=photometric, bits_allocated=pixels.dtype.itemsize * 8, bits_stored=bits,
                      pixel_representation=int(pixels.dtype.kind == "i"), number_of_frames=1, planar_configuration=0)
    both(name, pixels, syntax=RLE, bits=bits, photometric=photometric, coded=[code])
both("jpeg8.dcm", gray(8), syntax=BASELINE, coded=[imagecodecs.jpeg8_encode(gray(8), level=95)], tolerance=2, wide_tolerance=0.01)
ycc_code = imagecodecs.jpeg8_encode(color, level=95, colorspace="RGB", outcolorspace="YCBCR", subsampling="444")
both("jpeg_ycc.dcm", color, syntax=BASELINE, photometric="YBR_FULL", coded=[ycc_code], tolerance=3, wide_tolerance=0.012,
     raw=imagecodecs.jpeg8_decode(ycc_code))
marked = imagecodecs.jpeg8_encode(color, level=95, colorspace="RGB", outcolorspace="RGB")
at = marked.index(b"\xff\xee")
unmarked = marked[:at] + marked[at + 2 + int.from_bytes(marked[at + 2:at + 4], "big"):]
frame = unmarked.index(b"\xff\xc0")
renamed = bytearray(unmarked)
scan = unmarked.index(b"\xff\xda")
for i in range(3):
    renamed[frame + 10 + 3 * i] = i + 1
    renamed[scan + 5 + 2 * i] = i + 1
both("jpeg_rgb.dcm", color, syntax=BASELINE, photometric="RGB", coded=[bytes(renamed)], tolerance=3, wide_tolerance=0.012,
     raw=imagecodecs.jpeg8_decode(marked))
two = imagecodecs.jpeg8_encode(gray(8), level=95)
write("jpeg_parts.dcm", gray(8), syntax=BASELINE, coded=[two[:200]])
data = pydicom.dcmread(HERE / "jpeg_parts.dcm")
data.PixelData = pydicom.encaps.encapsulate([two], fragments_per_frame=3)
data["PixelData"].is_undefined_length = True
data.save_as(HERE / "jpeg_parts.dcm")
expect("jpeg_parts.dcm", tolerance=2, wide_tolerance=0.01)
pair = [imagecodecs.jpeg8_encode(f, level=95) for f in stack]
write("jpeg_frames.dcm", stack, frames=3, syntax=BASELINE, coded=pair)
data = pydicom.dcmread(HERE / "jpeg_frames.dcm")
data.PixelData = pydicom.encaps.encapsulate(pair, fragments_per_frame=2)
data["PixelData"].is_undefined_length = True
data.save_as(HERE / "jpeg_frames.dcm")
for page in range(3):
    expect("jpeg_frames.dcm", page, tolerance=2, wide_tolerance=0.01, raw=imagecodecs.jpeg8_decode(pair[page]))
for predictor in range(1, 8):
    code = imagecodecs.jpeg8_encode(gray(12), lossless=True, predictor=predictor, bitspersample=12)
    both(f"lossless12_{predictor}.dcm", gray(12), syntax=SV1 if predictor == 1 else LOSSLESS, bits=12, coded=[code],
         raw=gray(12))
for bits in (8, 16):
    code = imagecodecs.jpeg8_encode(gray(bits), lossless=True, predictor=1, bitspersample=bits)
    both(f"lossless{bits}.dcm", gray(bits), syntax=SV1, bits=bits, coded=[code], raw=gray(bits), more=None)
code = imagecodecs.jpeg8_encode(color, lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB")
both("lossless_rgb.dcm", color, syntax=SV1, photometric="RGB", coded=[code], raw=color)
both("ls8.dcm", gray(8), syntax=LS, coded=[imagecodecs.jpegls_encode(gray(8))])
both("ls12.dcm", gray(12), syntax=LS, bits=12, coded=[imagecodecs.jpegls_encode(gray(12))])
both("ls_rgb.dcm", color, syntax=LS, photometric="RGB", coded=[imagecodecs.jpegls_encode(color)])
both("j2k12.dcm", gray(12), syntax=J2K, bits=12,
     coded=[imagecodecs.jpeg2k_encode(gray(12), level=0, reversible=True, bitspersample=12, codecformat="j2k")])
both("j2k_signed.dcm", gray(16, True), syntax=J2K,
     coded=[imagecodecs.jpeg2k_encode(gray(16, True), level=0, reversible=True, codecformat="j2k")])
both("j2k_rgb.dcm", color, syntax=J2K, photometric="YBR_RCT", raw=color,
     coded=[imagecodecs.jpeg2k_encode(color, level=0, reversible=True, codecformat="j2k", mct=True)])
# The retired byte order; files without preamble, without a transfer syntax, with another than they say, and one that begins
# like a TIFF file.
BIG = "1.2.840.10008.1.2.2"


def big_endian(name, values, order):
    data = pydicom.dcmread(HERE / name)
    data.file_meta.TransferSyntaxUID = BIG
    data["PixelData"].VR = "OW"
    data.PixelData = values.byteswap().tobytes() if order == "words" else values.view(">u2").astype("<u2").tobytes()
    pydicom.dcmwrite(HERE / f"big_{name}", data, implicit_vr=False, little_endian=False, force_encoding=True)


for name, values in (("bits12.dcm", gray(12)), ("ct.dcm", gray(12))):
    big_endian(name, values, "words")
    expected[f"big_{name}"] = expected[name] | {"file": f"big_{name}"}
big_endian("gray8.dcm", gray(8).reshape(-1), "pairs")
expected["big_gray8.dcm"] = expected["gray8.dcm"] | {"file": "big_gray8.dcm"}
for name in ("ct.dcm", "ct_implicit.dcm"):
    data = (HERE / name).read_bytes()
    after_meta = 132 + 12 + int.from_bytes(data[140:144], "little")
    (HERE / f"bare_{name}").write_bytes(data[after_meta:])
    expected[f"bare_{name}"] = expected[name] | {"file": f"bare_{name}"}
data = (HERE / "ct.dcm").read_bytes()
(HERE / "no_preamble.dcm").write_bytes(data[132:])
expected["no_preamble.dcm"] = expected["ct.dcm"] | {"file": "no_preamble.dcm"}
(HERE / "tiff_preamble.dcm").write_bytes(b"II*\0" + data[4:])
expected["tiff_preamble.dcm"] = expected["ct.dcm"] | {"file": "tiff_preamble.dcm"}
implicit = bytearray((HERE / "ct_implicit.dcm").read_bytes())
at = implicit.index(b"1.2.840.10008.1.2\0", 132)
explicit_meta = data[:132 + 12 + int.from_bytes(data[140:144], "little")]
(HERE / "says_explicit.dcm").write_bytes(explicit_meta + implicit[132 + 12 + int.from_bytes(implicit[140:144], "little"):])
expected["says_explicit.dcm"] = expected["ct.dcm"] | {"file": "says_explicit.dcm"}
# Not read
write("video.dcm", gray(8), syntax="1.2.840.10008.1.2.4.102", coded=[b"\0" * 64])
write("cmyk.dcm", color, photometric="RGB", more={"PhotometricInterpretation": "HSV"})
report = pydicom.dcmread(HERE / "gray8.dcm")
report.Modality = "SR"
del report.PixelData
report.save_as(HERE / "report.dcm")

with open(HERE.parent / "dicom.json", "w") as out:
    out.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()) + "\n}\n")
