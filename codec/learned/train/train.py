#!/usr/bin/env python3
"""Trains the networks of the learned codec with PyTorch, on a GPU if there is one.

It is package train beside it, in Go, once more: the same networks (package network),
loss, start and optimisers, and the same file of weights, which network.ReadSafetensors
reads. What is written here is held to the Go by a stored vector: see --selftest and
python_test.go. It needs torch, numpy and Pillow, and nothing else of this repository.

    python3 train.py --data pictures --validation others --out weights.safetensors \\
        --checkpoint run.ckpt --preset gpu --batch 32 --rate 1e-3 --bf16 --minutes 9

Training stops by itself before --minutes are over, with the checkpoint and the weights
so far written and the exit status 75, and goes on when it is started again:

    until python3 train.py ...; do [ $? = 75 ] || break; done

Shapes: pictures are [N, H, W, 3] and activations [N, H, W, channels]; linear operations
are products of rows. W of a linear operation is [out, in].
"""

import argparse
import concurrent.futures
import dataclasses
import json
import math
import os
import pathlib
import signal
import struct
import sys
import time

BEGAN = time.monotonic()  # before what takes long to import

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

GROUPS = 4  # of latents, and passes in which they are coded
MIN_LOG_SCALE, MAX_LOG_SCALE = -5.0, 7.0
PIXEL_UNIT, PIXEL_ZERO = 64.0, 128.0
MIN_LAMBDA, MAX_LAMBDA = 0.0004, 0.5
LEAST = 2.0**-16  # probability
SQUARE = 192  # numbers in a square of 8 x 8 pixels

METADATA = "burin.learned"
CHECKPOINT = "burin.learned.torch"
MORE = 75  # exit status where time is up and steps are left


class Error(Exception):
    """What is the caller's to put right."""


# ---------------------------------------------------------------- safetensors

DTYPES = {"F32": np.dtype("<f4"), "U8": np.dtype("u1")}


def write_safetensors(path, tensors, metadata):
    """Writes arrays, float32 or uint8, by name: all of the file or nothing of it."""
    header, at = {"__metadata__": metadata}, 0
    for name, a in tensors.items():
        dtype = next(k for k, v in DTYPES.items() if v == a.dtype)
        header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    part = f"{path}.part"
    with open(part, "wb") as f:
        f.write(struct.pack("<Q", len(head)))
        f.write(head)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a).data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(part, path)


def read_safetensors(path):
    """Returns the arrays by name, and the metadata."""
    data = pathlib.Path(path).read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", data)
        if size > len(data) - 8:
            raise ValueError("the header is cut off")
        header = json.loads(data[8 : 8 + size])
        metadata, tensors = header.pop("__metadata__", {}), {}
        for name, t in header.items():
            begin, end = t["data_offsets"]
            if not 0 <= begin <= end <= len(data) - 8 - size:
                raise ValueError(f"{name} is cut off")
            a = np.frombuffer(data[8 + size + begin : 8 + size + end], DTYPES[t["dtype"]])
            tensors[name] = a.reshape(t["shape"])
        return tensors, metadata
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as e:
        raise Error(f"{path}: not a safetensors file of this trainer: {e}") from e


# ---------------------------------------------------------------- architecture


