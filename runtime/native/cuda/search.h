// One query's share of KeyIndexSampling (schedule "jump_flood"): NVRTC compiles this for the device, the host compiler
// for emulated.cpp, so that a machine without a GPU tests the same lines. The rules are those of key_index_sampling.toml.
#pragma once
#include "common.h"

namespace layoutbrush::cuda {

// Sixteen quantised channels: what one 128-bit load brings.
struct alignas(16) Quad {
  int32_t words[4];
};

// One batch element. Rows of features are kQuads quads long, padded with zeros.
struct Sampling {
  const Quad* queries;          // (H * W, kQuads)
  const Quad* keys;             // (Hk * Wk, kQuads)
  const int32_t* query_labels;  // (H, W)
  const int32_t* key_labels;    // (Hk, Wk)
  const uint8_t* query_mask;    // (H, W) or null
  const uint8_t* key_mask;      // (Hk, Wk) or null
  const int32_t* init;          // (H, W, init_count) packed, or null
  int32_t height, width, key_height, key_width, init_count, penalty, ignore_label, samples;
};

// The same in batch element b.
inline Sampling element(Sampling s, int64_t b, int quads) {
  const int64_t queries = static_cast<int64_t>(s.height) * s.width, keys = static_cast<int64_t>(s.key_height) * s.key_width;
  s.queries += b * queries * quads;
  s.keys += b * keys * quads;
  s.query_labels += b * queries;
  s.key_labels += b * keys;
  if (s.query_mask) s.query_mask += b * queries;
  if (s.key_mask) s.key_mask += b * keys;
  if (s.init) s.init += b * queries * s.init_count;
  return s;
}

inline bool active(const Sampling& s, int64_t query) { return !s.query_mask || s.query_mask[query]; }

inline int32_t multiply_add(int32_t a, int32_t b, int32_t sum) {
#ifdef __CUDA_ARCH__
  return __dp4a(a, b, sum);
#else
  for (int byte = 0; byte < 32; byte += 8) sum += static_cast<int8_t>(a >> byte) * static_cast<int8_t>(b >> byte);
  return sum;
#endif
}

// clamp(round_half_even(v * scale), -127, 127); NaN is 0.
inline int8_t quantised(float v, float scale) {
  const float rounded = rintf(v * scale);
  if (!(rounded == rounded)) return 0;
  return static_cast<int8_t>(rounded > 127.0f ? 127.0f : rounded < -127.0f ? -127.0f : rounded);
}

// One quad of a feature vector: channels 16 * quad onwards, zeros beyond the last channel.
inline Quad quantised_quad(const float* feature, int channels, int quad, float scale) {
  Quad out;
  for (int word = 0; word < 4; ++word) {
    uint32_t bytes = 0;
    for (int byte = 0; byte < 4; ++byte) {
      const int channel = quad * 16 + word * 4 + byte;
      const int8_t value = channel < channels ? quantised(feature[channel], scale) : int8_t{0};
      bytes |= static_cast<uint32_t>(static_cast<uint8_t>(value)) << (8 * byte);
    }
    out.words[word] = static_cast<int32_t>(bytes);
  }
  return out;
}

// A query with the best candidates that it has been offered so far, in the contract's total order.
template <int kParticles, int kQuads>
class Finder {
 public:
  Finder(const Sampling& search, int64_t query)
      : s_(search), y_(static_cast<int>(query / search.width)), x_(static_cast<int>(query % search.width)),
        label_(search.query_labels[query]) {
    for (int i = 0; i < kQuads; ++i) feature_[i] = search.queries[query * kQuads + i];
    const uint32_t own = pack(smaller(y_, search.key_height - 1), smaller(x_, search.key_width - 1));
    for (int i = 0; i < kParticles; ++i) best_[i] = rank(kFillerInt, own);
  }

  // Takes over a state of this query, best first.
  void load(const Ranked* state) {
    for (int i = 0; i < kParticles; ++i) best_[i] = state[i];
  }
  void store(Ranked* state) const {
    for (int i = 0; i < kParticles; ++i) state[i] = best_[i];
  }

  // Iteration 0: initial keys, then one random draw a particle.
  void start(int64_t query, uint32_t stream) {
    for (int i = 0; i < s_.init_count; ++i) {
      const int32_t packed = s_.init[query * s_.init_count + i];
      offer(packed >> 16, packed & 0xffff);
    }
    const uint32_t random = query_stream(stream, static_cast<uint32_t>(query));
    for (uint32_t j = 0; j < kParticles; ++j) {
      const int x = below(mix(random ^ (2 * j)), s_.key_width);
      offer(below(mix(random ^ (2 * j + 1)), s_.key_height), x);
    }
  }

