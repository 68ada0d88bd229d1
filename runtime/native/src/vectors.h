// Vectors of four candidates, in the compiler's own vector types: one source for SSE, AVX and Arm.
#pragma once
#include <cstdint>

#include "common.h"

namespace layoutbrush {
namespace {

constexpr int kLanes = 4;
using U32x4 = uint32_t __attribute__((vector_size(16)));
using I32x4 = int32_t __attribute__((vector_size(16)));
using I64x4 = int64_t __attribute__((vector_size(32)));
struct alignas(32) Lanes64 {
  Ranked lane[kLanes];
};

inline I32x4 splat(int32_t v) { return I32x4{v, v, v, v}; }
inline I64x4 splat64(int64_t v) { return I64x4{v, v, v, v}; }
// Per lane: mask (all ones or zeros) ? a : b.
inline I32x4 select(I32x4 mask, I32x4 a, I32x4 b) { return (mask & a) | (~mask & b); }
inline I64x4 select(I64x4 mask, I64x4 a, I64x4 b) { return (mask & a) | (~mask & b); }
inline I32x4 clamp4(I32x4 v, I32x4 last) {
  v = select(v > last, last, v);
  return v & ~(v >> 31);  // below zero: zero
}

inline I64x4 load(const Ranked* from) {
  I64x4 v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
inline void store(Ranked* to, I64x4 v) { __builtin_memcpy(to, &v, sizeof v); }

inline I32x4 low_halves(I64x4 v) { return __builtin_convertvector(v, I32x4); }
inline I32x4 packed4(I64x4 ranked) { return ~low_halves(ranked); }
inline I32x4 occupied(I64x4 ranked) { return low_halves(ranked >> 32) != splat(kFillerInt); }
inline I64x4 rank4(I32x4 score, I32x4 packed) {
  const I64x4 high = __builtin_convertvector(score, I64x4) << 32;
  return high | (__builtin_convertvector(~packed, I64x4) & splat64(0xffffffff));
}

inline U32x4 mix4(U32x4 h) {
  h = (h ^ (h >> contract::kMixShift0)) * contract::kMixMultiplier0;
  h = (h ^ (h >> contract::kMixShift1)) * contract::kMixMultiplier1;
  return h ^ (h >> contract::kMixLastShift);
}
// (random * n) >> 32 in 32-bit steps, exact for n < 65536.
inline I32x4 below4(U32x4 random, uint32_t n) {
  const U32x4 high = (random >> 16) * n, low = ((random & 0xffffu) * n) >> 16;
  return reinterpret_cast<I32x4>((high + low) >> 16);
}

// Lanes of v that equal any lane of w.
inline I32x4 equals_any(I32x4 v, I32x4 w) {
  const I32x4 w1 = I32x4{w[1], w[2], w[3], w[0]}, w2 = I32x4{w[2], w[3], w[0], w[1]}, w3 = I32x4{w[3], w[0], w[1], w[2]};
  return (v == w) | (v == w1) | (v == w2) | (v == w3);
}

}  // namespace
}  // namespace layoutbrush
