// Both schedules of KeyIndexSampling on one row or band, over the Row and contains() of the including variant.
#pragma once
#include "kernels.h"

namespace layoutbrush {
namespace {

// Distinct candidates of one query. The first `known` are its present particles, which need no evaluation.
struct Candidates {
  alignas(64) uint32_t packed[kListCapacity];
  int count, known;
};

struct ByteCodes {
  using Type = uint8_t;
  static const Type* of(const Search& s) { return s.codes; }
  static int32_t of_query(const Search& s, int label) {
    const int64_t code = static_cast<int64_t>(label) - s.label_low + 1;
    return code >= 1 && code <= 254 ? static_cast<int32_t>(code) : 255;
  }
  static int32_t masked(const Search&) { return 0; }
};

struct WideCodes {
  using Type = int32_t;
  static const Type* of(const Search& s) { return s.wide_codes; }
  static int32_t of_query(const Search&, int label) { return label; }
  static int32_t masked(const Search& s) { return s.wide_masked; }
};

template <int Bytes, class Codes>
class Searcher {
 public:
  explicit Searcher(const Search& search)
      : s_(search), codes_(Codes::of(search)), masked_(Codes::masked(search)),
        last_x_(search.key_width - 1), last_y_(search.key_height - 1) {}

  void start_row(Ranked* current, int y) const {
    const uint32_t stream = iteration_stream(s_.seed, 0);
    Candidates list;
    for_row(y, [&](int x, int slot) {
      list.count = list.known = 0;
      const int64_t query = int64_t(y) * s_.width + x;
      for (int j = 0; j < s_.init_count; ++j) {
        const auto packed = static_cast<uint32_t>(s_.init[query * s_.init_count + j]);
        add(list, unpack_y(packed), unpack_x(packed));
      }
      const uint32_t random = query_stream(stream, static_cast<uint32_t>(query));
      for (uint32_t j = 0; j < static_cast<uint32_t>(s_.particles); ++j)
        add(list, below(mix(random ^ (2 * j + 1)), s_.key_height), below(mix(random ^ (2 * j)), s_.key_width));
      Ranked* own = current + query * s_.particles;
      const Ranked filler = rank(kFillerInt, pack(clamp(y, last_y_), clamp(x, last_x_)));
      for (int j = 0; j < s_.particles; ++j) own[j] = filler;
      evaluate(list, own, query, slot);
    });
  }

  // One pass of the in-place scan over the rows [y_begin, y_end): rows already visited, and the pixel before this
  // one, are read from `current`; rows of other bands from `previous`.
  void scan_band(const State& state, const Step& step, int y_begin, int y_end) const {
    const int rows = y_end - y_begin, d = step.forward ? 1 : -1;
    for (int i = 0; i < rows; ++i) {
      const int y = step.forward ? y_begin + i : y_end - 1 - i;
      scan_row(state, step, y, y - d >= y_begin && y - d < y_end ? state.current : state.previous);
    }
  }

  // One pass of the jump flood over row y, from `previous` to `current`.
  void flood_row(const State& state, const Step& step, int y) const {
    static constexpr int kDx[12] = {-1, 1, 0, 0, -1, 1, 0, 0, -1, 1, -1, 1};
    static constexpr int kDy[12] = {0, 0, -1, 1, 0, 0, -1, 1, -1, -1, 1, 1};
    const uint32_t stream = iteration_stream(s_.seed, step.iteration);
    Candidates ring[kAhead];
    pipeline(y, ring, true,
             [&](Candidates& list, int x) {
               const int64_t query = int64_t(y) * s_.width + x;
               const Ranked* own = state.previous + query * s_.particles;
               know(list, own);
               if (step.pass == 0) sample(list, own, stream, static_cast<uint32_t>(query), step.window);
               for (int n = 0; n < 4; ++n) propagate(list, state.previous, y, x, kDy[n], kDx[n]);
               const int first = step.stride > 1 ? 4 : 8, stride = step.stride;
               for (int n = first; n < first + 4; ++n)
                 propagate(list, state.previous, y, x, kDy[n] * stride, kDx[n] * stride);
             },
             [&](Candidates& list, int x, int slot) { settle(list, state, y, x, slot); });
  }

 private:
  static constexpr int kAhead = 4;  // queries whose keys are being fetched while another is evaluated

  template <class F>
  void for_row(int y, const F& visit) const {
    for (int slot = s_.row_begin[y]; slot < s_.row_begin[y + 1]; ++slot) visit(s_.active_x[slot], slot);
  }

  // Calls gather(list, x) kAhead queries before settle(list, x, slot), so that prefetched keys have arrived.
  template <class Gather, class Settle>
  void pipeline(int y, Candidates* ring, bool forward, const Gather& gather, const Settle& settle) const {
    const int begin = s_.row_begin[y], count = s_.row_begin[y + 1] - begin;
    for (int i = 0; i < count + kAhead - 1; ++i) {
      if (i < count) gather(ring[i % kAhead], s_.active_x[forward ? begin + i : begin + count - 1 - i]);
      const int due = i - (kAhead - 1);
      if (due < 0) continue;
      const int slot = forward ? begin + due : begin + count - 1 - due;
      settle(ring[due % kAhead], s_.active_x[slot], slot);
    }
  }

