"""Writes links_gnu.tar and links_pax.tar: images beside hard and symbolic links to them, as tar packs trees that share
files. Run: python tests/golden/data/make_links.py (Python's tarfile, Pillow)."""
import io
import pathlib
import tarfile

from PIL import Image

LONG = "deep/" * 25 + "long.png"
FILES = {"a/0.png": 1, "b/1.png": 2, LONG: 3}
LINKS = [("b/0.png", tarfile.LNKTYPE, "a/0.png"), ("c/4.png", tarfile.LNKTYPE, LONG),
         ("c/2.png", tarfile.SYMTYPE, "../b/1.png"), ("c/3.png", tarfile.SYMTYPE, "2.png"),
         ("c/lost.png", tarfile.SYMTYPE, "../none.png"), ("c/round.png", tarfile.SYMTYPE, "round.png"),
         ("c/out.png", tarfile.SYMTYPE, "/etc/passwd")]

folder = pathlib.Path(__file__).parent
for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open(folder / f"links_{name}.tar", "w", format=form) as archive:
        for path, kind, target in LINKS[2:3]:  # before what it leads to
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        for path, value in FILES.items():
            buffer = io.BytesIO()
            Image.new("L", (4, 4), value).save(buffer, "PNG")
            info = tarfile.TarInfo(path)
            info.size = len(buffer.getvalue())
            archive.addfile(info, io.BytesIO(buffer.getvalue()))
        for path, kind, target in LINKS[:2] + LINKS[3:]:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind, target
            archive.addfile(info)