@dataclasses.dataclass(frozen=True)
class Config:
    """network.Config: the defaults are network.Small."""

    fine: int = 128
    coarse: int = 256
    latents: int = 256
    hyper: int = 64
    hyper_width: int = 128
    context: int = 192
    analysis_fine: int = 2
    analysis_coarse: int = 3
    synthesis_coarse: int = 3
    synthesis_fine: int = 3
    anchors: int = 8
    low: float = 0  # the rates that the network is for: both 0 for all
    high: float = 0

    LIMITS = {
        "fine": (1, 1024), "coarse": (1, 2048), "latents": (GROUPS, 1024), "hyper": (1, 512),
        "hyper_width": (1, 1024), "context": (1, 1024), "analysis_fine": (0, 32), "analysis_coarse": (0, 32),
        "synthesis_coarse": (0, 32), "synthesis_fine": (0, 32), "anchors": (2, 64),
    }  # fmt: skip

    def __post_init__(self):
        for name, (lo, hi) in self.LIMITS.items():
            n = getattr(self, name)
            if type(n) is not int or not lo <= n <= hi:
                raise Error(f"{name} is {n!r}, not {lo} to {hi}")
        if self.latents % GROUPS:
            raise Error(f"{self.latents} latents do not divide into {GROUPS} groups")
        low, high = self.rates()
        if not (isinstance(low, (int, float)) and isinstance(high, (int, float)) and 0 <= low < high <= 1):
            raise Error(f"rates of {low!r} to {high!r}")

    def rates(self):
        """Returns the bounds of the rates that the network is for."""
        return (0, 1) if self.low == self.high == 0 else (self.low, self.high)

    @staticmethod
    def parse(text):
        try:
            return Config(**json.loads(text))
        except (TypeError, ValueError) as e:
            raise Error(f"not an architecture: {e}") from e

    def json(self):
        return json.dumps(dataclasses.asdict(self))

    # Operations are tuples: ("linear", out), ("rectified", out), ("block", hidden),
    # ("down", factor), ("up", factor), ("rate",).

    def networks(self):
        """Returns channels of the input and operations of each network by name."""
        fine, coarse, wide, rate = ("block", self.fine), ("block", self.coarse), self.hyper_width, ("rate",)
        nets = {
            "analysis": (3, [
                ("down", 8), ("linear", self.fine), rate, *[fine] * self.analysis_fine,
                ("down", 2), ("linear", self.coarse), *[coarse] * self.analysis_coarse, ("linear", self.latents)]),
            "synthesis": (self.latents, [
                ("linear", self.coarse), rate, *[coarse] * self.synthesis_coarse,
                ("linear", 4 * self.fine), ("up", 2), *[fine] * self.synthesis_fine, ("linear", SQUARE), ("up", 8)]),
            "hyper_analysis": (self.latents, [
                ("rectified", wide), ("down", 2), ("linear", wide), rate, ("block", wide), ("down", 2), ("linear", self.hyper)]),
            "hyper_synthesis": (self.hyper, [
                ("linear", 4 * wide), ("up", 2), rate, ("block", wide),
                ("linear", 4 * wide), ("up", 2), ("block", wide), ("linear", self.context)]),
        }  # fmt: skip
        for k in range(GROUPS):
            nets[f"pass{k}.body"] = (self.context, [("block", self.context)])
        return nets

    def shapes(self):
        """Returns the shapes of all parameters by name, in the order of network.Params."""
        shapes = {}

        def dense(name, inputs, outputs):
            shapes[name + ".weight"], shapes[name + ".bias"] = (outputs, inputs), (1, outputs)

        def net(name, channels, ops):
            for i, (kind, *arg) in enumerate(ops):
                of = f"{name}.{i}"
                if kind in ("linear", "rectified"):
                    dense(of, channels, arg[0])
                    channels = arg[0]
                elif kind == "block":
                    shapes[of + ".depthwise.weight"], shapes[of + ".depthwise.bias"] = (9, channels), (1, channels)
                    dense(of + ".first", channels, arg[0])
                    dense(of + ".second", arg[0], channels)
                elif kind == "down":
                    channels *= arg[0] ** 2
                elif kind == "up":
                    channels //= arg[0] ** 2
                else:
                    shapes[of + ".anchors"] = (self.anchors, channels)

        nets = self.networks()
        for name in ("analysis", "synthesis", "hyper_analysis", "hyper_synthesis"):
            net(name, *nets[name])
        for k in range(GROUPS):
            if k > 0:
                dense(f"pass{k}.known", self.latents, self.context)
            net(f"pass{k}.body", *nets[f"pass{k}.body"])
            for g in range(GROUPS):
                dense(f"pass{k}.head{g}", self.context, 2 * self.latents // GROUPS)
        shapes["log_gains"] = (self.anchors, self.latents)
        shapes["hyper_means"] = shapes["hyper_log_scales"] = (self.anchors, self.hyper)
        return shapes

    def macs(self):
        """Returns the multiplications for a pixel of encoding and of decoding."""

        def of(name):
            channels, ops = nets[name]
            total, positions = 0.0, 1.0
            for kind, *arg in ops:
                if kind in ("linear", "rectified"):
                    total += positions * channels * arg[0]
                    channels = arg[0]
                elif kind == "block":
                    total += positions * (9 * channels + 2 * channels * arg[0])
                elif kind == "down":
                    positions, channels = positions / arg[0] ** 2, channels * arg[0] ** 2
                elif kind == "up":
                    positions, channels = positions * arg[0] ** 2, channels // arg[0] ** 2
            return total

        nets = self.networks()
        passes = GROUPS * (of("pass0.body") + self.context * 2 * self.latents / GROUPS)
        passes += (GROUPS - 1) * self.latents * self.context
        entropy = passes / 256 + of("hyper_synthesis") / 4096
        return entropy + of("analysis") + of("hyper_analysis") / 256, entropy + of("synthesis") / 256


PRESETS = {
    "small": Config(),
    # All coefficients of 8 x 8 pixels, and of the decoder's time a third in the blocks
    # of each grid and a fifth in the context networks: 37 thousand multiplications.
    "gpu": Config(
        fine=192, coarse=512, latents=320, hyper=96, hyper_width=192, context=384,
        analysis_fine=4, analysis_coarse=4, synthesis_coarse=6, synthesis_fine=12,
    ),
}  # fmt: skip


class Layout:
    """Where parameters lie in one flat array: the matrices of linear operations last,
    those of one shape side by side, which Muon works on at once."""

    def __init__(self, shapes):
        matrices = [n for n in shapes if n.endswith(".weight") and not n.endswith(".depthwise.weight")]
        others = [n for n in shapes if n not in set(matrices)]
        self.shapes, self.first = shapes, len(others)
        self.order = others + sorted(matrices, key=shapes.get)
        self.sizes = [math.prod(shapes[n]) for n in self.order]
        self.others, self.size = sum(self.sizes[: self.first]), sum(self.sizes)
        self.stacks, at = [], self.others  # (from, to, shape)
        for shape in sorted({shapes[n] for n in matrices}):
            to = at + sum(shapes[n] == shape for n in matrices) * math.prod(shape)
            self.stacks.append((at, to, shape))
            at = to

    def parts(self, flat):
        """Returns the parameters by name, as views: all, or those before the matrices if
        flat has no more."""
        sizes = self.sizes if len(flat) == self.size else self.sizes[: self.first]
        return {n: v.view(self.shapes[n]) for n, v in zip(self.order, flat.split(sizes))}

    def arrays(self, flat, prefix=""):
        """Returns the parameters in the order of the file."""
        parts = self.parts(flat.detach().cpu())
        return {prefix + n: parts[n].numpy() for n in self.shapes if n in parts}

    @torch.no_grad()
    def fill(self, flat, tensors, prefix=""):
        """Sets the parameters."""
        for n, p in self.parts(flat.detach()).items():
            a = tensors.get(prefix + n)
            if a is None or a.shape != p.shape or a.dtype != np.float32:
                raise Error(f"no float32 tensor {prefix + n} of shape {tuple(p.shape)}")
            if not np.isfinite(a).all():
                raise Error(f"{prefix + n} is not finite")
            p.copy_(torch.from_numpy(a.copy()))


# ---------------------------------------------------------------- networks


def straight_round(x):
    """Rounds, with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


def laplace_bits(x, mu, s):
    """Returns -log2 of the mass from x-1/2 to x+1/2 of Laplace distributions of scale
    exp(s), as kernels.LaplaceBitsF32."""
    a = (x - mu).abs()
    inverse = torch.exp(-s.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE))
    low = a - 0.5
    e1, e2 = torch.exp(-(a + 0.5) * inverse), torch.exp(-low.abs() * inverse)
    p = torch.where(low < 0, 1 - (e1 + e2) * 0.5, (e2 - e1) * 0.5)
    return -torch.log2(p.clamp(min=LEAST))


def fold(x, f):
    """Makes channels of the positions of f x f squares: row, column, channel."""
    n, h, w, c = x.shape
    return x.view(n, h // f, f, w // f, f, c).transpose(2, 3).reshape(n, h // f, w // f, f * f * c)


def unfold(x, f):
    n, h, w, c = x.shape
    return x.view(n, h, w, f, f, c // (f * f)).transpose(2, 3).reshape(n, h * f, w * f, c // (f * f))


def by_parity(x):
    """[N, H, W, C] to [4, N*H/2*W/2, C]: parity 2*(row%2) + column%2."""
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).permute(2, 4, 0, 1, 3, 5).reshape(4, -1, c)


def from_parity(x, n, h, w):
    """Undoes by_parity."""
    c = x.shape[-1]
    return x.view(2, 2, n, h // 2, w // 2, c).permute(2, 3, 0, 4, 1, 5).reshape(n, h, w, c)


class Network:
    """The networks, of parameters that each pass is given."""

    def __init__(self, config, blocks=torch.float32):
        """blocks is the type that the branches of blocks are computed in. What they
        are added to stays float32, and so do other operations: the latents at high
        rates have more digits than bfloat16."""
        self.config, self.layout = config, Layout(config.shapes())
        self.nets, self.blocks = config.networks(), blocks

    def forward(self, flat, x, rates, noise=None):
        """Codes pictures x, [N, H, W, 3] in the units of PIXEL_UNIT, sides being
        multiples of 64, at rates, [N] of 0..1. With noise (see noise), bits are those
        of latents with noise in place of rounding. Returns for each picture the bits
        of its latents and of its hyperprior's, and the sum of squared errors of pixel
        values of 0..255; and the decoded pictures."""
        p = self.layout.parts(flat)
        low = self.layout.parts(flat.to(self.blocks)) if self.blocks != torch.float32 else p
        c, n = self.config, len(x)
        # How much of each anchor the rates take: hats on the anchors.
        hats = (1 - (rates[:, None] * (c.anchors - 1) - torch.arange(c.anchors, device=x.device)).abs()).clamp(min=0)
        noise_hyper, noise_latents = noise or (None, [None] * GROUPS)

        def linear(name, x):
            return F.linear(x, p[name + ".weight"], p[name + ".bias"][0])

        def block(name, x):
            channels = x.shape[-1]
            kernel = low[name + ".depthwise.weight"].t().reshape(channels, 1, 3, 3)
            t = x.to(self.blocks).permute(0, 3, 1, 2)
            t = F.conv2d(t, kernel, low[name + ".depthwise.bias"][0], padding=1, groups=channels)
            t = F.linear(t.permute(0, 2, 3, 1), low[name + ".first.weight"], low[name + ".first.bias"][0])
            return x + F.linear(F.relu(t), low[name + ".second.weight"], low[name + ".second.bias"][0])

        def net(name, x):
            for i, (kind, *arg) in enumerate(self.nets[name][1]):
                of = f"{name}.{i}"
                if kind == "linear":
                    x = linear(of, x)
                elif kind == "rectified":
                    x = F.relu(linear(of, x))
                elif kind == "block":
                    x = block(of, x)
                elif kind == "down":
                    x = fold(x, arg[0])
                elif kind == "up":
                    x = unfold(x, arg[0])
                else:
                    x = x + (hats @ p[of + ".anchors"])[:, None, None, :]
            return x

        y = net("analysis", x)
        _, h, w, m = y.shape
        z = net("hyper_analysis", y)
        rounded = straight_round(z)
        means = (hats @ p["hyper_means"])[:, None, None, :].expand_as(z)
        log_scales = (hats @ p["hyper_log_scales"])[:, None, None, :].expand_as(z)
        coded = rounded if noise is None else z + noise_hyper
        hyper_bits = laplace_bits(coded, means, log_scales).sum((1, 2, 3))
        features = net("hyper_synthesis", rounded)

        # Latents and gains by parity and group: [4][4], of [N*H/2*W/2, latents/4].
        per = m // GROUPS
        y = [v.split(per, 1) for v in by_parity(y)]
        log_gain = (hats @ p["log_gains"]).repeat_interleave(h * w // 4, 0).split(per, 1)
        nothing = torch.zeros_like(y[0][0])
        decoded = [[nothing] * GROUPS for _ in range(GROUPS)]
        bits = torch.zeros(n, device=x.device)
        for k in range(GROUPS):
            a = features
            if k > 0:
                known = from_parity(torch.stack([torch.cat(v, 1) for v in decoded]), n, h, w)
                a = a + linear(f"pass{k}.known", known)
            f = by_parity(net(f"pass{k}.body", F.relu(a)))
            # At positions of each parity a pass codes another group.
            group = [k ^ parity for parity in range(4)]
            weights = torch.stack([p[f"pass{k}.head{g}.weight"] for g in group])
            biases = torch.stack([p[f"pass{k}.head{g}.bias"] for g in group])
            mean, log_scale = torch.baddbmm(biases, f, weights.transpose(1, 2)).split(per, 2)
            latent = torch.stack([y[parity][g] for parity, g in enumerate(group)])
            log_gains = torch.stack([log_gain[g] for g in group])
            gain = torch.exp(log_gains)
            r, mu = (latent - mean) * gain, mean * gain
            q = straight_round(r)
            for parity, (g, v) in enumerate(zip(group, mean + q / gain)):
                decoded[parity][g] = v
            coded = mu + (q if noise is None else r + noise_latents[k])
            cost = laplace_bits(coded, mu, log_scale + log_gains)
            bits = bits + cost.view(4, n, -1).sum((0, 2))
        pixels = net("synthesis", from_parity(torch.stack([torch.cat(v, 1) for v in decoded]), n, h, w))
        errors = ((pixels - x) * PIXEL_UNIT).square().sum((1, 2, 3))
        return bits, hyper_bits, errors, pixels

    def noise(self, n, side, generator):
        """Returns uniform noise for squares of the given side."""
        c, grid = self.config, side // 16

        def uniform(*shape):
            return torch.rand(shape, generator=generator, device=generator.device) - 0.5

        latents = uniform(GROUPS, 4, n * grid * grid // 4, c.latents // GROUPS)
        return uniform(n, grid // 4, grid // 4, c.hyper), latents


# ---------------------------------------------------------------- the first weights


def initial(network, generator):
    """Returns random parameters as network.Init makes them: second products of blocks,
    heads and the hyperprior's distributions are zero."""
    flat = torch.zeros(network.layout.size)
    for name, p in network.layout.parts(flat).items():
        if name.endswith(".depthwise.weight"):
            p[4] = 1
        elif name.endswith(".weight") and ".head" not in name and ".second." not in name:
            bound = math.sqrt(3 / p.shape[1])
            p.copy_((2 * torch.rand(p.shape, generator=generator, dtype=torch.float64) - 1) * bound)
    return flat


def principal(v, n):
    """Returns the n strongest principal components of rows v, about zero: vectors
    [n, d], and deviations."""
    if len(v) < v.shape[1]:
        raise Error(f"{len(v)} samples of {v.shape[1]} numbers are too few")
    values, vectors = np.linalg.eigh(v.T @ v / len(v))
    order = np.argsort(-values, kind="stable")[:n]
    return vectors[:, order].T, np.sqrt(np.maximum(values[order], 1e-10))


def start(network, flat, pictures):
    """Sets the transforms to those of Karhunen and Loève of pictures, [N, H, W, 3]:
    network.Start, which says how and why.

    Networks may be wider than there are coefficients. What the channels beyond take in
    stays random, and nothing reads them at first but blocks, which write nothing yet:
    the codec starts as that without them, and blocks find them filled."""
    c, p = network.config, network.layout.parts(flat)
    fine = min(c.fine, SQUARE)
    coarse = min(c.coarse, 4 * fine)
    if c.latents > coarse:
        raise Error(f"no start for {c.latents} latents of {coarse} coefficients")
    squares = fold(pictures, 8).double().numpy()
    first, deviations = principal(squares.reshape(-1, SQUARE), fine)
    second, deviations2 = principal(fold(torch.from_numpy(squares @ first.T), 2).numpy().reshape(-1, 4 * fine), coarse)
    a, b = 1 / np.sqrt(deviations), 1 / np.sqrt(deviations2)
    per = c.latents // GROUPS
    o = np.arange(c.latents)
    deal = o % per * GROUPS + o // per  # the coefficient that is latent o

    def put(name, rows, columns, values):
        """Sets rows to values in the given columns and to zero elsewhere."""
        w = p[name].numpy()
        w[rows] = 0
        w[np.ix_(rows, columns)] = values

    channels, wide = np.arange(fine), np.arange(coarse)
    square = (np.arange(4)[:, None] * c.fine + channels).ravel()  # the channels of 2 x 2 positions
    a4, all_pixels = np.tile(a, 4), np.arange(SQUARE)
    put("analysis.1.weight", channels, all_pixels, first * a[:, None])
    put(f"analysis.{4 + c.analysis_fine}.weight", wide, square, second / a4 * b[:, None])
    put(f"analysis.{5 + c.analysis_fine + c.analysis_coarse}.weight", o, wide, np.eye(coarse)[deal])
    put("synthesis.0.weight", wide, o, np.eye(coarse)[deal].T)
    put(f"synthesis.{2 + c.synthesis_coarse}.weight", square, wide, second.T / b * a4[:, None])
    put(f"synthesis.{4 + c.synthesis_coarse + c.synthesis_fine}.weight", all_pixels, channels, first.T / a)
    for k in range(c.anchors):
        step = math.sqrt(12 * 3 / (2 * math.log(2) * lambda_of(k / (c.anchors - 1)))) / PIXEL_UNIT
        p["log_gains"].numpy()[k] = -np.log(step * b[deal])
    log_scales = np.log(deviations2[deal] * b[deal] / 2)
    for k in range(GROUPS):
        for g in range(GROUPS):
            p[f"pass{k}.head{g}.bias"].numpy()[0, per:] = log_scales[g * per : (g + 1) * per]


def lambda_of(rate):
    """The weight of the squared error that a rate of 0..1, or rates, stand for."""
    return MIN_LAMBDA * (MAX_LAMBDA / MIN_LAMBDA) ** rate


# ---------------------------------------------------------------- pictures

SCALES = 1, 0.7, 0.5
SUFFIXES = ".jpg", ".jpeg", ".png", ".webp"


def read_picture(path, scales, side):
    """Returns the picture at each scale, uint8 [h, w, 3], that holds the side; or what
    is wrong with it."""
    try:
        with Image.open(path) as m:
            m = m.convert("RGB")
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as e:
        return f"{path.name}: {e}"
    sizes = []
    for s in scales:
        w, h = int(m.width * s), int(m.height * s)
        if min(w, h) >= side:
            # Pillow's bicubic is that of Catmull and Rom.
            sizes.append(np.asarray(m if s == 1 else m.resize((w, h), Image.Resampling.BICUBIC)))
    return sizes or f"{path.name} is smaller than {side} x {side}"


def read_folder(folder, scales, side):
    """Returns the pictures of a folder and those below it, each at the scales."""
    paths = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    found = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for sizes in pool.map(lambda p: read_picture(p, scales, side), paths):
            if isinstance(sizes, str):
                say(f"left out: {sizes}")
            else:
                found += sizes
    if not found:
        raise Error(f"{folder} has no picture of {side} x {side} pixels or more")
    return found


class Crops:
    """Random crops of pictures that stay, as bytes, where training is."""

    def __init__(self, pictures, side, device):
        self.side, self.count = side, len(pictures)
        self.pixels = torch.empty((sum(a.shape[0] * a.shape[1] for a in pictures), 3), dtype=torch.uint8, device=device)
        table, at = [], 0
        for a in pictures:
            h, w, _ = a.shape
            self.pixels[at : at + h * w] = torch.from_numpy(a.reshape(-1, 3).copy()).to(device)
            table.append((at, h, w))
            at += h * w
        self.at, self.h, self.w = torch.tensor(table, device=device).t()

    def batch(self, n, generator):
        """Returns n crops, turned and mirrored at random, [n, side, side, 3] in the
        units of PIXEL_UNIT."""

        def below(limit):
            return (torch.rand(n, generator=generator, device=generator.device, dtype=torch.float64) * limit).long()

        picture = below(self.count)
        width = self.w[picture]
        y0, x0 = below(self.h[picture] - self.side + 1), below(width - self.side + 1)
        turn = below(8)[:, None]
        line = torch.arange(self.side, device=generator.device)[None]
        a = torch.where(turn & 1 != 0, self.side - 1 - line, line)[:, :, None]
        b = torch.where(turn & 2 != 0, self.side - 1 - line, line)[:, None, :]
        swap = (turn & 4 != 0)[:, :, None]
        row, column = torch.where(swap, b, a), torch.where(swap, a, b)
        column = column + (self.at[picture] + x0)[:, None, None]
        index = (row + y0[:, None, None]) * width[:, None, None] + column
        return (self.pixels[index].float() - PIXEL_ZERO) / PIXEL_UNIT


def centre(a, side):
    """Returns the middle of a picture, up to the side and multiples of 64, [1, h, w, 3]."""
    h, w = (min(n, side) & ~63 for n in a.shape[:2])
    y, x = (a.shape[0] - h) // 2, (a.shape[1] - w) // 2
    return (torch.from_numpy(a[None, y : y + h, x : x + w].copy()).float() - PIXEL_ZERO) / PIXEL_UNIT


# ---------------------------------------------------------------- optimisers


class Optimiser:
    """Adam (nn.Adam), or with muon that but for the matrices of linear operations, and
    the running average of all weights (nn.Average)."""

    ADAM, EPSILON, MUON = (0.9, 0.99), 1e-8, 0.95

    def __init__(self, layout, flat, max_norm, decay, muon=False, product=torch.float32):
        """product is the type that Muon multiplies matrices in."""
        self.layout, self.flat = layout, flat
        self.max_norm, self.decay, self.product = max_norm, decay, product
        self.stacks = layout.stacks if muon else []
        self.steps, self.weight = 0, 0.0
        self.mean = torch.zeros_like(flat)  # of gradients; of Muon's their momentum
        self.square = torch.zeros_like(flat[: layout.others if muon else layout.size])
        self.average = torch.zeros_like(flat)

    @torch.no_grad()
    def step(self, gradient, rate):
        self.steps += 1
        self._adam(gradient[: len(self.square)], rate)
        self._muon(gradient, rate)
        # The average of the steps so far, not one with the zero it began with.
        self.weight = self.decay * self.weight + 1 - self.decay
        self.average.lerp_(self.flat, (1 - self.decay) / self.weight)

    def _adam(self, g, rate):
        m, p = self.mean[: len(g)], self.flat[: len(g)]
        if self.max_norm > 0:
            g = g * (self.max_norm / torch.linalg.vector_norm(g)).clamp(max=1)
        beta1, beta2 = self.ADAM
        m.lerp_(g, 1 - beta1)
        self.square.lerp_(g.square(), 1 - beta2)
        root = (self.square / (1 - beta2**self.steps)).sqrt_().add_(self.EPSILON)
        p.addcdiv_(m, root, value=-rate / (1 - beta1**self.steps))

    def _muon(self, gradient, rate):
        """Takes steps whose singular values are about the same: W -= rate * 0.2
        sqrt(max(m, n)) * O(G + beta M), M = beta M + G being the momentum (Jordan et al.,
        "Muon: An optimizer for hidden layers in neural networks", 2024), with the factor
        that makes steps as large as Adam's (Liu et al., "Muon is Scalable for LLM
        Training", 2025)."""
        for begin, end, shape in self.stacks:
            g, m = gradient[begin:end], self.mean[begin:end]
            m.mul_(self.MUON).add_(g)
            t = torch.add(g, m, alpha=self.MUON).view(-1, *shape)
            o = orthogonal(t, self.product)
            self.flat[begin:end].view(-1, *shape).add_(o, alpha=-rate * 0.2 * math.sqrt(max(shape)))


def orthogonal(t, product):
    """Returns about U V^T of each matrix U S V^T of a stack, by five rounds of Newton and
    Schulz with the polynomial of Jordan et al.: singular values within about 0.7..1.2."""
    x = t / torch.linalg.matrix_norm(t, keepdim=True).clamp(min=1e-30)
    tall = t.shape[1] > t.shape[2]
    x = (x.transpose(1, 2) if tall else x).to(product)
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        b = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, b, x, beta=3.4445)
    return (x.transpose(1, 2) if tall else x).float()


