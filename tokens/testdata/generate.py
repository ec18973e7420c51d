"""Makes the golden vectors of package tokens from the processors' own code.

    pip install torch torchvision transformers pillow num2words
    python generate.py > golden.json
    python generate.py --published DIR > golden.json

The second form also runs code that vendors publish beside their weights, where DIR has
it: image_processing_minicpmv.py (openbmb/MiniCPM-V-2_6), processing_phi3_v.py
(microsoft/Phi-3.5-vision-instruct) and modeling_deepseekocr.py (deepseek-ai/DeepSeek-OCR).
Only the functions that deal with sizes are taken from the files.

No weights and no network are needed: image processors are made from their classes, with
the settings of the released checkpoints where they differ from the defaults of the class.
Each picture goes through the whole of preprocess, and the method of the processor that
writes the placeholders into the prompt makes the string whose tokens are counted. The
utility _get_num_multimodal_tokens is run beside it, and where it differs is noted.

A vector is [width, height, tokens, resized width, resized height, columns, rows]; tokens
is -1 where the processor raises an error.
"""

import ast
import json
import math
import os
import random
import re
import sys
import types

import numpy
import PIL
import torch
import torchvision
import transformers
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deepseek_ocr2.image_processing_pil_deepseek_ocr2 import DeepseekOcr2ImageProcessorPil
from transformers.models.deepseek_ocr2.processing_deepseek_ocr2 import DeepseekOcr2Processor
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from transformers.models.glm46v.image_processing_pil_glm46v import Glm46VImageProcessorPil
from transformers.models.glm46v.processing_glm46v import Glm46VProcessor
from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil
from transformers.models.glm4v.processing_glm4v import Glm4vProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.llama4.image_processing_llama4 import Llama4ImageProcessor
from transformers.models.llama4.processing_llama4 import Llama4Processor
from transformers.models.llava.processing_llava import LlavaProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.minicpmv4_6.image_processing_pil_minicpmv4_6 import MiniCPMV4_6ImageProcessorPil
from transformers.models.minicpmv4_6.processing_minicpmv4_6 import MiniCPMV4_6Processor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil
from transformers.models.phi4_multimodal.image_processing_phi4_multimodal import Phi4MultimodalImageProcessor
from transformers.models.pixtral.image_processing_pil_pixtral import PixtralImageProcessorPil
from transformers.models.pixtral.processing_pixtral import PixtralProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor, get_image_prompt_string

from transformers.models.glm46v.video_processing_glm46v import Glm46VVideoProcessor
from transformers.models.glm4v.video_processing_glm4v import Glm4vVideoProcessor
from transformers.models.internvl.video_processing_internvl import InternVLVideoProcessor
from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

TABLE = [(336, 336), (512, 512), (640, 480), (1024, 768), (1024, 1024), (1280, 720), (1920, 1080),
         (595, 842), (1240, 1754), (2480, 3508), (3840, 2160), (4032, 3024)]


def sizes():
    """The sizes of the table, and random ones: of all scales, elongated, tiny, near the
    borders of tiles, with ratios at which layouts tie, and huge."""
    r = random.Random(20261121)
    out = list(TABLE)
    log = lambda a, b: round(a * (b / a) ** r.random())
    out += [(log(40, 4000), log(40, 4000)) for _ in range(26)]
    for _ in range(5):
        a, b = log(4, 40), log(1500, 6000)
        out += [(a, b), (log(1500, 6000), log(4, 40))]
    out += [(r.randint(1, 60), r.randint(1, 60)) for _ in range(8)]
    out += [(1, 1), (1, 200), (201, 1), (3, 700)]
    for tile in (28, 32, 336, 364, 384, 448, 512, 560, 640, 768):
        out.append((tile * r.randint(1, 4) + r.choice((-1, 0, 1)), tile * r.randint(1, 4) + r.choice((-1, 0, 1))))
    for a, b in ((5, 4), (4, 5), (13, 12), (17, 8), (3, 2), (15, 4), (7, 6), (12, 1)):
        s = r.randint(20, 130)
        out.append((a * s, b * s))
    # Where round(x, 7) of LLaVA-NeXT and LLaVA-OneVision makes a difference.
    out += [(99, 88), (110, 352), (176, 55), (328, 861), (624, 1872), (714, 1666), (738, 820), (750, 1750)]
    out += [(7001, 5003), (5333, 6000)]
    return out


def count(prompt):
    """The tokens of a string of placeholders, which are single capitals, tags, and line
    ends, of which adjoining ones are one token."""
    return len(re.findall(r"<[^<>]*>|\n+|[A-Z]", prompt))


