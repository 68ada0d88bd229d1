// Plain C++: every compiler, every processor.
#pragma once
#include <cstdint>

namespace layoutbrush {
namespace {

constexpr const char* kName = "portable";
constexpr int kKeyBias = 0;
inline void prefetch(const void* address) { __builtin_prefetch(address); }

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
};

inline bool contains(const uint32_t* list, int n, uint32_t value) {
  bool found = false;
  for (int i = 0; i < n; ++i) found |= list[i] == value;
  return found;
}

}  // namespace
}  // namespace layoutbrush