  void scan_row(const State& state, const Step& step, int y, const Ranked* vertical) const {
    const uint32_t stream = iteration_stream(s_.seed, step.iteration);
    const int d = step.forward ? 1 : -1;
    Candidates ring[kAhead];
    pipeline(y, ring, step.forward,
             [&](Candidates& list, int x) {
               const int64_t query = int64_t(y) * s_.width + x;
               const Ranked* own = state.previous + query * s_.particles;
               know(list, own);
               if (step.pass == 0) sample(list, own, stream, static_cast<uint32_t>(query), step.window);
               propagate(list, vertical, y, x, -d, 0);
             },
             [&](Candidates& list, int x, int slot) {
               propagate(list, state.current, y, x, 0, -d);
               settle(list, state, y, x, slot);
             });
  }

  void settle(const Candidates& list, const State& state, int y, int x, int slot) const {
    const int64_t query = int64_t(y) * s_.width + x;
    const Ranked* before = state.previous + query * s_.particles;
    Ranked* own = state.current + query * s_.particles;
    for (int j = 0; j < s_.particles; ++j) own[j] = before[j];
    evaluate(list, own, query, slot);
  }

  void know(Candidates& list, const Ranked* own) const {
    int n = 0;
    while (n < s_.particles && !is_filler(own[n])) {
      list.packed[n] = packed_of(own[n]);
      ++n;
    }
    list.count = list.known = n;
  }

  void add(Candidates& list, int y, int x) const {
    y = clamp(y, last_y_);
    x = clamp(x, last_x_);
    const uint32_t packed = pack(y, x);
    if (contains(list.packed, list.count, packed)) return;
    list.packed[list.count++] = packed;
    const int64_t row = int64_t(y) * s_.key_width + x;
    prefetch(codes_ + row);
    for (int line = 0; line < Bytes; line += 64) prefetch(s_.keys + row * Bytes + line);
  }

  void sample(Candidates& list, const Ranked* own, uint32_t stream, uint32_t query, int window) const {
    if (window <= 0) return;
    const uint32_t random = query_stream(stream, query);
    const int span = 2 * window + 1;
    int particle = 0;
    for (uint32_t j = 0; j < static_cast<uint32_t>(s_.samples); ++j) {
      const uint32_t centre = packed_of(own[particle]);
      if (++particle == s_.particles) particle = 0;
      add(list, unpack_y(centre) + below(mix(random ^ (2 * j + 1)), span) - window,
          unpack_x(centre) + below(mix(random ^ (2 * j)), span) - window);
    }
  }

  void propagate(Candidates& list, const Ranked* state, int y, int x, int dy, int dx) const {
    const int ny = y + dy, nx = x + dx;
    if (ny < 0 || nx < 0 || ny >= s_.height || nx >= s_.width) return;
    const int64_t query = int64_t(ny) * s_.width + nx;
    if (s_.query_mask && !s_.query_mask[query]) return;
    const Ranked* other = state + query * s_.particles;
    for (int j = 0; j < s_.particles && !is_filler(other[j]); ++j) {
      const uint32_t packed = packed_of(other[j]);
      add(list, unpack_y(packed) - dy, unpack_x(packed) - dx);
    }
  }

  // Scores the unknown candidates and keeps the best, in order, in own.
  void evaluate(const Candidates& list, Ranked* own, int64_t query, int slot) const {
    const Row<Bytes> row(s_.queries + int64_t(slot) * Bytes, s_.query_correction[slot]);
    const int label = s_.query_labels[query];
    const int32_t code = Codes::of_query(s_, label);
    const int32_t penalty = label == s_.ignore_label ? 0 : s_.penalty;
    const int last = s_.particles - 1;
    for (int i = list.known; i < list.count; ++i) {
      const uint32_t packed = list.packed[i];
      const int64_t index = int64_t(unpack_y(packed)) * s_.key_width + unpack_x(packed);
      const int32_t key_code = codes_[index];
      if (key_code == masked_) continue;
      const int32_t score = row.dot(s_.keys + index * Bytes) - (key_code == code ? 0 : penalty);
      const Ranked ranked = rank(score, packed);
      if (ranked <= own[last]) continue;
      int j = last;
      for (; j > 0 && ranked > own[j - 1]; --j) own[j] = own[j - 1];
      own[j] = ranked;
    }
  }

  const Search& s_;
  const typename Codes::Type* codes_;
  const int32_t masked_;
  const int last_x_, last_y_;
};

// Calls visit(searcher) with the Searcher made for the row width and the label codes of this search.
template <int Bytes, class F>
void with_codes(const Search& search, const F& visit) {
  if (search.codes) {
    visit(Searcher<Bytes, ByteCodes>(search));
  } else {
    visit(Searcher<Bytes, WideCodes>(search));
  }
}

template <class F>
void with_searcher(const Search& search, const F& visit) {
  switch (search.row_bytes) {
    case 16: return with_codes<16>(search, visit);
    case 32: return with_codes<32>(search, visit);
    case 64: return with_codes<64>(search, visit);
    default: return with_codes<128>(search, visit);
  }
}

void start_row(const Search& search, Ranked* current, int y) {
  with_searcher(search, [&](const auto& searcher) { searcher.start_row(current, y); });
}

void scan_band(const Search& search, const State& state, const Step& step, int y_begin, int y_end) {
  with_searcher(search, [&](const auto& searcher) { searcher.scan_band(state, step, y_begin, y_end); });
}

void flood_row(const Search& search, const State& state, const Step& step, int y) {
  with_searcher(search, [&](const auto& searcher) { searcher.flood_row(state, step, y); });
}

}  // namespace
}  // namespace layoutbrush
