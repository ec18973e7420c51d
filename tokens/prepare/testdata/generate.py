"""Writes the golden files of this folder with Pillow, PyTorch and transformers.

    pip install pillow numpy torch torchvision transformers
    python generate.py resample           # resample.json
    python generate.py colours            # colours.json, of the .png files here
    python generate.py models             # models.json
    python generate.py models many.json   # random sizes, for go test -golden many.json

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
    tv = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC, "lanczos": InterpolationMode.LANCZOS}
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


def colours():
    import glob
    from transformers.image_transforms import convert_to_rgb

    out = {}
    for name in sorted(glob.glob("*.png")):
        im = Image.open(name)
        out[name] = {
            "white": zlib.crc32(np.ascontiguousarray(convert_to_rgb(im, return_numpy=True)).tobytes()),
            "drop": zlib.crc32(np.asarray(im.convert("RGB")).tobytes()),
        }
    with open("colours.json", "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


# Settings of the released preprocessor_config.json where they differ from those
# of the class.
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
QWEN = {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 16384}, **CLIP}
GLM = {"size": {"shortest_edge": 112 * 112, "longest_edge": 9633792}, **CLIP}
SMOL = {"size": {"longest_edge": 1536}, "max_image_size": {"longest_edge": 384}, **HALF}
SMOL500 = {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}, **HALF}


def square(n):
    return {"height": n, "width": n}


PROCESSORS = {
    "qwen2.5-vl": ("qwen2_vl", "Qwen2VL", QWEN),
    "qwen3-vl": ("qwen2_vl", "Qwen2VL", {"size": {"shortest_edge": 65536, "longest_edge": 16777216}, "patch_size": 16, **HALF}),
    "glm-4.1v": ("glm4v", "Glm4v", GLM),
    "glm-4.6v": ("glm46v", "Glm46V", GLM),
    "llava-1.5": ("clip", "CLIP", {"size": {"shortest_edge": 336}, "crop_size": square(336), **CLIP}),
    "llava-1.5 square": ("llava", "Llava", {"size": {"shortest_edge": 336}, "crop_size": square(336), "do_pad": True, **CLIP}),
    "llava-next": ("llava_next", "LlavaNext", {"size": {"shortest_edge": 336}, "crop_size": square(336), **CLIP}),
    "llava-onevision": ("llava_onevision", "LlavaOnevision", HALF),
    "internvl3": ("got_ocr2", "GotOcr2", {"size": square(448), "crop_to_patches": True, "min_patches": 1, "max_patches": 12, **IMAGENET}),
    "gemma-3": ("gemma3", "Gemma3", {"size": square(896), **HALF}),
    "gemma-3 crops": ("gemma3", "Gemma3", {"size": square(896), "do_pan_and_scan": True, "pan_and_scan_min_crop_size": 256,
                                          "pan_and_scan_max_num_crops": 4, "pan_and_scan_min_ratio_to_activate": 1.2, **HALF}),
    "paligemma-224": ("siglip", "Siglip", {"size": square(224), **HALF}),
    "paligemma-448": ("siglip", "Siglip", {"size": square(448), **HALF}),
    "pixtral": ("pixtral", "Pixtral", {"size": {"longest_edge": 1024}, "patch_size": square(16), **CLIP}),
    "mistral-small-3": ("pixtral", "Pixtral", {"size": {"longest_edge": 1540}, "patch_size": square(28), **CLIP}),
    "idefics3": ("idefics3", "Idefics3", {"return_row_col_info": True, **HALF}),
    "smolvlm": ("smolvlm", "SmolVLM", {"return_row_col_info": True, **SMOL}),
    "smolvlm-500m": ("smolvlm", "SmolVLM", {"return_row_col_info": True, **SMOL500}),
    "llama-3.2": ("mllama", "Mllama", {"size": square(560), "max_image_tiles": 4, **CLIP}),
    "llama-4": ("llama4", "Llama4", {}),
    "minicpm-v-4.6": ("minicpmv4_6", "MiniCPMV4_6", {}),
    "phi-4-multimodal": ("phi4_multimodal", "Phi4Multimodal", {}),
    "deepseek-ocr-2": ("deepseek_ocr2", "DeepseekOcr2", {}),
}
VIDEOS = {
    "qwen2.5-vl": ("qwen2_vl", "Qwen2VL", CLIP),
    "qwen3-vl": ("qwen3_vl", "Qwen3VL", {"size": {"shortest_edge": 4096, "longest_edge": 25165824}, **HALF}),
    "glm-4.1v": ("glm4v", "Glm4v", {"size": {"shortest_edge": 12544, "longest_edge": 47040000}, **CLIP}),
}


def processor(module, name, backend, settings):
    import importlib

    suffix = {"pil": "Pil", "torchvision": ""}[backend]
    path = f"transformers.models.{module}.image_processing_{'pil_' if suffix else ''}{module}"
    try:
        return getattr(importlib.import_module(path), name + "ImageProcessor" + suffix)(**settings)
    except ModuleNotFoundError:
        return None


def normalise(x, mean, std):
    """ToTensor and Normalize of torchvision."""
    import torch

    t = torch.from_numpy(np.array(x)).permute(2, 0, 1).float().div(255)
    m = torch.tensor(mean).view(-1, 1, 1)
    return t.sub(m).div(torch.tensor(std).view(-1, 1, 1))


def phi3(im, crops=16):
    """HD_transform and the rest of the processor of microsoft/Phi-3.5-vision-instruct."""
    import math
    import torch

    w, h = im.size
    turned = w < h
    if turned:
        im = im.transpose(Image.TRANSPOSE)
        w, h = im.size
    ratio = w / h
    scale = 1
    while scale * math.ceil(scale / ratio) <= crops:
        scale += 1
    scale -= 1
    nw = scale * 336
    nh = int(nw / ratio)
    im = im.resize((nw, nh), Image.BILINEAR)
    tall = math.ceil(nh / 336) * 336
    canvas = Image.new("RGB", (nw, tall), (255, 255, 255))
    canvas.paste(im, (0, int((tall - nh) / 2)))
    if turned:
        canvas = canvas.transpose(Image.TRANSPOSE)
    t = normalise(canvas, **{"mean": CLIP["image_mean"], "std": CLIP["image_std"]})
    whole = torch.nn.functional.interpolate(t[None], size=(336, 336), mode="bicubic")
    _, h, w = t.shape
    tiles = t.reshape(1, 3, h // 336, 336, w // 336, 336).permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, 336, 336)
    out = torch.zeros(1, crops + 1, 3, 336, 336)
    out[0, 0] = whole[0]
    out[0, 1 : 1 + len(tiles)] = tiles
    n = ((h // 336) * (w // 336) + 1) * 144 + 1 + (h // 336 + 1) * 12
    return {"pixel_values": out, "image_sizes": [[h, w]], "num_img_tokens": [n]}


def deepseek(im, whole, tile=0, stretch=False):
    """The processor of deepseek-ai/DeepSeek-OCR."""
    import torch
    from PIL import ImageOps
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    out, grid = {}, (1, 1)
    source = im.resize((whole, whole)) if stretch else im
    ori = ImageOps.pad(source, (whole, whole), color=(127, 127, 127))
    out["images_ori"] = normalise(ori, [0.5] * 3, [0.5] * 3)[None]
    if tile and max(im.size) > 640:
        grid = get_optimal_tiled_canvas((im.height, im.width), (tile, tile), 2, 6)
        big = im.resize((grid[0] * tile, grid[1] * tile))
        tiles = [big.crop((x * tile, y * tile, (x + 1) * tile, (y + 1) * tile)) for y in range(grid[1]) for x in range(grid[0])]
        if len(tiles) > 1:
            out["images_crop"] = torch.stack([normalise(t, [0.5] * 3, [0.5] * 3) for t in tiles])
    out["images_spatial_crop"] = [list(grid)]
    return out


def minicpm(im):
    """The processor of openbmb/MiniCPM-V-2_6."""
    import math

    scale, patch, most = 448, 14, 9

    def divide(n, d):
        return max(round(n / d) * d, d)

    def best(size, grow):
        w, h = size
        if w * h > scale * scale or grow:
            r = w / h
            h = int(scale / math.sqrt(r))
            w = int(h * r)
        return divide(w, patch), divide(h, patch)

    w, h = im.size
    multiple = min(math.ceil(w * h / (scale * scale)), most)
    views, grid = [], None
    if multiple <= 1:
        views.append(im.resize(best(im.size, True), Image.BICUBIC))
    else:
        views.append(im.resize(best(im.size, False), Image.BICUBIC))
        grids = []
        for n in [multiple - 1, multiple, multiple + 1]:
            if n != 1 and n <= most:
                grids += [(m, n // m) for m in range(1, n + 1) if n % m == 0]
        error, grid = float("inf"), (1, 1)
        for g in grids:
            e = abs(math.log(w / h) - math.log(g[0] / g[1]))
            if e < error:
                error, grid = e, g
        bw, bh = best((divide(w, grid[0]) / grid[0], divide(h, grid[1]) / grid[1]), True)
        refined = im.resize((bw * grid[0], bh * grid[1]), Image.BICUBIC)
        views += [refined.crop((x * bw, y * bh, (x + 1) * bw, (y + 1) * bh)) for y in range(grid[1]) for x in range(grid[0])]
    rows, sizes = [], []
    for v in views:
        a = (np.asarray(v).astype(np.float32) / 255 - np.float32(0.5)) / np.float32(0.5)
        a = a.transpose(2, 0, 1)
        gh, gw = v.height // patch, v.width // patch
        a = a.reshape(3, gh, patch, gw, patch).transpose(0, 2, 1, 3, 4).reshape(3, patch, -1)
        rows.append(a)
        sizes.append([gh, gw])
    return {"pixel_values": np.concatenate(rows, -1)[None], "tgt_sizes": np.array(sizes, np.int32),
            "grids": [[grid[1], grid[0]] if grid else [0, 0]]}


OWN = {
    "phi-3.5-vision": phi3,
    "minicpm-v-2.6": minicpm,
    "deepseek-ocr-tiny": lambda im: deepseek(im, 512, stretch=True),
    "deepseek-ocr-small": lambda im: deepseek(im, 640, stretch=True),
    "deepseek-ocr-base": lambda im: deepseek(im, 1024),
    "deepseek-ocr": lambda im: deepseek(im, 1024, 640),
}


def describe(out, whole_apart=False):
    """Returns [name, type, shape, checksum, samples] of each tensor: up to 32 samples of
    all of it, or, if the view of the whole comes apart, the checksum of the other views
    and 300 samples of the whole."""
    described = []
    for name, v in out.items():
        if hasattr(v, "numpy"):
            v = v.float().numpy() if v.dtype.is_floating_point else v.numpy()
        elif isinstance(v, list) and hasattr(v[0], "numpy"):
            v = np.stack([x.numpy() for x in v])
        v = np.asarray(v)
        if np.issubdtype(v.dtype, np.floating):
            v = v.astype(np.float32)
        elif v.dtype != np.int32:
            v = v.astype(np.int64)
        v = np.ascontiguousarray(v)
        kind = {"float32": "F32", "int64": "I64", "int32": "I32"}[str(v.dtype)]
        if whole_apart and v.ndim == 5:
            flat = v[0, 0].reshape(-1)
            samples = flat[:: len(flat) // 299][:300].tolist()
            described.append([name, "F32", list(v.shape), zlib.crc32(np.ascontiguousarray(v[0, 1:]).tobytes()), samples])
            continue
        flat = v.reshape(-1)
        samples = flat[:: max(1, len(flat) // 31)][:32].tolist()
        described.append([name, kind, list(v.shape), zlib.crc32(v.tobytes()), samples if kind == "F32" else flat[:32].tolist()])
    return described


SIZES = [(333, 517), (100, 41)]


def random_sizes():
    rng = random.Random(7)
    sizes = [(640, 480), (1280, 700), (61, 802), (448, 448), (1500, 1201), (1920, 1080)]
    while len(sizes) < 20:
        w, h = (round(2 ** rng.uniform(4.5, 11)) for _ in range(2))
        if max(w, h) < 20 * min(w, h):
            sizes.append((w, h))
    return sizes


def models(name="models.json", only=""):
    import torch

    sizes = SIZES if name == "models.json" else random_sizes()

    cases = []
    for model, (module, cls, settings) in PROCESSORS.items():
        for backend in ["pil", "torchvision"]:
            if only and not model.startswith(only):
                continue
            if (p := processor(module, cls, backend, settings)) is None:
                continue
            # Both backends share everything but arithmetic.
            for w, h in sizes[: 1 if backend == "torchvision" and name == "models.json" else None]:
                try:
                    out = p(Image.fromarray(picture(w, h)), return_tensors="pt" if backend == "torchvision" else "np")
                except Exception as e:
                    print(model, backend, w, h, "refused:", e)
                    continue
                cases.append({"model": model, "backend": backend, "width": w, "height": h, "tensors": describe(out, model.startswith("phi"))})
    for model, f in OWN.items():
        for w, h in sizes:
            if only and not model.startswith(only):
                continue
            cases.append({"model": model, "backend": "pil", "width": w, "height": h, "tensors": describe(f(Image.fromarray(picture(w, h))), model.startswith("phi"))})
    import importlib

    for model, (module, cls, settings) in VIDEOS.items():
        if only and not model.startswith(only):
            continue
        p = getattr(importlib.import_module(f"transformers.models.{module}.video_processing_{module}"), cls + "VideoProcessor")(**settings)
        for w, h, n in [(320, 240, 4), (101, 203, 5)]:
            frames = torch.stack([torch.from_numpy(picture(w, h, seed=i)).permute(2, 0, 1) for i in range(n)])
            out = p([frames], do_sample_frames=False, return_tensors="pt")
            out = {k: v for k, v in out.items() if hasattr(v, "numpy")}
            cases.append({"model": model, "backend": "torchvision", "width": w, "height": h, "frames": n, "tensors": describe(out)})
    with open(name, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    {"resample": resample, "colours": colours, "models": models}[sys.argv[1]](*sys.argv[2:])
