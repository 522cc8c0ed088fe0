"""Small pictures in every format that is read, written by Pillow, and what is to be seen in them by Pillow and NumPy:
`python pictures.py` writes `pictures/` and `pictures.txt`, a line `file [channels, h, w] numbers ..` for each."""

import os

import numpy as np
from PIL import Image, ImageOps

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)
rgb = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
gray = rng.integers(0, 256, (3, 4), dtype=np.uint8)
wide = rng.integers(0, 65536, (3, 4), dtype=np.uint16)
alpha = np.array([[0, 255, 128, 7]] * 3, dtype=np.uint8)
lines = []


def path(name):
    return os.path.join(here, "pictures", name)


def line(name, x):
    """x: [h, w] or [h, w, c] in 0 ..= 1."""
    x = np.asarray(x, dtype=np.float64)
    x = x[None] if x.ndim == 2 else x.transpose(2, 0, 1)
    lines.append(f"{name} {list(x.shape)} " + " ".join(f"{v:.7g}" for v in x.ravel()))


def saved(name, image, **options):
    image.save(path(name), **options)
    line(name, np.asarray(ImageOps.exif_transpose(Image.open(path(name))).convert("RGB")) / 255)


os.makedirs(path(""), exist_ok=True)
picture = Image.fromarray(rgb)
for name, options in {
    "rgb.png": {},
    "rgb.webp": {"lossless": True},
    "rgb.bmp": {},
    "plain.tiff": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.tiff": {"compression": "tiff_adobe_deflate"},
}.items():
    saved(name, picture, **options)
for name in ["palette.png", "palette.gif", "palette.bmp"]:
    saved(name, picture.quantize(8))
saved("gray.bmp", Image.fromarray(gray))
saved("gray.gif", Image.fromarray(gray))
# The first frame is smaller than what follows looks like.
frames = [Image.fromarray(np.full((3, 4, 3), v, np.uint8)) for v in (10, 90, 200)]
saved("moving.gif", frames[0], save_all=True, append_images=frames[1:])
saved("moving.webp", frames[0], save_all=True, append_images=frames[1:], lossless=True)
saved("pages.tiff", frames[0], save_all=True, append_images=frames[1:])
exif = Image.Exif()
exif[0x0112] = 6
for name in ["turned.webp", "turned.tiff", "turned.png"]:
    saved(name, picture, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
# 16 bits, which Pillow keeps in one channel.
for name in ["wide.png", "wide.tiff"]:
    Image.fromarray(wide).save(path(name))
    line(name, np.repeat((np.asarray(Image.open(path(name))) / 65535)[..., None], 3, axis=2))
# What is transparent lies on white.
a = alpha[..., None] / 255
for name in ["alpha.png", "alpha.webp", "alpha.tiff"]:
    options = {"lossless": True, "exact": True} if name.endswith("webp") else {}
    Image.fromarray(np.concatenate([rgb, alpha[..., None]], axis=2)).save(path(name), **options)
    line(name, a * (rgb / 255) + 1 - a)
Image.fromarray(np.stack([gray, alpha], axis=2), "LA").save(path("gray-alpha.png"))
line("gray-alpha.png", np.repeat(a * (gray / 255)[..., None] + 1 - a, 3, axis=2))
# Inks are refused.
for name in ["inks.jpg", "inks.tiff"]:
    picture.convert("CMYK").save(path(name))
    lines.append(f"{name} inks")
with open(os.path.join(here, "pictures.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
