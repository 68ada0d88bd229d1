// Labels as the kernels compare them: bytes where the keys' labels span at most 254 values, else the labels
// themselves, with an unused number for keys that may not be copied.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace layoutbrush {

struct LabelRange {
  int32_t smallest = INT32_MAX, largest = INT32_MIN;

  static LabelRange of(const int32_t* labels, int64_t count) {
    int32_t smallest = INT32_MAX, largest = INT32_MIN;
    for (int64_t i = 0; i < count; ++i) {
      smallest = labels[i] < smallest ? labels[i] : smallest;
      largest = labels[i] > largest ? labels[i] : largest;
    }
    return {smallest, largest};
  }
  void include(const LabelRange& other) {
    smallest = std::min(smallest, other.smallest);
    largest = std::max(largest, other.largest);
  }
};

struct LabelCodes {
  bool bytes;      // code = label - low + 1
  int32_t low;
  int32_t masked;  // the code of a key that may not be copied

  // Takes the range of the key labels, and both label maps.
  LabelCodes(LabelRange keys, const int32_t* key_labels, int64_t key_count, const int32_t* query_labels, int64_t query_count)
      : bytes(static_cast<int64_t>(keys.largest) - keys.smallest <= 253), low(keys.smallest),
        masked(bytes ? 0 : unused(key_labels, key_count, query_labels, query_count)) {}

 private:
  static int32_t unused(const int32_t* a, int64_t a_count, const int32_t* b, int64_t b_count) {
    std::vector<int32_t> all(a, a + a_count);
    all.insert(all.end(), b, b + b_count);
    std::sort(all.begin(), all.end());
    int64_t candidate = INT32_MIN;
    for (int32_t label : all) {
      if (label == candidate) ++candidate;
      if (label > candidate) break;
    }
    return static_cast<int32_t>(candidate);
  }
};

}  // namespace layoutbrush
