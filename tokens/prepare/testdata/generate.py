"""Writes the golden files of this folder with Pillow, PyTorch and transformers.

    pip install pillow numpy torch torchvision transformers
    python generate.py resample     # resample.json
    python generate.py models       # models.json

Pictures are made by a formula that picture_test.go has too, so that the files
hold sizes, checksums and samples only.
"""

import json
import random
import sys
import zlib

import numpy as np
from PIL import Image


def picture(w, h, channels=3, seed=0):
    """Returns [h, w, channels] bytes: a chequerboard of noise and of ramps."""
    x = np.arange(w, dtype=np.uint64)[None, :, None]
    y = np.arange(h, dtype=np.uint64)[:, None, None]
    c = np.arange(channels, dtype=np.uint64)[None, None, :]
    mask = np.uint64(0xFFFFFFFF)
    n = (x * np.uint64(73856093)) ^ (y * np.uint64(19349663)) ^ ((c + np.uint64(1)) * np.uint64(83492791)) ^ np.uint64(seed)
    n = ((n & mask) * np.uint64(2654435761)) & mask
    n = n ^ (n >> np.uint64(15))
    n = (n * np.uint64(2246822519)) & mask
    noise = n >> np.uint64(24)
    ramp = (x * np.uint64(3) + y * np.uint64(5) + c * np.uint64(85) + np.uint64(seed)) & np.uint64(255)
    odd = ((x >> np.uint64(4)) + (y >> np.uint64(4))) & np.uint64(1)
    return np.where(odd == 1, noise, ramp).astype(np.uint8)


def resample():
    import torch
    from torchvision.transforms.v2 import functional as tvF
    from torchvision.transforms.v2 import InterpolationMode

    pil = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    tv = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
    rng = random.Random(1)
    sizes = [(1, 1, 5, 7), (7, 5, 1, 1), (2, 3, 2, 9), (9, 2, 3, 2), (33, 17, 33, 40), (64, 64, 64, 64),
             (640, 480, 336, 336), (100, 100, 448, 448), (1000, 30, 28, 28), (30, 1000, 56, 28), (513, 257, 512, 256)]
    while len(sizes) < 80:
        sizes.append(tuple(int(2 ** rng.uniform(0, 9)) for _ in range(4)))
    cases = []
    for w, h, ow, oh in sizes:
        a = picture(w, h)
        for name in pil:
            out = np.asarray(Image.fromarray(a).resize((ow, oh), pil[name]))
            cases.append(["pil", name, w, h, ow, oh, zlib.crc32(out.tobytes())])
            # What Pillow 11.3 and 12.0 gave for 2,521 random sizes.
            rows_first = Image.fromarray(a).resize((ow, h), pil[name]).resize((ow, oh), pil[name])
            if not np.array_equal(out, rows_first):
                cases.append(["pil12", name, w, h, ow, oh, zlib.crc32(np.asarray(rows_first).tobytes())])
        for name in tv:
            t = torch.from_numpy(a).permute(2, 0, 1)
            out = tvF.resize(t, [oh, ow], interpolation=tv[name], antialias=True)
            cases.append(["torchvision", name, w, h, ow, oh, zlib.crc32(out.permute(1, 2, 0).contiguous().numpy().tobytes())])
    with open("resample.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    {"resample": resample}[sys.argv[1]]()
