"""What torchvision makes of two small pictures, in colour and gray: `python retouch.py` writes `retouch.txt`. A line is
`picture|channels h w|numbers` or `change numbers|which picture|numbers`; pictures are multiples of 1/255."""

import math
import os

import torch
from torchvision.transforms import functional as F

torch.manual_seed(3)
bytes_ = [torch.randint(0, 256, shape, dtype=torch.uint8) for shape in [(3, 6, 7), (1, 16, 17)]]
# Few levels, so that there is something to equalize.
bytes_[1] = (bytes_[1] // 16 * 8 + 60).to(torch.uint8)
lines = []


def numbers(x):
    return " ".join(f"{v:.6g}" for v in x.double().flatten().tolist())


for x in bytes_:
    lines.append(f"picture|{' '.join(map(str, x.shape))}|{numbers(x.double() / 255)}")
for which, bytes_of in enumerate(bytes_):
    x = bytes_of.float() / 255

    def line(name, y, *by):
        # Of the larger picture one line for each change is enough.
        if which == 1 and any(text.startswith(name) and text.split("|")[1] == "1" for text in lines):
            return
        y = y.double() / 255 if y.dtype == torch.uint8 else y
        lines.append(f"{' '.join([name, *map(str, by)])}|{which}|{numbers(y)}")

    for factor in (1.7, 0.0, 0.3, 1.0):
        line("brightness", F.adjust_brightness(x, factor), factor)
        line("contrast", F.adjust_contrast(x, factor), factor)
        line("saturation", F.adjust_saturation(x, factor), factor)
        line("sharpness", F.adjust_sharpness(x, factor), factor)
    for turns in (-0.4, 0.0, 0.25):
        line("hue", F.adjust_hue(x, turns), turns)
    line("grayscale", F.rgb_to_grayscale(x, num_output_channels=x.shape[0]) if x.shape[0] == 3 else x)
    line("autocontrast", F.autocontrast(x))
    line("equalize", F.equalize(bytes_of))
    for bits in (3, 1, 8):
        line("posterize", F.posterize(bytes_of, bits), bits)
    for threshold in (0.41, 0.0, 1.0):
        line("solarize", F.solarize(x, threshold), threshold)
    for kernel, sigma in [(3, 0.7), (5, 2.0)]:
        line("blur", F.gaussian_blur(x, [kernel, kernel], [sigma, sigma]), kernel, sigma)
    plain = dict(angle=0.0, translate=[0, 0], scale=1.0)
    for m in (-0.37, 0.21):
        d = math.degrees(math.atan(m))
        line("shear_x", F.affine(x, **plain, shear=[d, 0.0], center=[0, 0]), m)
        line("shear_y", F.affine(x, **plain, shear=[0.0, d], center=[0, 0]), m)
    line("translate", F.affine(x, angle=0.0, translate=[2, 0], scale=1.0, shear=[0.0, 0.0]), 2, 0)
    line("translate", F.affine(x, angle=0.0, translate=[0, -3], scale=1.0, shear=[0.0, 0.0]), 0, -3)
    for degrees in (-71.3, 12.9):
        line("rotate", F.rotate(x, degrees), degrees)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "retouch.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