# ---------------------------------------------------------------- training


def generator_of(device, *numbers):
    """Returns a generator that the numbers name. Each step draws from one of its own,
    so that training that goes on is the training that was not interrupted."""
    g = torch.Generator(device)
    return g.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


class Trainer:
    def __init__(self, config, o, device):
        half = torch.bfloat16 if o.bf16 else torch.float32
        self.o, self.device = o, device
        self.network, self.exact = Network(config, half), Network(config)
        self.flat = torch.zeros(self.network.layout.size, device=device, requires_grad=True)
        self.optimiser = Optimiser(self.network.layout, self.flat.detach(), o.norm, o.average, o.muon, half)
        self.step = 0
        self.loss_of = torch.compile(self.loss, mode=o.compile, dynamic=False) if o.compile else self.loss

    def begin(self, flat):
        """Takes over first weights."""
        with torch.no_grad():
            self.flat.copy_(flat)
            self.optimiser.average.copy_(flat)

    def rate(self):
        """The learning rate of the next step."""
        o, rate = self.o, self.o.rate
        if self.step < o.warm:
            rate *= (self.step + 1) / o.warm
        falling = int(o.decay * o.steps)
        if self.step > o.steps - falling:
            rate *= (o.steps - self.step) / falling
        return rate

    def loss(self, flat, x, rates, noise_hyper, noise_latents):
        """Returns what a batch costs: the loss, and bits per pixel."""
        bits, hyper, errors, _ = self.network.forward(flat, x, rates, (noise_hyper, noise_latents))
        pixels = x.shape[1] * x.shape[2]
        weights = lambda_of(rates)
        bpp = (bits + hyper) / pixels
        return ((bpp + weights * errors / (3 * pixels)) / weights.sqrt()).mean(), bpp.mean()

    def train(self, crops):
        """Takes a step. Returns loss and bits per pixel."""
        n = self.o.batch
        g = generator_of(self.device, self.o.seed, self.step + 1)
        x = crops.batch(n, g)
        # Stratified, which evens batches out.
        low, high = self.network.config.rates()
        rates = low + (torch.arange(n, device=self.device) + torch.rand(n, generator=g, device=self.device)) / n * (high - low)
        loss, bpp = self.loss_of(self.flat, x, rates, *self.network.noise(n, self.o.side, g))
        (gradient,) = torch.autograd.grad(loss, self.flat)
        self.optimiser.step(gradient, self.rate())
        self.step += 1
        return torch.stack([loss.detach(), bpp.detach()])

    @torch.no_grad()
    def validate(self, held):
        """Returns the means over pictures at six rates, [6] of (bpp, of which the
        hyperprior's, PSNR), and the score: bpp + lambda * mean squared error relative
        to the square root of lambda."""
        rates = torch.linspace(*self.network.config.rates(), 6, device=self.device)
        weights = lambda_of(rates.double())
        points, score = 0, 0
        for a in held:
            x = centre(a, 512).to(self.device)
            pixels = x.shape[1] * x.shape[2]
            # Rate by rate: all at once would take the memory of a batch.
            of = [self.exact.forward(self.optimiser.average, x, r[None])[:3] for r in rates]
            bits, hyper, errors = torch.cat([torch.stack(v) for v in of], 1).double()
            mse = errors / (3 * pixels)
            bpp, psnr = (bits + hyper) / pixels, 10 * torch.log10(255 * 255 / mse)
            points = points + torch.stack([bpp, hyper / pixels, psnr], 1)
            score = score + ((bpp + weights * mse) / weights.sqrt()).mean()
        return (points / len(held)).tolist(), (score / len(held)).item()

    def export(self, path):
        """Writes the averaged weights for network.ReadSafetensors."""
        layout = self.network.layout
        write_safetensors(path, layout.arrays(self.optimiser.average), {METADATA: self.network.config.json()})

    def states(self):
        t = self.optimiser
        return {"weights.": self.flat, "average.": t.average, "mean.": t.mean, "square.": t.square}

    def save(self, path):
        """Writes a checkpoint."""
        if not torch.isfinite(self.flat).all():
            raise Error(f"weights are not finite after {self.step} steps: the learning rate is too high")
        t, arrays = self.optimiser, {}
        for prefix, flat in self.states().items():
            arrays.update(self.network.layout.arrays(flat, prefix))
        state = {"config": dataclasses.asdict(self.network.config), "step": self.step, "optimiser_steps": t.steps,
                 "average_weight": t.weight, "muon": bool(t.stacks)}  # fmt: skip
        write_safetensors(path, arrays, {CHECKPOINT: json.dumps(state)})

    @staticmethod
    def resume(path, o, device):
        """Goes on from a checkpoint, which names the architecture."""
        tensors, metadata = read_safetensors(path)
        if CHECKPOINT not in metadata:
            raise Error(f"{path} is no checkpoint of this trainer")
        try:
            state = json.loads(metadata[CHECKPOINT])
            if state["muon"] != o.muon:
                raise Error(f"{path} is of training with{'' if state['muon'] else 'out'} --muon")
            t = Trainer(Config(**state["config"]), o, device)
            t.step, t.optimiser.steps, t.optimiser.weight = state["step"], state["optimiser_steps"], state["average_weight"]
        except (KeyError, TypeError, ValueError) as e:
            raise Error(f"{path} is no checkpoint of this trainer: {e}") from e
        for prefix, flat in t.states().items():
            t.network.layout.fill(flat, tensors, prefix)
        return t


