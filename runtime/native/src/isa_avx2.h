// AVX2: bytes widened to 16 bit, multiplied and added in pairs; exact.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "vectors.h"

namespace layoutbrush {
namespace {

constexpr const char* kName = "avx2";
constexpr int kKeyBias = 0;
inline void prefetch(const void* address) { _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0); }

inline unsigned mask_bits(I32x4 mask) {
  return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(reinterpret_cast<__m128i>(mask))));
}
inline unsigned mask_bits(I64x4 mask) {
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(reinterpret_cast<__m256i>(mask))));
}

// Stores the lanes of v whose bit is set, without gaps; what follows them up to a whole vector is written too.
inline void compress(int32_t* to, I32x4 v, unsigned bits) {
  int count = 0;
  for (int i = 0; i < kLanes; ++i) {
    to[count] = v[i];
    count += bits >> i & 1;
  }
}

// Eight features to 32-bit integers: rounded half to even, clamped; NaN to 0.
inline __m256i quantise8(const float* from, float scale) {
  const __m256 raw = _mm256_loadu_ps(from);
  const __m256 low = _mm256_max_ps(_mm256_mul_ps(raw, _mm256_set1_ps(scale)), _mm256_set1_ps(-127.0f));
  const __m256 v = _mm256_and_ps(_mm256_min_ps(low, _mm256_set1_ps(127.0f)), _mm256_cmp_ps(raw, raw, _CMP_ORD_Q));
  return _mm256_cvtps_epi32(v);
}
// Sixteen features to bytes.
inline void quantise16(const float* from, float scale, uint8_t, int8_t* to) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(quantise8(from, scale), quantise8(from + 8, scale)), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
inline int32_t sum16(const int8_t*) { return 0; }

inline __m128i folded(__m256i v) { return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)); }

// A quantised query, ready to be multiplied with rows of keys.
template <int Bytes>
struct Row {
  __m256i query[Bytes / 16];
  Row(const int8_t* q, int32_t) {
    for (int i = 0; i < Bytes / 16; ++i) query[i] = widened(reinterpret_cast<const uint8_t*>(q) + 16 * i);
  }

  static __m256i widened(const uint8_t* bytes) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  }
  __m128i partial(const uint8_t* key) const {
    __m256i sum = _mm256_madd_epi16(query[0], widened(key));
    for (int i = 1; i < Bytes / 16; ++i)
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(query[i], widened(key + 16 * i)));
    return folded(sum);
  }
  I32x4 dots(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) const {
    const __m128i ab = _mm_hadd_epi32(partial(a), partial(b)), cd = _mm_hadd_epi32(partial(c), partial(d));
    return reinterpret_cast<I32x4>(_mm_hadd_epi32(ab, cd));
  }
};

}  // namespace
}  // namespace layoutbrush
