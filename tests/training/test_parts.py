"""What networks compute in a cheaper way is what the plain way gives: convolutions of parts, shuffles, embeddings."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the training extra")
import torch
import torch.nn.functional as F
from torch import nn

from layoutbrush.training.models.contextual_attention import PARTS, ContextualAttention
from layoutbrush.training.models.key_usage import key_usage
from layoutbrush.training.models.labels import UNKNOWN, one_hot
from layoutbrush.training.models.refine import Refine, RefineConfig
from layoutbrush.training.models.spade import Spade, SpadeBlock, conv_leaky, conv_of_parts, double, first_of, shuffled
from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork, position_code

LABELS = torch.tensor([[[0, 1, 14, UNKNOWN], [3, 3, 20, -1]]], dtype=torch.int32)
"""(1, 2, 4): 20 and -1 are no labels, and count as unknown."""


def test_what_is_no_label_is_unknown() -> None:
    hot = one_hot(LABELS, 15)
    assert hot.shape == (1, 16, 2, 4)
    assert hot.argmax(1).tolist() == [[[0, 1, 14, 15], [3, 3, 15, 15]]]
    assert torch.equal(hot.sum(1), torch.ones(1, 2, 4))


def test_convolutions_of_parts_are_those_of_the_parts_side_by_side() -> None:
    parts = [torch.randn(2, channels, 8, 6) for channels in (3, 1, 4)]
    conv = nn.Conv2d(8, 5, 3, stride=2, padding=2, dilation=2)
    torch.testing.assert_close(conv_of_parts(conv, parts), conv(torch.cat(parts, 1)))
    without_first = conv(torch.cat([0 * parts[0], *parts[1:]], 1))
    torch.testing.assert_close(conv_of_parts(conv, parts[1:], skip=3), without_first)
    layers = conv_leaky(8, 5)
    torch.testing.assert_close(first_of(layers, parts), layers(torch.cat(parts, 1)))
    for wrong in ([], parts[:2]):
        with pytest.raises(ValueError, match="channels arrive, 8 are wanted"):
            conv_of_parts(conv, wrong)


def test_shuffled_is_the_pixel_shuffle_of_torch() -> None:
    x = torch.randn(2, 12, 3, 5)
    assert torch.equal(shuffled(x), F.pixel_shuffle(x, 2))


def test_spade_is_its_formula_and_its_block_takes_a_coarser_part() -> None:
    spade, x, layout = Spade(4, 3, 5), torch.randn(2, 4, 8, 8), torch.randn(2, 3, 8, 8)
    gain, bias = spade.gain_bias(F.relu(spade.shared(layout))).chunk(2, 1)
    torch.testing.assert_close(spade(x, layout), spade.norm(x) * (1 + gain) + bias)
    block = SpadeBlock(10, 4, 3, 5)
    coarser, parts = torch.randn(2, 6, 4, 4), [torch.randn(2, 1, 8, 8), torch.randn(2, 3, 8, 8)]
    torch.testing.assert_close(block(parts, layout, coarser), block([double(coarser), *parts], layout))


def test_the_refiners_embedding_is_a_convolution_of_one_hot_labels() -> None:
    network = Refine(RefineConfig(encoder=(8, 12, 16), coarse=(16, 12, 8), fine=(16, 12, 8), detail=8))
    torch.testing.assert_close(network._embedded(LABELS), network.embed(one_hot(LABELS, 15)))


def test_label_codes_of_ids_are_those_of_one_hot_labels() -> None:
    network = SparseAttentionNetwork(SparseAttentionConfig(learned=False))
    ids = torch.randint(0, 15, (2, 12, 10)).int().masked_fill(torch.rand(2, 12, 10) < 0.2, UNKNOWN)
    torch.testing.assert_close(network._code_of(ids), network._code(one_hot(ids, 15)))


def test_positions_of_a_view_are_those_of_its_place() -> None:
    like = torch.zeros(())
    whole = position_code(12, 16, like)
    place = torch.tensor([3 / 12, 8 / 16, 9 / 12, 1.0])
    torch.testing.assert_close(position_code(6, 8, like, place), whole[:, 3:9, 8:])
    torch.testing.assert_close(whole.square().sum(0), torch.ones(12, 16))


def test_usage_is_counted_in_the_keys_own_grid() -> None:
    """Queries of a small view use the keys of a larger photo: one place in it."""
    keys = torch.full((1, 16, 16), 20 << 16 | 36, dtype=torch.int32)  # at 1/2: row 20, column 36
    usage = key_usage(keys, torch.ones(1, 16, 16, dtype=torch.bool), 2, (32, 48))
    assert usage.shape == (1, 1, 8, 12)
    peak = int(usage.flatten().argmax())
    assert abs(peak // 12 - 5) <= 1
    assert abs(peak % 12 - 9) <= 1
    assert float(usage[0, 0, 0, 0]) == 0


def test_attention_in_parts_is_attention_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attention = ContextualAttention(8)
    nn.init.normal_(attention.out.weight)
    x, hole, labels = torch.randn(1, 8, 5, 7), torch.zeros(1, 1, 5, 7), torch.rand(1, 3, 5, 7)
    hole[..., 2:4, 3:5] = 1
    assert (5 * 7) % PARTS  # the last part is smaller
    found = attention(x, hole, labels)
    monkeypatch.setattr("layoutbrush.training.models.contextual_attention.PARTS", 1)
    torch.testing.assert_close(attention(x, hole, labels), found)
    assert not torch.allclose(found, x)
