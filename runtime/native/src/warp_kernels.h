// SparseAttentionWarp (patent Eq. 4, with patch voting), forward, one row of queries.
#pragma once
#include <cmath>

#include "kernels.h"

namespace layoutbrush {
namespace {

// exp(x) for x <= 0, within 2e-7 relative; below -87 it is 0. Branch-free, so that loops over it vectorise.
inline float exp_nonpositive(float x) {
  const float clamped = x > -87.0f ? x : -87.0f;
  const float n = (clamped * 1.44269504f + 12582912.0f) - 12582912.0f;
  float r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  union {
    int32_t i;
    float f;
  } power;
  power.i = (static_cast<int32_t>(n) + 127) << 23;
  return x > -87.0f ? p * power.f : 0.0f;
}

constexpr int kVotesAtOnce = 64;

// Softmax over votes that arrive in blocks: a running maximum, sum and weighted value (rescaled when the maximum rises).
class Vote {
 public:
  Vote(const WarpRows& w, float* total) : w_(w), total_(total) { reset(); }

  void reset() {
    count_ = 0;
    maximum_ = -INFINITY;
    sum_ = 0.0f;
    for (int v = 0; v < w_.padded_channels; ++v) total_[v] = 0.0f;
  }

  void add(float score, int y, int x) {
    if (count_ == kVotesAtOnce) flush();
    const int64_t offset = (int64_t(clamp(y, w_.key_height - 1)) * w_.key_width + clamp(x, w_.key_width - 1)) * w_.padded_channels;
    prefetch(w_.values + offset);
    scores_[count_] = score;
    offsets_[count_++] = offset;
  }

  bool empty() const { return count_ == 0 && sum_ == 0.0f; }

  // Writes the weighted mean of everything added.
  void finish(float* out) {
    flush();
    const float inverse = 1.0f / sum_;
    for (int v = 0; v < w_.channels; ++v) out[v] = total_[v] * inverse;
  }

 private:
  void flush() {
    float top = maximum_;
    for (int i = 0; i < count_; ++i) top = scores_[i] > top ? scores_[i] : top;
    if (top > maximum_ && sum_ > 0.0f) {
      const float shrink = exp_nonpositive(w_.gamma * (maximum_ - top));
      sum_ *= shrink;
      for (int v = 0; v < w_.padded_channels; ++v) total_[v] *= shrink;
    }
    maximum_ = top;
    for (int i = 0; i < count_; ++i) scores_[i] = exp_nonpositive(w_.gamma * (scores_[i] - top));
    if (w_.padded_channels == 4) {
      accumulate4();
    } else {
      for (int i = 0; i < count_; ++i) {
        const float weight = scores_[i], *value = w_.values + offsets_[i];
        sum_ += weight;
        for (int v = 0; v < w_.padded_channels; ++v) total_[v] += weight * value[v];
      }
    }
    count_ = 0;
  }

  void accumulate4() {
    float a[4] = {total_[0], total_[1], total_[2], total_[3]};
    float sum = sum_;
    for (int i = 0; i < count_; ++i) {
      const float weight = scores_[i], *value = w_.values + offsets_[i];
      sum += weight;
      for (int v = 0; v < 4; ++v) a[v] += weight * value[v];
    }
    sum_ = sum;
    for (int v = 0; v < 4; ++v) total_[v] = a[v];
  }

  const WarpRows& w_;
  float* total_;  // (padded_channels)
  alignas(64) float scores_[kVotesAtOnce];
  int64_t offsets_[kVotesAtOnce];
  int count_;
  float maximum_, sum_;
};

// The keys of query (qy, qx), moved by (-dy, -dx), vote; fillers never do.
inline void vote_of(Vote& vote, const WarpRows& w, int qy, int qx, int dy, int dx) {
  const int64_t plane = int64_t(w.height) * w.width;
  for (int i = 0; i < w.iterations; ++i) {
    const int64_t at = (i * plane + int64_t(qy) * w.width + qx) * w.particles;
    for (int j = 0; j < w.particles; ++j) {
      const auto packed = static_cast<uint32_t>(w.keys[at + j]);
      if (w.scores[at + j] > saw::kValidAbove) vote.add(w.scores[at + j], unpack_y(packed) - dy, unpack_x(packed) - dx);
    }
  }
}

// Nothing valid: the query's own keys weigh the same.
inline void vote_evenly(Vote& vote, const WarpRows& w, int y, int x) {
  const int64_t plane = int64_t(w.height) * w.width;
  for (int i = 0; i < w.iterations; ++i)
    for (int j = 0; j < w.particles; ++j) {
      const auto packed = static_cast<uint32_t>(w.keys[(i * plane + int64_t(y) * w.width + x) * w.particles + j]);
      vote.add(0.0f, unpack_y(packed), unpack_x(packed));
    }
}

void warp_row(const WarpRows& w, int y, float* scratch) {
  Vote vote(w, scratch);
  for (int x = 0; x < w.width; ++x) {
    vote.reset();
    vote_of(vote, w, y, x, 0, 0);
    if (w.reach && !(w.query_mask && !w.query_mask[int64_t(y) * w.width + x])) {
      for (int qy = y - w.reach; qy <= y + w.reach; ++qy)
        for (int qx = x - w.reach; qx <= x + w.reach; ++qx) {
          if (qy < 0 || qx < 0 || qy >= w.height || qx >= w.width || (qy == y && qx == x)) continue;
          if (w.query_mask && !w.query_mask[int64_t(qy) * w.width + qx]) continue;
          vote_of(vote, w, qy, qx, qy - y, qx - x);
        }
    }
    if (vote.empty()) vote_evenly(vote, w, y, x);
    vote.finish(w.warped + (int64_t(y) * w.width + x) * w.channels);
  }
}

}  // namespace
}  // namespace layoutbrush
