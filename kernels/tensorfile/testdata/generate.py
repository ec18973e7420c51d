"""Writes the files of this folder with NumPy and the safetensors package."""

import numpy as np
from safetensors.numpy import save_file

a = np.arange(24, dtype="<f4").reshape(2, 3, 4) / 8 - 1
np.save("f4.npy", a)
np.save("f4_fortran.npy", np.asfortranarray(a))
np.save("f8_big.npy", a.astype(">f8"))
np.save("f2.npy", a.astype("<f2"))
np.save("i8_scalar.npy", np.array(-7, dtype="<i8"))
np.save("u1_empty.npy", np.zeros((3, 0), dtype="u1"))
np.save("c8.npy", np.array([1 + 2j], dtype="<c8"))
with open("v2.npy", "wb") as f:
    np.lib.format.write_array(f, a, version=(2, 0))
save_file(
    {"weight": a, "half": a.astype("<f2")[0], "ids": np.array([[1, 2, 3]], dtype="<i8"), "scalar": np.array(2.5, dtype="<f8")},
    "mixed.safetensors",
    metadata={"format": "pt"},
)
