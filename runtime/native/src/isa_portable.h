// Plain C++: every compiler, every processor.
#pragma once
#include <cstdint>

#include "vectors.h"

namespace layoutbrush {
namespace {

constexpr const char* kName = "portable";
constexpr int kKeyBias = 0;
inline void prefetch(const void* address) { __builtin_prefetch(address); }

inline unsigned mask_bits(I32x4 mask) {
  return (mask[0] & 1u) | (mask[1] & 2u) | (mask[2] & 4u) | (mask[3] & 8u);
}
inline unsigned mask_bits(I64x4 mask) {
  return static_cast<unsigned>((mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8));
}

// Stores the lanes of v whose bit is set, without gaps; what follows them up to a whole vector is written too.
inline void compress(int32_t* to, I32x4 v, unsigned bits) {
  int count = 0;
  for (int i = 0; i < kLanes; ++i) {
    to[count] = v[i];
    count += bits >> i & 1;
  }
}

// Sixteen features to bytes; see quantise_kernels.h.
inline int8_t quantise(float value, float scale);
inline void quantise16(const float* from, float scale, uint8_t, int8_t* to) {
  for (int i = 0; i < 16; ++i) to[i] = quantise(from[i], scale);
}
inline int32_t sum16(const int8_t*) { return 0; }

// A quantised query, ready to be multiplied with rows of keys.
template <int Bytes>
struct Row {
  const int8_t* query;
  int32_t correction;
  Row(const int8_t* q, int32_t c) : query(q), correction(c) {}

  int32_t dot(const uint8_t* key) const {
    const int8_t* k = reinterpret_cast<const int8_t*>(key);
    int32_t sum = correction;
    for (int i = 0; i < Bytes; ++i) sum += static_cast<int16_t>(query[i]) * static_cast<int16_t>(k[i]);
    return sum;
  }
  I32x4 dots(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) const {
    return I32x4{dot(a), dot(b), dot(c), dot(d)};
  }
};

}  // namespace
}  // namespace layoutbrush
