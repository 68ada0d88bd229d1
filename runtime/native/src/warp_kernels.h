// SparseAttentionWarp (patent Eq. 4, with patch voting), forward, one row of queries.
#pragma once
#include <cmath>

#include "kernels.h"
#include "vectors.h"

namespace layoutbrush {
namespace {

constexpr int kBlock = 8;  // votes weighed at once
using F32x8 = float __attribute__((vector_size(32)));
using I32x8 = int32_t __attribute__((vector_size(32)));

// exp(x) for x <= 0, within 2e-7 relative; below -87 it is 0.
inline F32x8 exp_nonpositive(F32x8 x) {
  const I32x8 counts = x > -87.0f;
  x = reinterpret_cast<F32x8>(reinterpret_cast<I32x8>(x) & counts);
  const F32x8 n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const F32x8 r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  F32x8 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I32x8 power = (__builtin_convertvector(n, I32x8) + 127) << 23;
  return reinterpret_cast<F32x8>(reinterpret_cast<I32x8>(p * reinterpret_cast<F32x8>(power)) & counts);
}

inline F32x8 splat8(float v) { return F32x8{v, v, v, v, v, v, v, v}; }
inline F32x8 load8(const float* from) {
  F32x8 v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

constexpr int kVotesAtOnce = 64;
using F32x4 = float __attribute__((vector_size(16)));

inline F32x4 load4(const float* from) {
  F32x4 v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

// Softmax over votes that arrive in blocks: a running maximum, sum and weighted value (rescaled when the maximum
// rises). Votes that do not count have the score -inf.
class Vote {
 public:
  Vote(const WarpRows& w, float* total)
      : w_(w), total_(total), last_y_(splat(w.key_height - 1)), last_x_(splat(w.key_width - 1)) {
    reset();
  }

  void reset() {
    count_ = 0;
    maximum_ = -INFINITY;
    sum_ = 0.0f;
    four_ = F32x4{0, 0, 0, 0};
    if (w_.padded_channels != 4)
      for (int v = 0; v < w_.padded_channels; ++v) total_[v] = 0.0f;
  }

  // The keys of query (y, x), moved by (-dy, -dx), vote if they are no fillers.
  void add(int y, int x, int dy, int dx) {
    const int64_t plane = int64_t(w_.height) * w_.width;
    for (int i = 0; i < w_.iterations; ++i) {
      const int64_t at = (i * plane + int64_t(y) * w_.width + x) * w_.particles;
      for (int j = 0; j < w_.particles; j += kLanes) {
        const int left = w_.particles - j;
        left >= kLanes ? put(at + j, dy, dx) : put_some(at + j, left, dy, dx);
      }
    }
  }

  // Scores that all weigh the same, for the keys of a query of which none is valid.
  void add_evenly(int y, int x) {
    const int64_t plane = int64_t(w_.height) * w_.width;
    for (int i = 0; i < w_.iterations; ++i)
      for (int j = 0; j < w_.particles; ++j) {
        const auto packed = static_cast<uint32_t>(w_.keys[(i * plane + int64_t(y) * w_.width + x) * w_.particles + j]);
        put_one(0.0f, unpack_y(packed), unpack_x(packed));
      }
  }

  // Takes in what was added; whether any of it counted.
  bool any() {
    flush();
    return maximum_ > -INFINITY;
  }

  // Writes the weighted mean of everything added.
  void finish(float* out) {
    flush();
    const float inverse = 1.0f / sum_;
    if (w_.padded_channels == 4) {
      const F32x4 mean = four_ * inverse;
      for (int v = 0; v < w_.channels; ++v) out[v] = mean[v];
    } else {
      for (int v = 0; v < w_.channels; ++v) out[v] = total_[v] * inverse;
    }
  }

 private:
  void put(int64_t at, int dy, int dx) {
    if (count_ + kLanes > kVotesAtOnce) flush();
    I32x4 packed;
    __builtin_memcpy(&packed, w_.keys + at, sizeof packed);
    const I32x4 y = clamp4((packed >> 16) - dy, last_y_), x = clamp4((packed & 0xffff) - dx, last_x_);
    const I32x4 index = y * w_.key_width + x;
    __builtin_memcpy(index_ + count_, &index, sizeof index);
    const F32x4 score = load4(w_.scores + at);
    const I32x4 counts = score > saw::kValidAbove;
    const I32x4 kept = select(counts, reinterpret_cast<I32x4>(score), reinterpret_cast<I32x4>(kNever));
    __builtin_memcpy(scores_ + count_, &kept, sizeof kept);
    count_ += kLanes;
  }

  void put_some(int64_t at, int some, int dy, int dx) {
    for (int k = 0; k < some; ++k) {
      const auto packed = static_cast<uint32_t>(w_.keys[at + k]);
      put_one(counting(w_.scores[at + k]), unpack_y(packed) - dy, unpack_x(packed) - dx);
    }
  }

  void put_one(float score, int y, int x) {
    if (count_ == kVotesAtOnce) flush();
    scores_[count_] = score;
    index_[count_++] = clamp(y, w_.key_height - 1) * w_.key_width + clamp(x, w_.key_width - 1);
  }

  static constexpr F32x4 kNever{-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  static float counting(float score) { return score > saw::kValidAbove ? score : -INFINITY; }

  void flush() {
    if (!count_) return;
    const int padded = (count_ + kBlock - 1) / kBlock * kBlock;
    for (int i = count_; i < padded; ++i) scores_[i] = -INFINITY;
    F32x8 tops = splat8(maximum_);
    for (int i = 0; i < padded; i += kBlock) {
      const F32x8 some = load8(scores_ + i);
      tops = some > tops ? some : tops;
    }
    float top = maximum_;
    for (int k = 0; k < kBlock; ++k) top = tops[k] > top ? tops[k] : top;
    if (top > -INFINITY) {
      rescale(top);
      for (int i = 0; i < padded; i += kBlock) {
        const F32x8 weights = exp_nonpositive((load8(scores_ + i) - top) * w_.gamma);
        __builtin_memcpy(scores_ + i, &weights, sizeof weights);
      }
      w_.padded_channels == 4 ? accumulate_four() : accumulate();
    }
    count_ = 0;
  }

  void rescale(float top) {
    if (top > maximum_ && sum_ > 0.0f) {
      const float shrink = exp_nonpositive(splat8(w_.gamma * (maximum_ - top)))[0];
      sum_ *= shrink;
      four_ *= shrink;
      if (w_.padded_channels != 4)
        for (int v = 0; v < w_.padded_channels; ++v) total_[v] *= shrink;
    }
    maximum_ = top;
  }

  void accumulate_four() {
    F32x4 even = four_, odd{0, 0, 0, 0};
    float sum = sum_;
    if (count_ % 2) {  // an odd vote out: weighs nothing
      scores_[count_] = 0.0f;
      index_[count_] = 0;
    }
    for (int i = 0; i < count_; i += 2) {
      even += scores_[i] * load4(w_.values + int64_t(index_[i]) * 4);
      odd += scores_[i + 1] * load4(w_.values + int64_t(index_[i + 1]) * 4);
      sum += scores_[i] + scores_[i + 1];
    }
    four_ = even + odd;
    sum_ = sum;
  }

  void accumulate() {
    for (int i = 0; i < count_; ++i) {
      const float weight = scores_[i], *value = w_.values + int64_t(index_[i]) * w_.padded_channels;
      sum_ += weight;
      for (int v = 0; v < w_.padded_channels; ++v) total_[v] += weight * value[v];
    }
  }

  const WarpRows& w_;
  float* total_;  // (padded_channels), unless those are four
  const I32x4 last_y_, last_x_;
  alignas(64) float scores_[kVotesAtOnce];
  int32_t index_[kVotesAtOnce];
  int count_;
  float maximum_, sum_;
  F32x4 four_;
};

void warp_row(const WarpRows& w, int y, float* scratch) {
  Vote vote(w, scratch);
  for (int x = 0; x < w.width; ++x) {
    vote.reset();
    vote.add(y, x, 0, 0);
    if (w.reach && !(w.query_mask && !w.query_mask[int64_t(y) * w.width + x])) {
      for (int qy = y - w.reach; qy <= y + w.reach; ++qy)
        for (int qx = x - w.reach; qx <= x + w.reach; ++qx) {
          if (qy < 0 || qx < 0 || qy >= w.height || qx >= w.width || (qy == y && qx == x)) continue;
          if (w.query_mask && !w.query_mask[int64_t(qy) * w.width + qx]) continue;
          vote.add(qy, qx, qy - y, qx - x);
        }
    }
    if (!vote.any()) vote.add_evenly(y, x);
    vote.finish(w.warped + (int64_t(y) * w.width + x) * w.channels);
  }
}

}  // namespace
}  // namespace layoutbrush
