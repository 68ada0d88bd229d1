// AVX2: bytes widened to 16 bit, multiplied and added in pairs; exact.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace layoutbrush {
namespace {

constexpr const char* kName = "avx2";
constexpr int kKeyBias = 0;
inline void prefetch(const void* address) { _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0); }

inline int32_t horizontal_sum(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

template <int Bytes>
struct Row {
  __m256i query[Bytes / 16];
  Row(const int8_t* q, int32_t) {
    for (int i = 0; i < Bytes / 16; ++i)
      query[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q) + i));
  }
  int32_t dot(const uint8_t* key) const {
    __m256i sum = _mm256_setzero_si256();
    for (int i = 0; i < Bytes / 16; ++i) {
      const __m256i k = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(key) + i));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(query[i], k));
    }
    return horizontal_sum(sum);
  }
};

inline bool contains(const uint32_t* list, int n, uint32_t value) {
  const __m256i wanted = _mm256_set1_epi32(static_cast<int>(value));
  for (int i = 0; i < n; i += 8) {
    const __m256i some = _mm256_load_si256(reinterpret_cast<const __m256i*>(list + i));
    unsigned hits = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(some, wanted))));
    if (n - i < 8) hits &= (1u << (n - i)) - 1u;
    if (hits) return true;
  }
  return false;
}

}  // namespace
}  // namespace layoutbrush
