"""Writes regions/: JPEG files of every chroma subsampling, baseline and progressive, for cutting regions out of.

Run: python make_region_golden.py   (Pillow 13.0.0). No expected pixels: a region must equal the cut of the whole.
"""
import pathlib

from make_codec_golden import smooth

HERE = pathlib.Path(__file__).parent / "regions"
HERE.mkdir(exist_ok=True)
image, gray = smooth(203, 149, 3), smooth(203, 149, 1)
for progressive in (False, True):
    suffix = "_progressive" if progressive else ""
    for name, subsampling in (("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0")):
        image.save(HERE / f"rgb{name}{suffix}.jpg", quality=70, subsampling=subsampling, progressive=progressive)
    gray.save(HERE / f"gray{suffix}.jpg", quality=70, progressive=progressive)
    image.convert("CMYK").save(HERE / f"cmyk{suffix}.jpg", quality=70, progressive=progressive)
image.save(HERE / "restarts.jpg", quality=70, restart_marker_blocks=3)
exif = __import__("PIL.Image").Image.Exif()
exif[274] = 6
image.save(HERE / "turned.jpg", quality=70, exif=exif)
print(sum(f.stat().st_size for f in HERE.iterdir()))
