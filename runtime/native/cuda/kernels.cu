// The kernels of both ops: one thread a query, one row of blocks a batch element. NVRTC compiles this file for the card
// at hand, with the particles and quads of a call as template arguments (layoutbrush.runtime.ops.cuda).
#include "search.h"
#include "votes.h"

using namespace layoutbrush;
using namespace layoutbrush::cuda;

namespace {
__device__ int64_t thread_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ int64_t queries_of(const Sampling& s) { return static_cast<int64_t>(s.height) * s.width; }
}  // namespace

// One thread a quad of a feature vector; `vectors` of them, of all batch elements.
__global__ void quantise(const float* features, int64_t vectors, int channels, int quads, float scale, Quad* out) {
  const int64_t index = thread_index();
  if (index < vectors * quads)
    out[index] = quantised_quad(features + index / quads * channels, channels, static_cast<int>(index % quads), scale);
}

// The seed comes as a pointer, as the graph hands it over; null is seed 0.
template <int kParticles, int kQuads>
__global__ void start(Sampling batch, const int32_t* seed, Ranked* states) {
  const Sampling s = element(batch, blockIdx.y, kQuads);
  const int64_t query = thread_index(), queries = queries_of(s);
  const uint32_t stream = iteration_stream(seed ? static_cast<uint32_t>(*seed) : 0u, 0);
  if (query < queries) start_query<kParticles, kQuads>(s, query, stream, states + blockIdx.y * queries * kParticles);
}

template <int kParticles, int kQuads>
__global__ void pass(Sampling batch, const int32_t* seed, int iteration, int window, int stride, const Ranked* old_states, Ranked* new_states) {
  const Sampling s = element(batch, blockIdx.y, kQuads);
  const int64_t query = thread_index(), queries = queries_of(s), offset = blockIdx.y * queries * kParticles;
  const uint32_t stream = iteration_stream(seed ? static_cast<uint32_t>(*seed) : 0u, iteration);
  if (query < queries)
    pass_query<kParticles, kQuads>(s, query, stream, window, stride, old_states + offset, new_states + offset);
}

// Into slot `slot` of `keep` of the outputs (B, keep, H, W, M).
template <int kParticles>
__global__ void write(Sampling batch, float unit, const Ranked* states, int slot, int keep, int32_t* keys, float* scores) {
  const Sampling s = element(batch, blockIdx.y, 0);
  const int64_t query = thread_index(), size = queries_of(s) * kParticles;
  const int64_t out = (static_cast<int64_t>(blockIdx.y) * keep + slot) * size;
  if (query < queries_of(s)) write_query<kParticles>(s, query, unit, states + blockIdx.y * size, keys + out, scores + out);
}

// blockIdx.z counts groups of kChannelsAtOnce channels.
extern "C" __global__ void warp_forward(Votes batch, float* warped) {
  const Votes v = element(batch, blockIdx.y);
  const int64_t query = thread_index(), queries = static_cast<int64_t>(v.height) * v.width;
  if (query < queries) warp_query(v, query, blockIdx.z * kChannelsAtOnce, warped + blockIdx.y * queries * v.channels);
}

// grad_values and grad_scores start at zero; sums over queries come in any order.
extern "C" __global__ void warp_backward(Votes batch, const float* grads, float* grad_values, float* grad_scores) {
  const Votes v = element(batch, blockIdx.y);
  const int64_t query = thread_index(), queries = static_cast<int64_t>(v.height) * v.width;
  if (query >= queries) return;
  warp_query_backward(v, query, grads + blockIdx.y * queries * v.channels,
                      grad_values + static_cast<int64_t>(blockIdx.y) * v.key_height * v.key_width * v.channels,
                      grad_scores + blockIdx.y * queries * v.sets * v.particles);
}
