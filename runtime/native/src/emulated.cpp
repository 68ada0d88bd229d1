// The CUDA kernels' shared code on the CPU, a query after the other: what tests hold against the reference where there
// is no GPU. Slow by intention: it takes the same steps in the same order as a thread of the card.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../cuda/search.h"
#include "../cuda/votes.h"
#include "errors.h"
#include "ops.h"

namespace layoutbrush {
namespace {

using cuda::Quad;
using cuda::Sampling;
using cuda::Votes;

std::vector<Quad> quantised(const float* features, int64_t vectors, int channels, int quads, float scale) {
  std::vector<Quad> out(vectors * quads);
  for (int64_t i = 0; i < vectors * quads; ++i)
    out[i] = cuda::quantised_quad(features + i / quads * channels, channels, static_cast<int>(i % quads), scale);
  return out;
}

template <int kParticles, int kQuads>
void search(const LbSampling& c, const Sampling& s, int64_t b) {
  const int64_t queries = static_cast<int64_t>(s.height) * s.width;
  const double scale = c.scale;
  const float unit = static_cast<float>(1.0 / (scale * scale));
  const uint32_t seed = static_cast<uint32_t>(c.seed);
  std::vector<Ranked> states(queries * kParticles), next(queries * kParticles);
  for (int iteration = 0; iteration < c.iterations; ++iteration) {
    const uint32_t stream = iteration_stream(seed, iteration);
    if (iteration == 0)
      for (int64_t q = 0; q < queries; ++q) cuda::start_query<kParticles, kQuads>(s, q, stream, states.data());
    for (int pass = 0; iteration > 0 && pass < c.propagations; ++pass) {
      const int window = pass == 0 ? c.windows[iteration] : 0, stride = c.strides[iteration * c.propagations + pass];
      for (int64_t q = 0; q < queries; ++q)
        cuda::pass_query<kParticles, kQuads>(s, q, stream, window, stride, states.data(), next.data());
      states.swap(next);
    }
    const int slot = iteration - (c.iterations - c.keep);
    const int64_t out = (b * c.keep + slot) * queries * kParticles;
    for (int64_t q = 0; slot >= 0 && q < queries; ++q)
      cuda::write_query<kParticles>(s, q, unit, states.data(), c.keys + out, c.scores + out);
  }
}

// Turns the two sizes of a call into template arguments, as NVRTC's caller does.
template <int kQuads, int kParticles = kMaxParticles>
void search_with(const LbSampling& c, const Sampling& s, int64_t b) {
  if (c.particles == kParticles) search<kParticles, kQuads>(c, s, b);
  else if constexpr (kParticles > 1) search_with<kQuads, kParticles - 1>(c, s, b);
}

Votes votes_of(const LbWarp& c) {
  return Votes{c.values, c.keys, c.scores, c.query_mask, static_cast<int32_t>(c.height), static_cast<int32_t>(c.width),
               static_cast<int32_t>(c.key_height), static_cast<int32_t>(c.key_width), static_cast<int32_t>(c.channels),
               static_cast<int32_t>(c.iterations), static_cast<int32_t>(c.particles), c.reach, c.gamma};
}

}  // namespace

void emulated_key_index_sampling(const LbSampling& c) {
  check(c);
  const int channels = static_cast<int>(c.channels), quads = channels <= 16 ? 1 : channels <= 32 ? 2 : channels <= 64 ? 4 : 8;
  const int64_t keys = c.key_height * c.key_width, queries = c.height * c.width;
  const std::vector<Quad> query_rows = quantised(c.query, c.batch * queries, channels, quads, c.scale);
  const std::vector<Quad> key_rows = quantised(c.key, c.batch * keys, channels, quads, c.scale);
  const Sampling batch{query_rows.data(), key_rows.data(), c.query_labels, c.key_labels, c.query_mask, c.key_mask, c.init,
                     static_cast<int32_t>(c.height), static_cast<int32_t>(c.width), static_cast<int32_t>(c.key_height),
                     static_cast<int32_t>(c.key_width), c.init ? static_cast<int32_t>(c.init_count) : 0,
                     integer_penalty(c), c.ignore_label, c.samples};
  for (int64_t b = 0; b < c.batch; ++b) {
    const Sampling s = cuda::element(batch, b, quads);
    quads == 1 ? search_with<1>(c, s, b) : quads == 2 ? search_with<2>(c, s, b) : quads == 4 ? search_with<4>(c, s, b) : search_with<8>(c, s, b);
  }
}

void emulated_sparse_attention_warp(const LbWarp& c) {
  check(c);
  require(c.warped, "warped", "must not be null");
  const int64_t queries = c.height * c.width;
  for (int64_t b = 0; b < c.batch; ++b) {
    const Votes v = cuda::element(votes_of(c), b);
    for (int64_t q = 0; q < queries; ++q)
      for (int first = 0; first < v.channels; first += cuda::kChannelsAtOnce)
        cuda::warp_query(v, q, first, c.warped + b * queries * v.channels);
  }
}

void emulated_sparse_attention_warp_backward(const LbWarp& c) {
  check(c);
  require(c.grad && c.grad_values && c.grad_scores, "grad", "must not be null");
  const int64_t queries = c.height * c.width, values = c.key_height * c.key_width * c.channels;
  const int64_t slots = queries * c.iterations * c.particles;
  std::fill_n(c.grad_values, c.batch * values, 0.0f);
  std::fill_n(c.grad_scores, c.batch * slots, 0.0f);
  for (int64_t b = 0; b < c.batch; ++b) {
    const Votes v = cuda::element(votes_of(c), b);
    for (int64_t q = 0; q < queries; ++q)
      cuda::warp_query_backward(v, q, c.grad + b * queries * v.channels, c.grad_values + b * values, c.grad_scores + b * slots);
  }
}

}  // namespace layoutbrush
