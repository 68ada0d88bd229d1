// One query's share of SparseAttentionWarp (patent, Eq. 4, with patch voting), forward and backward. NVRTC compiles this
// for the device, the host compiler for emulated.cpp. The rules are those of sparse_attention_warp.toml.
#pragma once
#include "common.h"

namespace layoutbrush::cuda {

constexpr int kChannelsAtOnce = 4;  // values that one thread fetches together

// One batch element.
struct Votes {
  const float* values;        // (Hk, Wk, V)
  const int32_t* keys;        // (N, H, W, M) packed
  const float* scores;        // (N, H, W, M)
  const uint8_t* query_mask;  // (H, W) or null
  int32_t height, width, key_height, key_width, channels, sets, particles, reach;
  float gamma;
};

// The same votes in batch element b.
inline Votes element(Votes v, int64_t b) {
  const int64_t queries = static_cast<int64_t>(v.height) * v.width, slots = queries * v.sets * v.particles;
  v.values += b * v.key_height * v.key_width * v.channels;
  v.keys += b * slots;
  v.scores += b * slots;
  if (v.query_mask) v.query_mask += b * queries;
  return v;
}

inline void add_to(float* sum, float term) {
#ifdef __CUDA_ARCH__
  atomicAdd(sum, term);
#else
  *sum += term;
#endif
}

// Calls visit(pixel of the values, slot of the keys, score) for every key of every query that votes for (y, x).
template <class Visit>
void each_vote(const Votes& v, int y, int x, const Visit& visit) {
  const bool here = !v.query_mask || v.query_mask[static_cast<int64_t>(y) * v.width + x];
  const int reach = here ? v.reach : 0;
  for (int dy = -reach; dy <= reach; ++dy)
    for (int dx = -reach; dx <= reach; ++dx) {
      const int ny = y + dy, nx = x + dx;
      if (ny < 0 || ny >= v.height || nx < 0 || nx >= v.width) continue;
      const int64_t query = static_cast<int64_t>(ny) * v.width + nx;
      if ((dy || dx) && v.query_mask && !v.query_mask[query]) continue;
      for (int set = 0; set < v.sets; ++set)
        for (int i = 0; i < v.particles; ++i) {
          const int64_t slot = (static_cast<int64_t>(set) * v.height * v.width + query) * v.particles + i;
          const int32_t packed = v.keys[slot];
          const int ky = clamp((packed >> 16) - dy, v.key_height - 1), kx = clamp((packed & 0xffff) - dx, v.key_width - 1);
          visit(static_cast<int64_t>(ky) * v.key_width + kx, slot, v.scores[slot]);
        }
    }
}

// What the softmax of a query's votes needs. Without a single valid vote the query's own keys count alike.
struct Softmax {
  float highest = 0.0f;
  bool any = false;

  Softmax(const Votes& v, int y, int x) {
    each_vote(v, y, x, [&](int64_t, int64_t, float score) {
      if (score > saw::kValidAbove) {
        highest = any && highest > score ? highest : score;
        any = true;
      }
    });
  }

  // The weight before division by the sum; 0 for a vote that does not count.
  float operator()(const Votes& v, int64_t slot, int64_t query, float score) const {
    if (any) return score > saw::kValidAbove ? expf(v.gamma * (score - highest)) : 0.0f;
    return slot / v.particles % (static_cast<int64_t>(v.height) * v.width) == query ? 1.0f : 0.0f;
  }
};

// Channels first .. first + kChannelsAtOnce of the warped value of one query.
inline void warp_query(const Votes& v, int64_t query, int first, float* warped) {
  const int y = static_cast<int>(query / v.width), x = static_cast<int>(query % v.width);
  const int count = smaller(kChannelsAtOnce, v.channels - first);
  const Softmax softmax(v, y, x);
  float total = 0.0f, sums[kChannelsAtOnce] = {};
  each_vote(v, y, x, [&](int64_t pixel, int64_t slot, float score) {
    const float weight = softmax(v, slot, query, score);
    if (weight == 0.0f) return;
    total += weight;
    const float* value = v.values + pixel * v.channels + first;
    for (int c = 0; c < kChannelsAtOnce; ++c)
      if (c < count) sums[c] += weight * value[c];
  });
  for (int c = 0; c < kChannelsAtOnce; ++c)
    if (c < count) warped[query * v.channels + first + c] = sums[c] / total;
}

inline float along(const Votes& v, const float* grad, int64_t pixel) {
  float sum = 0.0f;
  for (int c = 0; c < v.channels; ++c) sum += grad[c] * v.values[pixel * v.channels + c];
  return sum;
}

// Adds what one query's gradient (V) asks of the values and scores that it was made of.
inline void warp_query_backward(const Votes& v, int64_t query, const float* grads, float* grad_values, float* grad_scores) {
  const int y = static_cast<int>(query / v.width), x = static_cast<int>(query % v.width);
  const float* grad = grads + query * v.channels;
  const Softmax softmax(v, y, x);
  float total = 0.0f, centre = 0.0f;
  each_vote(v, y, x, [&](int64_t pixel, int64_t slot, float score) {
    const float weight = softmax(v, slot, query, score);
    total += weight;
    if (weight != 0.0f) centre += weight * along(v, grad, pixel);
  });
  centre /= total;
  each_vote(v, y, x, [&](int64_t pixel, int64_t slot, float score) {
    const float weight = softmax(v, slot, query, score) / total;
    if (weight == 0.0f) return;
    for (int c = 0; c < v.channels; ++c) add_to(grad_values + pixel * v.channels + c, weight * grad[c]);
    if (softmax.any) add_to(grad_scores + slot, v.gamma * weight * (along(v, grad, pixel) - centre));
  });
}

}  // namespace layoutbrush::cuda