def read_weights(path, blocks=torch.float32):
    """Returns the network of a file of weights, and the weights."""
    tensors, metadata = read_safetensors(path)
    if METADATA not in metadata:
        raise Error(f"{path} has no weights of the learned codec")
    network = Network(Config.parse(metadata[METADATA]), blocks)
    flat = torch.zeros(network.layout.size)
    network.layout.fill(flat, tensors)
    return network, flat


def say(line):
    print(line, file=sys.stderr, flush=True)


def first_trainer(o, crops, device):
    """Returns a trainer at its first step."""
    if o.start:
        network, flat = read_weights(o.start)
        t = Trainer(dataclasses.replace(network.config, **o.range), o, device)
    else:
        t = Trainer(o.config, o, device)
        flat = initial(t.network, generator_of("cpu", o.seed, 0))
        g = generator_of(device, o.seed, 0)
        # 200 crops, as many at a time as a batch has.
        pictures = torch.cat([crops.batch(min(o.batch, 200 - i), g).cpu() for i in range(0, 200, o.batch)])
        start(t.network, flat, pictures)
    t.begin(flat)
    return t


def report(t, o, total, count, held, began):
    loss, bpp = (total / count).tolist()
    if not math.isfinite(loss):
        raise Error(f"the loss is not a number after {t.step} steps: the learning rate is too high")
    line = f"step {t.step} of {o.steps}: loss {loss:.4f}, {bpp:.3f} bpp"
    if held:
        points, score = t.validate(held)
        line += f"; held out {score:.4f}: " + ", ".join(f"{b:.4f} ({h:.4f}) {psnr:.2f}" for b, h, psnr in points)
    say(f"{line}; {time.monotonic() - began:.0f}s")


