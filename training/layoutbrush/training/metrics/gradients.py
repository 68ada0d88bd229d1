"""Judges without any network: gradient magnitude similarity and the energies of a bank of Gabor filters."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GMSD_CONSTANT = 170 / 255**2
"""The paper's 170 on the scale 0..255."""
ORIENTATIONS = 4
OCTAVES = 3


def luminance(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W), Rec. 601."""
    weights = picture.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def gmsd(found: Tensor, wanted: Tensor, mask: Tensor | None = None) -> Tensor:
    """Gradient magnitude similarity deviation (Xue et al., TIP 2014), (B,): 0 for equal pictures.

    found, wanted: (B, 3, H, W) in [0, 1]. On luminance at half the size, Prewitt gradients. With a mask (B, H, W) bool
    the deviation is taken over the half-size pixels that it covers at least half; 0 where there are none.
    """
    magnitudes = [_magnitude(F.avg_pool2d(luminance(x.float()), 2)) for x in (found, wanted)]
    a, b = magnitudes
    similarity = (2 * a * b + GMSD_CONSTANT) / (a.square() + b.square() + GMSD_CONSTANT)
    weight = torch.ones_like(similarity)
    if mask is not None:
        weight = (F.avg_pool2d(mask[:, None].float(), 2) >= 0.5).to(similarity.dtype)
    count = weight.sum((1, 2, 3)).clamp_min(1)
    mean = (similarity * weight).sum((1, 2, 3)) / count
    square = ((similarity - mean.view(-1, 1, 1, 1)).square() * weight).sum((1, 2, 3)) / count
    return square.sqrt()


def _magnitude(x: Tensor) -> Tensor:
    across = x.new_tensor([[1.0, 0.0, -1.0]] * 3).view(1, 1, 3, 3) / 3
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    dx, dy = F.conv2d(padded, across), F.conv2d(padded, across.transpose(2, 3))
    return (dx.square() + dy.square()).sqrt()


def gabor_energies(picture: Tensor) -> list[Tensor]:
    """Features of no network: of each octave the colours and, below them, the luminance's energy in each of
    ORIENTATIONS directions, so (B, 3 + ORIENTATIONS, h, w) at full, half and quarter size.

    picture: (B, 3, H, W) in [0, 1], sides at least 36. An energy is the length of the answers of an even and an odd
    filter of 9 x 9 with a wavelength of 4 pixels, so it does not flicker with the phase.
    """
    even, odd = _bank(picture)
    found, x = [], picture.float()
    for octave in range(OCTAVES):
        if octave:
            x = F.avg_pool2d(x, 2)
        light = F.pad(luminance(x), (4, 4, 4, 4), mode="reflect")
        energy = (F.conv2d(light, even).square() + F.conv2d(light, odd).square() + 1e-12).sqrt()
        found.append(torch.cat([x, energy], 1))
    return found


def _bank(like: Tensor) -> tuple[Tensor, Tensor]:
    """Even and odd filters (ORIENTATIONS, 1, 9, 9), without response to a constant."""
    axis = torch.arange(-4, 5, device=like.device, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    window = torch.exp(-(x.square() + y.square()) / (2 * 2.0**2))
    evens, odds = [], []
    for index in range(ORIENTATIONS):
        angle = math.pi * index / ORIENTATIONS
        phase = 2 * math.pi / 4 * (x * math.cos(angle) + y * math.sin(angle))
        even = window * phase.cos()
        evens.append((even - window * (even.sum() / window.sum())) / window.sum())
        odds.append(window * phase.sin() / window.sum())
    return torch.stack(evens)[:, None], torch.stack(odds)[:, None]
