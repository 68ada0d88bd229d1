// SparseAttentionWarp: checks a call and drives the rows over the thread pool; the backward pass.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "errors.h"
#include "ops.h"
#include "scratch.h"
#include "thread_pool.h"

namespace layoutbrush {

void check(const LbWarp& c) {
  require(c.values && c.keys && c.scores, "inputs", "must not be null");
  require_range(c.height, 1, saw::kMaxSide, "keys", "height must lie in 1..32767");
  require_range(c.width, 1, saw::kMaxSide, "keys", "width must lie in 1..32767");
  require_range(c.key_height, 1, saw::kMaxSide, "values", "height must lie in 1..32767");
  require_range(c.key_width, 1, saw::kMaxSide, "values", "width must lie in 1..32767");
  require_range(c.channels, 1, saw::kMaxChannels, "values", "channels must lie in 1..4096");
  require(c.iterations >= 1 && c.particles >= 1, "keys", "must hold at least one key a query");
  require_range(c.gamma, static_cast<float>(saw::kGammaMin), saw::kGammaMax, "gamma", "must lie in 1e-06..1e+06");
  require_range(c.reach, saw::kReachMin, saw::kReachMax, "reach", "must lie in 0..16");
}

namespace {

WarpRows rows_of(const LbWarp& c, int64_t b, const float* values, int padded_channels) {
  const int64_t queries = c.height * c.width, slots = queries * c.iterations * c.particles;
  WarpRows w{};
  w.height = static_cast<int>(c.height);
  w.width = static_cast<int>(c.width);
  w.key_height = static_cast<int>(c.key_height);
  w.key_width = static_cast<int>(c.key_width);
  w.channels = static_cast<int>(c.channels);
  w.padded_channels = padded_channels;
  w.iterations = static_cast<int>(c.iterations);
  w.particles = static_cast<int>(c.particles);
  w.reach = c.reach;
  w.gamma = c.gamma;
  w.values = values;
  w.keys = c.keys + b * slots;
  w.scores = c.scores + b * slots;
  w.query_mask = c.query_mask ? c.query_mask + b * queries : nullptr;
  w.warped = c.warped ? c.warped + b * queries * c.channels : nullptr;
  return w;
}

void pad_values(const float* source, int64_t pixels, int channels, int padded, int threads, float* out) {
  constexpr int64_t kPixels = 8192;
  parallel_for((pixels + kPixels - 1) / kPixels, threads, [&](int64_t task) {
    const int64_t end = std::min(pixels, (task + 1) * kPixels);
    for (int64_t i = task * kPixels; i < end; ++i)
      for (int v = 0; v < padded; ++v) out[i * padded + v] = v < channels ? source[i * channels + v] : 0.0f;
  });
}

// Visits the votes of query (y, x): visit(slot in keys/scores, index of the key's pixel, score).
// The rule is that of warp_kernels.h.
template <class F>
void for_votes(const WarpRows& w, int y, int x, const F& visit) {
  const int64_t plane = int64_t(w.height) * w.width;
  const auto offer = [&](int qy, int qx, bool even) {
    for (int i = 0; i < w.iterations; ++i)
      for (int j = 0; j < w.particles; ++j) {
        const int64_t slot = (i * plane + int64_t(qy) * w.width + qx) * w.particles + j;
        if (!even && !(w.scores[slot] > saw::kValidAbove)) continue;
        const auto packed = static_cast<uint32_t>(w.keys[slot]);
        const int ky = clamp(unpack_y(packed) - (qy - y), w.key_height - 1);
        const int kx = clamp(unpack_x(packed) - (qx - x), w.key_width - 1);
        visit(slot, int64_t(ky) * w.key_width + kx, even ? 0.0f : w.scores[slot], even);
      }
  };
  bool any = false;
  const auto valid = [&](int qy, int qx) {
    for (int i = 0; i < w.iterations; ++i)
      for (int j = 0; j < w.particles; ++j)
        any = any || w.scores[(i * plane + int64_t(qy) * w.width + qx) * w.particles + j] > saw::kValidAbove;
  };
  const bool alone = !w.reach || (w.query_mask && !w.query_mask[int64_t(y) * w.width + x]);
  const int r = alone ? 0 : w.reach;
  for (int qy = std::max(0, y - r); qy <= std::min(w.height - 1, y + r); ++qy)
    for (int qx = std::max(0, x - r); qx <= std::min(w.width - 1, x + r); ++qx) {
      if ((qy != y || qx != x) && w.query_mask && !w.query_mask[int64_t(qy) * w.width + qx]) continue;
      valid(qy, qx);
      offer(qy, qx, false);
    }
  if (!any) offer(y, x, true);
}

// Gradients of one query's softmax; grad_values and grad_scores are added to.
void backward_query(const WarpRows& w, int y, int x, const float* grad, float* grad_values, float* grad_scores,
                    std::vector<float>& weights) {
  weights.clear();
  float top = -INFINITY, sum = 0.0f;
  for_votes(w, y, x, [&](int64_t, int64_t, float score, bool) { top = std::max(top, score); });
  double mean = 0.0;  // grad . warped, the mean of grad . value under the softmax
  for_votes(w, y, x, [&](int64_t, int64_t pixel, float score, bool) {
    const float weight = std::exp(w.gamma * (score - top));
    float dot = 0.0f;
    for (int v = 0; v < w.channels; ++v) dot += grad[v] * w.values[pixel * w.channels + v];
    weights.push_back(weight);
    weights.push_back(dot);
    sum += weight;
    mean += double(weight) * dot;
  });
  mean /= sum;
  size_t next = 0;
  for_votes(w, y, x, [&](int64_t slot, int64_t pixel, float, bool even) {
    const float weight = weights[next] / sum, dot = weights[next + 1];
    next += 2;
    for (int v = 0; v < w.channels; ++v) grad_values[pixel * w.channels + v] += weight * grad[v];
    if (!even) grad_scores[slot] += w.gamma * weight * (dot - static_cast<float>(mean));
  });
}

}  // namespace

void sparse_attention_warp(const LbWarp& call) {
  check(call);
  require(call.warped, "warped", "must not be null");
  const Kernels& kernels = kernels_for(call.isa);
  const int threads = resolve_threads(call.threads);
  const int channels = static_cast<int>(call.channels), padded = (channels + 3) / 4 * 4;
  const int64_t pixels = call.batch * call.key_height * call.key_width;
  Scratch values(size_t(padded == channels ? 0 : pixels) * padded * sizeof(float));
  if (padded != channels) pad_values(call.values, pixels, channels, padded, threads, values.as<float>());
  const float* source = padded == channels ? call.values : values.as<float>();
  constexpr int64_t kRows = 4;
  const int64_t tasks = (call.height + kRows - 1) / kRows;
  Scratch totals(size_t(call.batch * tasks) * padded * sizeof(float));
  parallel_for(call.batch * tasks, threads, [&](int64_t task) {
    const int64_t b = task / tasks, first = task % tasks * kRows;
    const WarpRows w = rows_of(call, b, source + b * call.key_height * call.key_width * padded, padded);
    for (int64_t y = first; y < std::min(call.height, first + kRows); ++y)
      kernels.warp_row(w, static_cast<int>(y), totals.as<float>() + task * padded);
  });
}

// Parts of one batch element add into buffers of their own, which are then summed in order: the number of parts
// depends on the batch alone, so the sums do not depend on the threads.
void sparse_attention_warp_backward(const LbWarp& call) {
  check(call);
  require(call.grad && call.grad_values && call.grad_scores, "grad", "must not be null");
  const int threads = resolve_threads(call.threads);
  const int64_t parts = call.batch >= 8 ? 1 : 4;
  const int64_t value_size = call.key_height * call.key_width * call.channels;
  const int64_t score_size = call.height * call.width * call.iterations * call.particles;
  const bool shared_scores = call.reach > 0;  // only then do queries of two parts write one score
  Scratch values(size_t(call.batch * (parts - 1)) * value_size * sizeof(float));
  Scratch scores(size_t(shared_scores ? call.batch * (parts - 1) * score_size : 0) * sizeof(float));
  std::memset(call.grad_scores, 0, size_t(call.batch * score_size) * sizeof(float));
  const auto part_of = [&](float* whole, const Scratch& rest, int64_t b, int64_t part, int64_t size) {
    return part == 0 ? whole + b * size : rest.as<float>() + (b * (parts - 1) + part - 1) * size;
  };
  parallel_for(call.batch * parts, threads, [&](int64_t task) {
    const int64_t b = task / parts, part = task % parts;
    float* grad_values = part_of(call.grad_values, values, b, part, value_size);
    float* grad_scores = shared_scores ? part_of(call.grad_scores, scores, b, part, score_size) : call.grad_scores + b * score_size;
    std::memset(grad_values, 0, size_t(value_size) * sizeof(float));
    if (shared_scores && part) std::memset(grad_scores, 0, size_t(score_size) * sizeof(float));
    const WarpRows w = rows_of(call, b, call.values + b * value_size, static_cast<int>(call.channels));
    std::vector<float> weights;
    for (int64_t y = call.height * part / parts; y < call.height * (part + 1) / parts; ++y)
      for (int64_t x = 0; x < call.width; ++x)
        backward_query(w, static_cast<int>(y), static_cast<int>(x),
                       call.grad + ((b * call.height + y) * call.width + x) * call.channels, grad_values, grad_scores, weights);
  });
  const auto add_parts = [&](float* whole, const Scratch& rest, int64_t size) {
    parallel_for(call.batch, threads, [&](int64_t b) {
      for (int64_t part = 1; part < parts; ++part) {
        const float* from = part_of(whole, rest, b, part, size);
        for (int64_t i = 0; i < size; ++i) whole[b * size + i] += from[i];
      }
    });
  };
  if (parts > 1) add_parts(call.grad_values, values, value_size);
  if (parts > 1 && shared_scores) add_parts(call.grad_scores, scores, score_size);
}

}  // namespace layoutbrush
