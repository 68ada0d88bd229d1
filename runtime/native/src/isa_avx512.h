// AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes. Keys are stored unsigned (+128), so that the excess,
// 128 * sum(query), depends on the query alone; Row starts its sum at minus that, and the result is exact.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace layoutbrush {
namespace {

constexpr const char* kName = "avx512";
constexpr int kKeyBias = 128;
inline void prefetch(const void* address) { _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0); }

template <int Bytes>
struct Row {
  __m512i query[Bytes / 64];
  int32_t correction;
  Row(const int8_t* q, int32_t c) : correction(c) {
    for (int i = 0; i < Bytes / 64; ++i) query[i] = _mm512_loadu_si512(q + 64 * i);
  }
  int32_t dot(const uint8_t* key) const {
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < Bytes / 64; ++i) sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(key + 64 * i), query[i]);
    return correction + _mm512_reduce_add_epi32(sum);
  }
};

template <>
struct Row<32> {
  __m256i query;
  int32_t correction;
  Row(const int8_t* q, int32_t c) : query(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(q))), correction(c) {}
  int32_t dot(const uint8_t* key) const {
    const __m256i k = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(key));
    const __m256i sum = _mm256_dpbusd_epi32(_mm256_setzero_si256(), k, query);
    return correction + _mm512_reduce_add_epi32(_mm512_zextsi256_si512(sum));
  }
};

template <>
struct Row<16> {
  __m128i query;
  int32_t correction;
  Row(const int8_t* q, int32_t c) : query(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))), correction(c) {}
  int32_t dot(const uint8_t* key) const {
    const __m128i k = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key));
    __m128i s = _mm_dpbusd_epi32(_mm_setzero_si128(), k, query);
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return correction + _mm_cvtsi128_si32(s);
  }
};

inline bool contains(const uint32_t* list, int n, uint32_t value) {
  const __m512i wanted = _mm512_set1_epi32(static_cast<int>(value));
  for (int i = 0; i < n; i += 16) {
    const __mmask16 alive = n - i < 16 ? static_cast<__mmask16>((1u << (n - i)) - 1u) : static_cast<__mmask16>(0xffff);
    if (_mm512_mask_cmpeq_epi32_mask(alive, _mm512_load_si512(list + i), wanted)) return true;
  }
  return false;
}

}  // namespace
}  // namespace layoutbrush