  // Random samples around the particles of `state`, this query's state before the pass.
  void sample(const Ranked* state, int64_t query, uint32_t stream, int window) {
    const uint32_t random = query_stream(stream, static_cast<uint32_t>(query));
    for (int j = 0; j < s_.samples; ++j) {
      const uint32_t centre = packed_of(state[j % kParticles]), draw = 2 * static_cast<uint32_t>(j);
      const int dx = below(mix(random ^ draw), 2 * window + 1) - window;
      const int dy = below(mix(random ^ (draw + 1)), 2 * window + 1) - window;
      offer(unpack_y(centre) + dy, unpack_x(centre) + dx);
    }
  }

  // Keys of the neighbours at distance 1 and `stride`, moved along. `states` are those of all queries before the pass.
  void propagate(const Ranked* states, int stride) {
    constexpr int kCross[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
    constexpr int kDiagonal[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
    for (int i = 0; i < 4; ++i) from(states, kCross[i][0], kCross[i][1]);
    for (int i = 0; i < 4; ++i) {
      if (stride > 1) from(states, kCross[i][0] * stride, kCross[i][1] * stride);
      else from(states, kDiagonal[i][0], kDiagonal[i][1]);
    }
  }

 private:
  void from(const Ranked* states, int dy, int dx) {
    const int y = y_ + dy, x = x_ + dx;
    if (y < 0 || y >= s_.height || x < 0 || x >= s_.width) return;
    const int64_t neighbour = static_cast<int64_t>(y) * s_.width + x;
    if (!active(s_, neighbour)) return;
    for (int i = 0; i < kParticles; ++i) {
      const Ranked particle = states[neighbour * kParticles + i];
      if (is_filler(particle)) return;  // they come last
      const uint32_t packed = packed_of(particle);
      offer(unpack_y(packed) - dy, unpack_x(packed) - dx);
    }
  }

  void offer(int y, int x) {
    y = clamp(y, s_.key_height - 1);
    x = clamp(x, s_.key_width - 1);
    const uint32_t packed = pack(y, x);
    for (int i = 0; i < kParticles; ++i)  // coherent neighbours bring the same key again and again
      if (packed_of(best_[i]) == packed && !is_filler(best_[i])) return;
    const int64_t key = static_cast<int64_t>(y) * s_.key_width + x;
    if (s_.key_mask && !s_.key_mask[key]) return;
    int32_t score = 0;
    for (int i = 0; i < kQuads; ++i) {
      const Quad quad = s_.keys[key * kQuads + i];
      for (int word = 0; word < 4; ++word) score = multiply_add(feature_[i].words[word], quad.words[word], score);
    }
    if (label_ != s_.ignore_label && s_.key_labels[key] != label_) score -= s_.penalty;
    insert(rank(score, packed));
  }

  void insert(Ranked candidate) {
    for (int i = 0; i < kParticles; ++i) {
      const Ranked held = best_[i];
      const bool better = candidate > held;
      best_[i] = better ? candidate : held;
      candidate = better ? held : candidate;
    }
  }

  const Sampling& s_;
  int y_, x_;
  int32_t label_;
  Quad feature_[kQuads];
  Ranked best_[kParticles];
};

template <int kParticles, int kQuads>
void start_query(const Sampling& s, int64_t query, uint32_t stream, Ranked* states) {
  if (!active(s, query)) return;
  Finder<kParticles, kQuads> finder(s, query);
  finder.start(query, stream);
  finder.store(states + query * kParticles);
}

// One pass: propagation, and in an iteration's first pass (window >= 1) the samples too, all against the old states.
template <int kParticles, int kQuads>
void pass_query(const Sampling& s, int64_t query, uint32_t stream, int window, int stride, const Ranked* old_states, Ranked* new_states) {
  if (!active(s, query)) return;
  Finder<kParticles, kQuads> finder(s, query);
  finder.load(old_states + query * kParticles);
  finder.propagate(old_states, stride);
  if (window > 0) finder.sample(old_states + query * kParticles, query, stream, window);
  finder.store(new_states + query * kParticles);
}

// The outputs of one query after an iteration.
template <int kParticles>
void write_query(const Sampling& s, int64_t query, float unit, const Ranked* states, int32_t* keys, float* scores) {
  const int y = static_cast<int>(query / s.width), x = static_cast<int>(query % s.width);
  const uint32_t own = pack(smaller(y, s.key_height - 1), smaller(x, s.key_width - 1));
  const bool here = active(s, query);
  for (int i = 0; i < kParticles; ++i) {
    const int64_t slot = query * kParticles + i;
    const Ranked particle = here ? states[slot] : Ranked{0};
    keys[slot] = static_cast<int32_t>(here ? packed_of(particle) : own);
    scores[slot] = !here ? 0.0f : is_filler(particle) ? kis::kFillerScore : static_cast<float>(score_of(particle)) * unit;
  }
}

}  // namespace layoutbrush::cuda