def run(o, began):
    """Trains. Returns the exit status."""
    deadline = began + o.minutes * 60 if o.minutes else math.inf
    stopped = []
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, lambda *_: stopped.append(True))
    device = torch.device(o.device)
    crops = Crops(read_folder(o.data, SCALES, o.side), o.side, device)
    held = read_folder(o.validation, (1,), 64) if o.validation else []
    if o.checkpoint and os.path.exists(o.checkpoint):
        t = Trainer.resume(o.checkpoint, o, device)
        say(f"going on after step {t.step} of {o.steps}")
    else:
        t = first_trainer(o, crops, device)
    encode, decode = t.network.config.macs()
    say(
        f"{t.network.layout.size} weights, {encode / 1000:.1f} thousand multiplications a pixel to encode and"
        f" {decode / 1000:.1f} to decode; {len(crops.pixels) / 1e6:.0f} megapixels on {device}"
    )

    def write():
        at = time.monotonic()
        if o.checkpoint:
            t.save(o.checkpoint)
        t.export(o.out)
        return time.monotonic() - at

    # Written at once, a path that cannot be written does not cost the training; and it
    # tells how long before the end to write.
    reserve = 5 + 3 * write()
    reporting, slowest = 0.0, 0.0
    total, count = torch.zeros(2, device=device), 0
    while t.step < o.steps:
        at = time.monotonic()
        if stopped or at + reserve + 2 * slowest > deadline:
            write()
            say(f"stopped after step {t.step} of {o.steps}; {time.monotonic() - began:.0f}s")
            return MORE
        total += t.train(crops)
        count += 1
        now = time.monotonic()
        # The first step compiles.
        slowest = max(slowest, now - at) if count > 1 else 0.0
        if t.step % o.every == 0 or t.step == o.steps:
            # Where there is no time to validate, there is to write.
            report(t, o, total, count, held if now + 1.5 * reporting + reserve < deadline else [], began)
            write()
            reporting = max(reporting, time.monotonic() - now)
            total.zero_()
            count = 0
    write()
    return 0