def processor(cls, ip, **attributes):
    """A processor without a tokeniser."""
    p = object.__new__(cls)
    p.__dict__.update(image_processor=ip, image_token="I", video_token="V", **attributes)
    p.tokenizer = lambda text, **_: {"input_ids": [0] * len(re.findall(r"\n+", text))}
    p._merge_kwargs = lambda *_, **kw: {"images_kwargs": dict(getattr(cls, "images_kwargs", {}), **kw)}
    return p


class Spy:
    """Notes the sizes to which an image processor resizes."""

    def __init__(self, ip):
        self.sizes = []
        base = super(type(ip), ip).resize if "resize" in type(ip).__dict__ else ip.resize
        owner = next(c for c in type(ip).__mro__[1 if "resize" in type(ip).__dict__ else 0:] if "resize" in c.__dict__)
        original = owner.resize
        spy = self

        def resize(self, image, *args, **kwargs):
            result = original(self, image, *args, **kwargs)
            spy.sizes.append(tuple(int(n) for n in result.shape[-2:]))
            return result

        self.owner, self.original = owner, original
        owner.resize = resize

    def close(self):
        self.owner.resize = self.original


FAST = dict(do_rescale=False, do_normalize=False)  # shapes do not depend on it


def grid_of(ip, out, p):
    g = out["image_grid_thw"][0]
    return int(g[2]) // ip.merge_size, int(g[1]) // ip.merge_size


def one(_ip, _out, _p):
    return 1, 1


MODELS = {}


def model(name, ip, p, grid=one, resized=lambda s: s[0], tokens=None, call=None, **settings):
    MODELS[name] = dict(ip=ip, p=p, grid=grid, resized=resized, tokens=tokens, call=call, settings=settings)


def qwen(name, cls, **settings):
    ip = Qwen2VLImageProcessorPil(**settings)
    model(name, ip, processor(cls, ip), grid_of, **settings)


qwen("qwen2-vl", Qwen2VLProcessor, size={"shortest_edge": 3136, "longest_edge": 12845056})
qwen("qwen2.5-vl", Qwen2VLProcessor, size={"shortest_edge": 3136, "longest_edge": 12845056})
qwen("qwen3-vl", Qwen3VLProcessor, patch_size=16, size={"shortest_edge": 65536, "longest_edge": 16777216})
for name, ipc, pc in (("glm-4.1v", Glm4vImageProcessorPil, Glm4vProcessor), ("glm-4.6v", Glm46VImageProcessorPil, Glm46VProcessor)):
    settings = dict(size={"shortest_edge": 12544, "longest_edge": 9633792})
    ip = ipc(**settings)
    model(name, ip, processor(pc, ip), grid_of, **settings)

