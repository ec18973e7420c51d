"""Writes golden.gguf, tensors of every type that package gguf decodes, and golden.bin, their
numbers as the reference decoder of the gguf package has them: float32, one tensor after
another.

    pip install gguf==0.19.0 && python generate.py
"""
import numpy as np
from gguf import GGUFReader, GGUFWriter, GGMLQuantizationType as T, quants
from gguf.constants import GGML_QUANT_SIZES

rng = np.random.default_rng(2)
w = GGUFWriter("golden.gguf", "test")
w.add_uint32("test.number", 7)
w.add_array("test.words", ["a", "ü", ""])
w.add_array("test.floats", [0.5, -1.25])
w.add_bool("test.yes", True)
w.add_int64("test.long", -(2**40))
at = {T.Q4_1: (0, 2), T.Q5_0: (0,), T.Q5_1: (0, 2), T.Q4_K: (0, 2), T.Q5_K: (0, 2), T.Q6_K: (208,),
      T.Q8_0: (0,), T.Q4_0: (0,), T.IQ4_NL: (0,), T.TQ2_0: (64,), T.TQ1_0: (52,), T.MXFP4: (), T.NVFP4: ()}
for t, halves in at.items():
    length, size = GGML_QUANT_SIZES[t]
    rows, blocks = 3, 512 // length if length < 256 else 1
    b = rng.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    for h in halves:
        d = b[..., h : h + 2].copy().view(np.uint16)
        d = np.where(d & 0x7C00 == 0x7C00, d & 0x83FF, d)
        b[..., h : h + 2] = d.view(np.uint8)
    if t == T.MXFP4:
        b[..., 0] = rng.integers(0, 240, b[..., 0].shape)
    w.add_tensor("t." + t.name, b.reshape(rows, blocks * size), raw_dtype=t)
w.add_tensor("t.F32", rng.standard_normal((2, 3, 5)).astype(np.float32))
w.add_tensor("t.F16", rng.standard_normal(7).astype(np.float16))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
with open("golden.bin", "wb") as f:
    for t in GGUFReader("golden.gguf").tensors:
        f.write(quants.dequantize(t.data, t.tensor_type).astype("<f4").tobytes())
