// Shared vocabulary of the kernels: packed coordinates, ranked candidates, the counter-based random numbers.
// The rules are those of key_index_sampling.toml; reference.py states the same ones in NumPy.
#pragma once
#include <cstddef>
#include <cstdint>

#include "contract.h"

namespace layoutbrush {

namespace kis = contract::key_index_sampling;
namespace saw = contract::sparse_attention_warp;

constexpr int kMaxParticles = kis::kParticlesMax;
constexpr int kMaxSamples = kis::kSamplesMax;
// Slots are kept in multiples of this; those beyond the particles hold INT64_MIN.
inline int slots_for(int particles) { return particles <= 4 ? 4 : particles <= 8 ? 8 : 16; }

inline uint32_t pack(int y, int x) { return static_cast<uint32_t>(y) << 16 | static_cast<uint32_t>(x); }
inline int unpack_y(uint32_t packed) { return static_cast<int32_t>(packed) >> 16; }
inline int unpack_x(uint32_t packed) { return static_cast<int>(packed & 0xffffu); }
inline int clamp(int v, int last) { return v < 0 ? 0 : (v > last ? last : v); }
inline int smaller(int a, int b) { return a < b ? a : b; }

// A candidate as one signed 64-bit number whose order is the contract's total order:
// score in the high half (descending is better), complement of the packed coordinate in the low half.
using Ranked = int64_t;
inline Ranked rank(int32_t score, uint32_t packed) {
  return static_cast<int64_t>(static_cast<uint64_t>(static_cast<uint32_t>(score)) << 32 | static_cast<uint32_t>(~packed));
}
inline uint32_t packed_of(Ranked r) { return ~static_cast<uint32_t>(r); }
inline int32_t score_of(Ranked r) { return static_cast<int32_t>(r >> 32); }
// A filler stands in an empty slot: below every valid score, and its coordinate is the query's own.
constexpr int32_t kFillerInt = INT32_MIN;
inline bool is_filler(Ranked r) { return score_of(r) == kFillerInt; }

inline uint32_t mix(uint32_t h) {
  h = (h ^ (h >> contract::kMixShift0)) * contract::kMixMultiplier0;
  h = (h ^ (h >> contract::kMixShift1)) * contract::kMixMultiplier1;
  return h ^ (h >> contract::kMixLastShift);
}
// random(seed, iteration, query, draw) = mix(query_stream(iteration_stream(seed, iteration), query) ^ draw)
inline uint32_t iteration_stream(uint32_t seed, int iteration) {
  return mix(mix(seed ^ contract::kSeedSalt) ^ (static_cast<uint32_t>(iteration) * contract::kIterationSalt));
}
inline uint32_t query_stream(uint32_t iteration_stream, uint32_t query) { return mix(iteration_stream ^ query); }
inline int below(uint32_t random, int n) {
  return static_cast<int>((static_cast<uint64_t>(random) * static_cast<uint32_t>(n)) >> 32);
}

}  // namespace layoutbrush