settings = dict(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
ip = CLIPImageProcessorPil(**settings)
model("llava-1.5", ip, processor(LlavaProcessor, ip, patch_size=14, num_additional_image_tokens=1, vision_feature_select_strategy="default"),
      resized=lambda s: (336, 336), **settings)
ip = LlavaNextImageProcessorPil(**settings)


def pinpoint(ip, out, p):
    from transformers.image_processing_utils import select_best_resolution
    tile = out["pixel_values"][0][0].shape[-1]
    h, w = select_best_resolution(tuple(int(n) for n in out["image_sizes"][0]), ip.image_grid_pinpoints)
    assert len(out["pixel_values"][0]) == h // tile * (w // tile) + 1
    return w // tile, h // tile


model("llava-next", ip, processor(LlavaNextProcessor, ip, patch_size=14, num_additional_image_tokens=1, vision_feature_select_strategy="default"),
      pinpoint, **settings)
ip = LlavaOnevisionImageProcessorPil()
model("llava-onevision", ip, processor(LlavaOnevisionProcessor, ip, num_image_tokens=729, vision_feature_select_strategy="full", vision_aspect_ratio="anyres_max_9"), pinpoint)


def tiled(ip, out, p):
    tile, (rh, rw) = p.tile, p.spied[0]
    return max(1, rw // tile), max(1, rh // tile)


settings = dict(size={"height": 448, "width": 448}, crop_to_patches=True)
ip = GotOcr2ImageProcessorPil(**settings)
model("internvl3", ip, processor(InternVLProcessor, ip, tile=448, image_seq_length=256, start_image_token="S", end_image_token="E"), tiled, **settings)

ip = MiniCPMV4_6ImageProcessorPil()


def slice_grid(ip, out, p):
    rows, cols = out["grids"][0]
    return max(1, cols), max(1, rows)


model("minicpm-v-4.6", ip, processor(MiniCPMV4_6Processor, ip, slice_mode=True, image_start_token="A", image_end_token="B", slice_start_token="C", slice_end_token="D"),
      slice_grid, resized=lambda s: s[-1], tokens=lambda p, out: count(p.replace_image_token(out, 0, image_token_divisor=16)))

settings = dict(size={"height": 896, "width": 896})
ip = Gemma3ImageProcessorPil(**settings)
gemma = processor(Gemma3Processor, ip, image_seq_length=256, full_image_sequence="\n\nA" + "I" * 256 + "B\n\n")
visual = lambda p, out: p.replace_image_token(out, 0).count("I")
model("gemma-3", ip, gemma, tokens=visual, **settings)


def crops(ip, out, p):
    n = out["num_crops"][0]
    return (1, 1) if not n else ((n, 1) if p.wide else (1, n))


pan = dict(do_pan_and_scan=True, pan_and_scan_min_crop_size=256, pan_and_scan_max_num_crops=4, pan_and_scan_min_ratio_to_activate=1.2)
ip = Gemma3ImageProcessorPil(**settings, **pan)
model("gemma-3 PanAndScan", ip, processor(Gemma3Processor, ip, image_seq_length=256, full_image_sequence="\n\nA" + "I" * 256 + "B\n\n"), crops, tokens=visual, **settings, **pan)


def rows_of(ip, out, p):
    h, w = out["image_sizes"][0]
    n = p.patch_size * p.spatial_merge_size
    return int(w) // n, int(h) // n


for name, patch, merge, edge in (("pixtral", 16, 1, 1024), ("mistral-small-3", 14, 2, 1540)):
    settings = dict(size={"longest_edge": edge}, patch_size={"height": patch, "width": patch})
    ip = PixtralImageProcessorPil(**settings)
    p = processor(PixtralProcessor, ip, patch_size=patch, spatial_merge_size=merge, image_break_token="B", image_end_token="E")
    model(name, ip, p, rows_of, call=dict(patch_size={"height": patch * merge, "width": patch * merge}), spatial_merge_size=merge, **settings)


def split(ip, out, p):
    return max(1, out["cols"][0][0]), max(1, out["rows"][0][0])


for name, ipc, pc, edge, tile, seq in (("idefics3", Idefics3ImageProcessorPil, Idefics3Processor, 1456, 364, 169),
                                       ("smolvlm", SmolVLMImageProcessorPil, SmolVLMProcessor, 1536, 384, 81),
                                       ("smolvlm-500m", SmolVLMImageProcessorPil, SmolVLMProcessor, 2048, 512, 64)):
    settings = dict(size={"longest_edge": edge}, max_image_size={"longest_edge": tile})
    ip = ipc(**settings)
    model(name, ip, processor(pc, ip, image_seq_len=seq, fake_image_token="F", global_image_tag="G", global_image_token="G"), split,
          resized=lambda s: s[1], call=dict(return_row_col_info=True), image_seq_len=seq, **settings)

settings = dict(size={"height": 560, "width": 560}, max_image_tiles=4)
ip = MllamaImageProcessorPil(**settings)
model("llama-3.2", ip, types.SimpleNamespace(tile=560), lambda ip, out, p: p.grid,
      tokens=lambda p, out: p.note(out), **settings)
MODELS["llama-3.2"]["p"].note = lambda out: 1601 * int(out["num_tiles"][0][0])
ip = Llama4ImageProcessor()
model("llama-4", ip, processor(Llama4Processor, ip, patch_size=14, downsample_ratio=4),
      lambda ip, out, p: (int(out["aspect_ratios"][0][1]), int(out["aspect_ratios"][0][0])))
ip = Phi4MultimodalImageProcessor()


def phi_grid(ip, out, p):
    h, w = out["image_sizes"][0]
    return int(w) // 448, int(h) // 448


model("phi-4-multimodal", ip, None, phi_grid, resized=lambda s: None, tokens=lambda p, out: int(out["num_img_tokens"][0]))
ip = DeepseekOcr2ImageProcessorPil()


def ocr_grid(ip, out, p):
    if out["num_local_patches"][0] == 0:
        return 1, 1
    rh, rw = p.spied[0]
    return rw // 768, rh // 768


model("deepseek-ocr-2", ip, processor(DeepseekOcr2Processor, ip, patch_size=16, downsample_ratio=4), ocr_grid)


def functions(path, *names):
    """The functions of these names in a Python file, or in a class in it."""
    found = [n for n in ast.walk(ast.parse(open(path).read())) if isinstance(n, ast.FunctionDef) and n.name in names]
    scope = dict(math=math, np=numpy, torchvision=torchvision, Image=Image)
    exec(compile(ast.Module(found, []), path, "exec"), scope)
    return types.SimpleNamespace(**{n: scope[n] for n in names})


def minicpm(folder):
    f = functions(os.path.join(folder, "image_processing_minicpmv.py"), "ensure_divide", "find_best_resize", "get_refine_size",
                  "get_sliced_grid", "get_grid_placeholder", "get_slice_image_placeholder")
    cls = type("Published", (), dict(vars(f), max_slice_nums=9, scale_resolution=448, image_feature_size=64, use_image_id=False, slice_mode=True,
                                     unk_token="<unk>", im_start_token="<image>", im_end_token="</image>", slice_start_token="<slice>", slice_end_token="</slice>"))
    p = cls()

    def vector(w, h):
        tokens = count(p.get_slice_image_placeholder((w, h)))
        grid = p.get_sliced_grid((w, h), 9)
        if grid is None:
            return [w, h, tokens, *p.find_best_resize((w, h), 448, 14, allow_upscale=True), 1, 1]
        return [w, h, tokens, *p.get_refine_size((w, h), grid, 448, 14, allow_upscale=True), *grid]

    return vector


def phi3(folder):
    f = functions(os.path.join(folder, "processing_phi3_v.py"), "padding_336", "HD_transform")

    def vector(w, h):
        w3, h3 = (n // 336 for n in f.HD_transform(Image.new("RGB", (w, h)), hd_num=16).size)
        return [w, h, (h3 * w3 + 1) * 144 + 1 + (h3 + 1) * 12, 0, 0, w3, h3]

    return vector


def deepseek(folder):
    f = functions(os.path.join(folder, "modeling_deepseekocr.py"), "find_closest_aspect_ratio", "dynamic_preprocess")

    def vector(w, h):
        q, base = 10, 16
        cols, rows = (1, 1) if w <= 640 and h <= 640 else f.dynamic_preprocess(Image.new("1", (w, h)), max_num=6)[1]
        tokens = (base + 1) * base + 1 + (q * rows * (q * cols + 1) if cols > 1 or rows > 1 else 0)
        return [w, h, tokens, 0, 0, cols, rows]

    return vector


PUBLISHED = {"minicpm-v-2.6": minicpm, "minicpm-v-4": minicpm, "minicpm-v-4.5": minicpm, "phi-3.5-vision": phi3, "deepseek-ocr": deepseek}


def run(name, m, w, h):
    ip, p = m["ip"], m["p"]
    spy = Spy(ip)
    try:
        kwargs = dict(FAST, **(m["call"] or {}))
        if name != "llava-1.5":
            kwargs["return_tensors"] = "np" if "Pil" in type(ip).__name__ else "pt"
        out = ip.preprocess(Image.new("RGB", (w, h), (90, 120, 30)), **kwargs)
    except (ValueError, RuntimeError, ZeroDivisionError, TypeError, OverflowError) as e:
        return [w, h, -1], f"{type(e).__name__}: {str(e)[:120]}"
    finally:
        spy.close()
    if p is not None:
        p.spied, p.wide = spy.sizes, w >= h
        if name == "llama-3.2":
            i = int(out["aspect_ratio_ids"][0][0]) - 1
            from transformers.models.mllama.image_processing_pil_mllama import get_all_supported_aspect_ratios
            rows, cols = get_all_supported_aspect_ratios(4)[i]
            p.grid = (cols, rows)
        if name == "llava-onevision":
            out["batch_num_images"] = [1]
    tokens = m["tokens"](p, out) if m["tokens"] else count(p.replace_image_token(out, 0))
    cols, rows = m["grid"](ip, out, p)
    resized = m["resized"](spy.sizes)
    rh, rw = resized if resized else (0, 0)
    utility = None
    if hasattr(p, "_get_num_multimodal_tokens"):
        try:
            utility = p._get_num_multimodal_tokens(image_sizes=[(h, w)]).num_image_tokens[0]
        except Exception as e:  # a difference worth noting, whatever it is
            utility = f"{type(e).__name__}: {str(e)[:80]}"
    return [w, h, int(tokens), rw, rh, int(cols), int(rows)], utility


# Of video processors: class, settings, and how to count what it gives.
def grid_tokens(vp, out):
    return int(out["video_grid_thw"][0].prod()) // vp.merge_size**2


def ov_tokens(_vp, out):
    return count(processor(LlavaOnevisionProcessor, None, num_image_tokens=729).replace_video_token(out, 0))


def internvl_tokens(_vp, out):
    p = processor(InternVLProcessor, None, image_seq_length=256, start_image_token="S", end_image_token="E")
    return len(re.findall("[SIE]", p.replace_video_token(out, 0).replace("Frame", "")))


def smolvlm_tokens(seq):
    def tokens(_vp, out):
        frame = get_image_prompt_string(0, 0, seq, fake_token_around_image="F", image_token="I", global_image_token="G")
        return out["pixel_values"].shape[1] * count(frame)
    return tokens


GLM_VIDEO = dict(size={"shortest_edge": 12544, "longest_edge": 47040000})
VIDEOS = {
    "qwen2-vl": (Qwen2VLVideoProcessor, {}, grid_tokens),
    "qwen2.5-vl": (Qwen2VLVideoProcessor, {}, grid_tokens),
    "qwen3-vl": (Qwen3VLVideoProcessor, dict(size={"shortest_edge": 4096, "longest_edge": 25165824}), grid_tokens),
    "glm-4.1v": (Glm4vVideoProcessor, GLM_VIDEO, grid_tokens),
    "glm-4.6v": (Glm46VVideoProcessor, GLM_VIDEO, grid_tokens),
    "llava-onevision": (LlavaOnevisionVideoProcessor, dict(size={"height": 384, "width": 384}), ov_tokens),
    "internvl3": (InternVLVideoProcessor, dict(size={"height": 448, "width": 448}), internvl_tokens),
    "smolvlm": (SmolVLMVideoProcessor, dict(size={"longest_edge": 384}, max_image_size={"longest_edge": 384}), smolvlm_tokens(81)),
    "smolvlm-500m": (SmolVLMVideoProcessor, dict(size={"longest_edge": 512}, max_image_size={"longest_edge": 512}), smolvlm_tokens(64)),
}


def clips():
    """Widths, heights and numbers of frames, small enough to be run."""
    r = random.Random(7)
    out = [(640, 480, 16), (1280, 720, 8), (1920, 1080, 4), (320, 240, 64), (64, 48, 96), (100, 30, 2), (30, 100, 3), (200, 200, 1)]
    out += [(r.randint(16, 700), r.randint(16, 700), r.randint(2, 40)) for _ in range(16)]
    return out


def run_video(cls, settings, tokens, w, h, n):
    vp = cls(**settings)
    try:
        out = vp.preprocess([torch.zeros((n, 3, h, w), dtype=torch.uint8)], do_sample_frames=False, return_tensors="pt", **FAST)
    except (ValueError, RuntimeError, ZeroDivisionError) as e:
        print(cls.__name__, w, h, n, str(e)[:100], file=sys.stderr)
        return [w, h, n, -1]
    return [w, h, n, int(tokens(vp, out))]


def main():
    out = {
        "versions": {m.__name__: m.__version__ for m in (transformers, torch, torchvision, PIL, numpy)} | {"python": sys.version.split()[0]},
        "models": {},
    }
    only = sys.argv[1:]
    if only[:1] == ["--published"]:
        folder, only = only[1], only[2:]
        for name, make in PUBLISHED.items():
            vector, vectors = make(folder), []
            for w, h in sizes():
                try:
                    vectors.append(vector(w, h))
                except (ValueError, ZeroDivisionError):
                    vectors.append([w, h, -1])
            out["models"][name] = {"processor": "published with the weights", "settings": {}, "vectors": vectors}
    for name, m in MODELS.items():
        if only and name not in only:
            continue
        vectors, differs, errors = [], [], []
        for w, h in sizes():
            v, utility = run(name, m, w, h)
            vectors.append(v)
            if v[2] == -1:
                errors.append([w, h, utility])
            elif utility is not None and utility != v[2]:
                differs.append([w, h, v[2], utility])
        out["models"][name] = {"processor": type(m["ip"]).__module__, "settings": m["settings"], "vectors": vectors}
        if errors:
            out["models"][name]["errors"] = errors
        if differs:
            out["models"][name]["utility_differs"] = differs
        if name in VIDEOS:
            out["models"][name]["videos"] = [run_video(*VIDEOS[name], *c) for c in clips()]
        print(name, len(vectors), "errors", len(errors), "utility differs", len(differs), file=sys.stderr, flush=True)
    text = json.dumps(out, indent=1)
    # A vector a line.
    print(re.sub(r"\[\s+(-?\d[^\[\]]*?)\s+\]", lambda g: "[" + re.sub(r"\s*\n\s*", " ", g[1]) + "]", text))


main()