# ---------------------------------------------------------------- the test of it


def selftest(folder, device):
    """Compares with what the Go made of stored weights and pictures: bits, decoded
    pixels, gradients, and the average after two steps of Adam."""
    folder = pathlib.Path(folder)

    def tensor(name):
        return torch.from_numpy(want[name].copy()).to(device)

    network, weights = read_weights(folder / "weights.safetensors")
    want, _ = read_safetensors(folder / "vector.safetensors")
    layout = network.layout
    weights = weights.to(device)
    flat = weights.clone().requires_grad_()
    x = (tensor("pixels").float() - PIXEL_ZERO) / PIXEL_UNIT
    bits, hyper, errors, decoded = network.forward(flat, x, tensor("rates"))
    factors = tensor("factors")
    (gradient,) = torch.autograd.grad((factors[0] * (bits + hyper) + factors[1] * errors).sum(), flat)
    stored = torch.zeros_like(weights)
    layout.fill(stored, want, "gradient.")
    t = Optimiser(layout, weights.clone(), 1.0, 0.999)
    for rate in want["learning_rates"].tolist():
        t.step(stored, rate)
    stepped = layout.arrays(t.average - weights, "stepped.")
    got = {
        "bits": bits, "hyper_bits": hyper, "squared_error": errors,
        "decoded": decoded.flatten()[:: int(want["stride"][0])],
        **layout.arrays(gradient, "gradient."), **stepped,
    }  # fmt: skip
    before = layout.arrays(weights)
    worst = 0.0
    for name, g in got.items():
        g = np.asarray(g.detach().cpu() if isinstance(g, torch.Tensor) else g, np.float64).ravel()
        w = want[name].astype(np.float64).ravel()
        if name in stepped:
            w = w - before[name.removeprefix("stepped.")].astype(np.float64).ravel()
        if g.shape != w.shape:
            raise Error(f"{name}: {g.shape} elements, not {w.shape}")
        off = np.abs(g - w).max() / max(np.sqrt(np.mean(w * w)), 1e-30)
        worst = max(worst, off)
        if not off <= 1e-3:
            raise Error(f"{name} is off by {off:.2e} of its root mean square")
    # Muon, which the Go does not have, against a singular value decomposition.
    for shape in (3, 24, 40), (3, 40, 24):
        g = torch.randn(shape, generator=generator_of("cpu", 1)).to(device)
        u, _, v = torch.linalg.svd(g, full_matrices=False)
        s = u.transpose(1, 2) @ orthogonal(g, torch.float32) @ v.transpose(1, 2)
        diagonal = torch.diagonal(s, dim1=1, dim2=2)
        if not (0.6 < diagonal.min() and diagonal.max() < 1.3 and (s - torch.diag_embed(diagonal)).abs().max() < 1e-3):
            raise Error(f"singular values {diagonal}")
    say(f"{len(got)} tensors agree within {worst:.1e}")


