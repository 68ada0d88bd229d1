"""Distances between two sets of pictures, from one feature vector a picture: FID and KID.

FID (Heusel et al., NeurIPS 2017) fits a Gaussian to each set; on small sets it is biased upwards, by the same amount
only for sets of the same size, so compare it within a table and not across. KID (Binkowski et al., ICLR 2018) has no
such bias but may come out below 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float64]


def fid(found: Vectors, wanted: Vectors) -> float:
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets (n, d), >= 0; each needs at least two vectors.

    With C = A^T A for the centred vectors A, the eigenvalues of C1 C2 are the squares of the singular values of
    A1 A2^T: an n x n problem, exact also where n < d and the covariances are singular. Raises ValueError.
    """
    if min(len(found), len(wanted)) < 2 or found.shape[1] != wanted.shape[1]:
        raise ValueError("FID needs two sets of at least two vectors of one length")
    means = found.mean(0), wanted.mean(0)
    a = (found - means[0]) / np.sqrt(len(found) - 1)
    b = (wanted - means[1]) / np.sqrt(len(wanted) - 1)
    inner = a @ b.T if len(a) + len(b) <= 2 * a.shape[1] else _root(a) @ _root(b).T
    cross = np.linalg.svd(inner, compute_uv=False).sum()
    distance = np.square(means[0] - means[1]).sum() + np.square(a).sum() + np.square(b).sum() - 2 * cross
    return float(max(distance, 0.0))


def _root(a: Vectors) -> Vectors:
    """(d, d) R with R^T R = A^T A, for sets larger than their vectors are long."""
    return np.asarray(np.linalg.qr(a, mode="r"), np.float64)


def kid(found: Vectors, wanted: Vectors) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3; about 0 for sets of one kind.

    Raises ValueError for sets of fewer than two vectors.
    """
    if min(len(found), len(wanted)) < 2 or found.shape[1] != wanted.shape[1]:
        raise ValueError("KID needs two sets of at least two vectors of one length")

    def kernel(a: Vectors, b: Vectors) -> Vectors:
        return np.power(a @ b.T / a.shape[1] + 1, 3)

    def within(a: Vectors) -> float:
        table = kernel(a, a)
        return float((table.sum() - np.trace(table)) / (len(a) * (len(a) - 1)))

    return within(found) + within(wanted) - 2 * float(kernel(found, wanted).mean())
