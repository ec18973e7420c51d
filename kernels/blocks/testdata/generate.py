"""Writes golden.json: blocks, and the bits that the reference decoder of the gguf package
makes of them; and weights with the blocks that its encoder makes of them, where it has one.

    pip install gguf==0.19.0 && python generate.py
"""
import json
import numpy as np
from gguf import quants, GGMLQuantizationType as T, GGUFWriter

rng = np.random.default_rng(1)
out = {"decode": {}, "encode": {}}
for t in (T.Q8_0, T.Q4_0, T.IQ4_NL, T.MXFP4, T.NVFP4, T.TQ2_0, T.TQ1_0):
    size = quants.GGML_QUANT_SIZES[t][1]
    blocks = rng.integers(0, 256, (48 if size < 40 else 12, size), dtype=np.uint8)
    at = {T.TQ2_0: 64, T.TQ1_0: 52}.get(t, 0)
    if t not in (T.MXFP4, T.NVFP4):
        # Every finite float16, but the infinities and NaNs.
        d = blocks[:, at : at + 2].copy().view(np.uint16)
        d = np.where(d & 0x7C00 == 0x7C00, d & 0x83FF, d)
        blocks[:, at : at + 2] = d.view(np.uint8)
    if t == T.MXFP4:
        blocks[:6, 0] = [0, 1, 2, 3, 254, 127]
    if t == T.NVFP4:
        blocks[0, :4] = [0, 0x7F, 1, 0x7E]
    y = quants.dequantize(blocks, t)
    out["decode"][t.name] = {"blocks": blocks.tobytes().hex(), "bits": y.astype("<f4").tobytes().hex()}
for t in (T.Q8_0, T.Q4_0, T.MXFP4, T.TQ2_0, T.TQ1_0):
    x = rng.standard_normal((8, 256)).astype(np.float32) * np.float32(0.02)
    x[1] = 0
    x[2] = np.round(x[2] * 100) / 100
    x[3] *= -1000
    b = quants.quantize(x, t)
    out["encode"][t.name] = {"bits": x.astype("<f4").tobytes().hex(), "blocks": b.tobytes().hex()}
with open("golden.json", "w") as f:
    json.dump(out, f, indent=0)