def options(arguments):
    p = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0],
        epilog=f"Exit status: 0 when all steps are done, {MORE} when time is up and steps are left, 1 on errors.",
    )
    p.add_argument("--data", metavar="DIR", help="pictures to train on, with folders below it")
    p.add_argument("--validation", metavar="DIR", help="other pictures, to report on")
    p.add_argument("--out", metavar="FILE", help="weights to write (safetensors)")
    p.add_argument("--checkpoint", metavar="FILE", help="file to go on from, written at every report and at the end")
    p.add_argument("--start", metavar="FILE", help="weights to begin with, instead of principal components")
    p.add_argument("--minutes", type=float, default=0, help="stop by itself before so many are over (0: do not)")
    p.add_argument("--preset", choices=PRESETS, default="small", help="architecture (default: %(default)s)")
    p.add_argument("--config", metavar="JSON", help="architecture, what is not named being that of small")
    p.add_argument("--steps", type=int, default=20000, help="batches in all (default: %(default)s)")
    p.add_argument("--batch", type=int, default=8, help="crops in a batch (default: %(default)s)")
    p.add_argument("--side", type=int, default=256, help="of a crop, in pixels: a multiple of 64 (default: %(default)s)")
    p.add_argument("--rate", type=float, default=5e-4, help="of learning (default: %(default)s)")
    p.add_argument("--warm", type=int, default=300, help="steps in which the rate rises from nothing (default: %(default)s)")
    p.add_argument("--decay", type=float, default=0.3, help="share of the steps, at the end, in which it falls (default: %(default)s)")
    p.add_argument("--muon", action="store_true", help="train the matrices of linear operations by Muon instead of Adam")
    p.add_argument("--norm", type=float, default=1, help="bound of the norm of Adam's gradient, 0 for none (default: %(default)s)")
    p.add_argument("--average", type=float, default=0.999, help="decay of the average of weights (default: %(default)s)")
    p.add_argument("--every", type=int, default=500, help="steps between reports (default: %(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of the first weights, the crops and the noise (default: %(default)s)")
    p.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="what to compute on (default: cuda, or cpu without one)"
    )
    p.add_argument("--bf16", action="store_true", help="compute the branches of blocks and Muon's products in bfloat16")
    p.add_argument(
        "--compile", nargs="?", const="default", choices=("default", "reduce-overhead", "max-autotune"), help="compile the networks"
    )
    p.add_argument("--selftest", metavar="DIR", help="compare with the stored vector and end")
    o = p.parse_args(arguments)
    if o.selftest:
        return o
    for name in "data", "out":
        if not getattr(o, name):
            p.error(f"--{name} is required")
    for name, good in {
        "side": 64 <= o.side <= 1024 and o.side % 64 == 0,
        "batch": 1 <= o.batch <= 1024, "steps": o.steps >= 1, "every": o.every >= 1, "warm": o.warm >= 0,
        "rate": 0 < o.rate < 1, "decay": 0 <= o.decay <= 1, "average": 0 <= o.average < 1, "norm": o.norm >= 0,
        "seed": o.seed >= 0, "minutes": 0 <= o.minutes < math.inf,
    }.items():  # fmt: skip
        if not good:
            p.error(f"--{name} {getattr(o, name)}")
    return o


def range_of(text):
    """Returns what --config says beside --start, which names the architecture: rates."""
    given = dataclasses.asdict(Config.parse(text))
    if any(v != getattr(Config(), k) for k, v in given.items() if k not in ("low", "high")):
        raise Error("--start names its own architecture: --config may set low and high beside it")
    return {k: given[k] for k in ("low", "high")}


def main(arguments, began=None):
    o = options(arguments)
    # All of float32, as in the Go: not the shorter TF32.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    try:
        if o.selftest:
            return selftest(o.selftest, o.device)
        if o.start:
            o.range = range_of(o.config) if o.config else {}
        else:
            o.config = Config.parse(o.config) if o.config else PRESETS[o.preset]
        return run(o, time.monotonic() if began is None else began)
    except (Error, OSError) as e:
        say(f"train.py: {e}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BEGAN))
