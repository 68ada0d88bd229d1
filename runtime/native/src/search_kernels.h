// Both schedules of KeyIndexSampling on one row or band, over the Row and mask_bits() of the including variant.
// Candidates are handled four at a time. A candidate that equals a present particle is dropped before it is scored; any
// other duplicate is found on insertion, where its rank equals one in the list. Where a query keeps a single particle, a
// neighbour hands on one candidate and not four: those are stored without gaps, and the best of them is all that is kept.
#pragma once
#include "kernels.h"
#include "vectors.h"

namespace layoutbrush {
namespace {

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

// Four candidates of one query: coordinates, rows in the key grid, and which lanes count.
struct Group {
  I32x4 packed, index, alive;
};

// A query whose candidates are known and whose keys are on their way into the cache.
struct Pending {
  static constexpr int kGroups = 9 * kMaxParticles / kLanes + kMaxSamples / kLanes;
  static constexpr int kSingles = 8 + kMaxSamples + kis::kMaxInit + 2 * kLanes;  // a whole vector is stored at a time
  union {
    Group groups[kGroups];
    struct {
      int32_t packed[kSingles], index[kSingles];
    } single;
  };
  int count, x, slot;  // count: groups, or single candidates
};

static_assert(Pending::kGroups * kLanes >= kis::kMaxInit + kMaxParticles, "the first iteration's list must fit too");

// The best particles of a query, best first. Slots from `particles` on stay empty.
template <int Groups>
class Best {
 public:
  Best(const Ranked* from, int particles) : particles_(particles) {
    for (int g = 0; g < Groups; ++g) store(slots_ + g * kLanes, load(from + g * kLanes));
  }

  Ranked worst() const { return slots_[particles_ - 1]; }

  void insert(Ranked r) {
    if (Groups == 1) return insert_vector(r);
    int j = particles_ - 1;
    while (j > 0 && r > slots_[j - 1]) --j;
    if (j > 0 && r == slots_[j - 1]) return;  // already here
    for (int k = particles_ - 1; k > j; --k) slots_[k] = slots_[k - 1];
    slots_[j] = r;
  }

  void save(Ranked* to) {
    if (Groups == 1 && particles_ < kLanes)
      for (int j = particles_; j < kLanes; ++j) slots_[j] = INT64_MIN;
    for (int g = 0; g < Groups; ++g) store(to + g * kLanes, load(slots_ + g * kLanes));
  }

 private:
  void insert_vector(Ranked r) {
    const I64x4 all = load(slots_), fresh = splat64(r);
    if (mask_bits(all == fresh)) return;
    const I64x4 above = all > fresh;
    const I64x4 above_before{-1, above[0], above[1], above[2]}, before{0, all[0], all[1], all[2]};
    store(slots_, select(above, all, select(above_before, fresh, before)));
  }

  alignas(32) Ranked slots_[Groups * kLanes];
  const int particles_;
};

template <int Bytes, class Codes, int Groups>
class Searcher {
 public:
  explicit Searcher(const Search& search)
      : s_(search), codes_(Codes::of(search)), masked_(splat(Codes::masked(search))), stride_(Groups * kLanes),
        single_(Groups == 1 && search.particles == 1), last_x_(splat(search.key_width - 1)),
        last_y_(splat(search.key_height - 1)), key_width_(splat(search.key_width)) {}

  void start_row(Ranked* current, int y) const {
    const uint32_t stream = iteration_stream(s_.seed, 0);
    Pending ring[kAhead];
    pipeline(y, ring, true, [&](Pending& p) { gather_start(p, y, stream); },
             [&](Pending& p) {
               Ranked* own = current + at(y, p.x);
               const Ranked filler =
                   rank(kFillerInt, pack(smaller(y, s_.key_height - 1), smaller(p.x, s_.key_width - 1)));
               for (int j = 0; j < stride_; ++j) own[j] = j < s_.particles ? filler : INT64_MIN;
               evaluate(p, own, own, y);
             });
  }

  // One pass of the in-place scan over the rows [y_begin, y_end): the row and the pixel before this one are read from
  // `current`, rows of other bands and the four neighbours at the stride from `previous`.
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
    Pending ring[kAhead];
    pipeline(y, ring, true,
             [&](Pending& p) {
               const Ranked* own = state.previous + at(y, p.x);
               if (step.pass == 0) sample(p, own, stream, y, step.window);
               for (int n = 0; n < 4; ++n) propagate(p, own, state.previous, y, kDy[n], kDx[n]);
               const int first = step.stride > 1 ? 4 : 8, stride = step.stride;
               for (int n = first; n < first + 4; ++n)
                 propagate(p, own, state.previous, y, kDy[n] * stride, kDx[n] * stride);
             },
             [&](Pending& p) { evaluate(p, state.previous + at(y, p.x), state.current + at(y, p.x), y); });
  }

 private:
  static constexpr int kAhead = 8;  // queries whose keys are being fetched while another is evaluated

  int64_t at(int y, int x) const { return (int64_t(y) * s_.width + x) * stride_; }

  // Calls gather kAhead queries before settle, so that prefetched keys have arrived.
  template <class Gather, class Settle>
  void pipeline(int y, Pending* ring, bool forward, const Gather& gather, const Settle& settle) const {
    const int begin = s_.row_begin[y], count = s_.row_begin[y + 1] - begin;
    for (int i = 0; i < count + kAhead - 1; ++i) {
      if (i < count) {
        Pending& p = ring[i % kAhead];
        p.slot = forward ? begin + i : begin + count - 1 - i;
        p.x = s_.active_x[p.slot];
        p.count = 0;
        gather(p);
      }
      if (i >= kAhead - 1) settle(ring[(i - (kAhead - 1)) % kAhead]);
    }
  }

  void scan_row(const State& state, const Step& step, int y, const Ranked* vertical) const {
    const uint32_t stream = iteration_stream(s_.seed, step.iteration);
    const int d = step.forward ? 1 : -1;
    Pending ring[kAhead];
    pipeline(y, ring, step.forward,
             [&](Pending& p) {
               const Ranked* own = state.previous + at(y, p.x);
               if (step.pass == 0) sample(p, own, stream, y, step.window);
               for (int dx = -1; dx <= 1; ++dx) propagate(p, own, vertical, y, -d, dx);
               for (int far = -step.stride; far <= step.stride; far += 2 * step.stride) {
                 propagate(p, own, state.previous, y, far, 0);
                 propagate(p, own, state.previous, y, 0, far);
               }
             },
             [&](Pending& p) {
               const Ranked* own = state.previous + at(y, p.x);
               propagate(p, own, state.current, y, 0, -d);
               evaluate(p, own, state.current + at(y, p.x), y);
             });
  }

  // Adds four candidates at (y, x), clamped; lanes that are not alive, or equal a present particle, do not count.
  void add(Pending& p, const Ranked* own, I32x4 y, I32x4 x, I32x4 alive) const {
    y = clamp4(y, last_y_);
    x = clamp4(x, last_x_);
    const I32x4 packed = y << 16 | x;
    for (int g = 0; own && g < Groups; ++g) {
      const I64x4 present = load(own + g * kLanes);
      // A filler's coordinate is no present particle: it is replaced by one that no key has.
      alive &= ~equals_any(packed, packed4(present) | ~occupied(present));
    }
    const unsigned bits = mask_bits(alive);
    if (!bits) return;
    if (single_) return add_singles(p, packed, y * key_width_ + x, bits);
    const I32x4 index = (y * key_width_ + x) & alive;
    p.groups[p.count++] = {packed, index, alive};
    for (int i = 0; i < kLanes; ++i) fetch(index[i]);
  }

  void add_singles(Pending& p, I32x4 packed, I32x4 index, unsigned bits) const {
    compress(p.single.packed + p.count, packed, bits);
    compress(p.single.index + p.count, index, bits);
    for (const int end = p.count + __builtin_popcount(bits); p.count < end; ++p.count) fetch(p.single.index[p.count]);
  }

  void add_single(Pending& p, Ranked own, int y, int x) const {
    y = clamp(y, s_.key_height - 1);
    x = clamp(x, s_.key_width - 1);
    const uint32_t packed = pack(y, x);
    if (packed == packed_of(own) && !is_filler(own)) return;
    p.single.packed[p.count] = static_cast<int32_t>(packed);
    fetch(p.single.index[p.count++] = y * s_.key_width + x);
  }

  void fetch(int64_t row) const {
    prefetch(codes_ + row);
    for (int line = 0; line < Bytes; line += 64) prefetch(s_.keys + row * Bytes + line);
  }

  void gather_start(Pending& p, int y, uint32_t stream) const {
    const uint32_t query = static_cast<uint32_t>(y) * static_cast<uint32_t>(s_.width) + static_cast<uint32_t>(p.x);
    const int32_t* init = s_.init + int64_t(query) * s_.init_count;
    for (int j = 0; j < s_.init_count; j += kLanes) {
      const int left = s_.init_count - j;
      const I32x4 packed{init[j], init[j + smaller(1, left - 1)], init[j + smaller(2, left - 1)], init[j + smaller(3, left - 1)]};
      add(p, nullptr, packed >> 16, packed & 0xffff, splat(-1));
    }
    const uint32_t random = query_stream(stream, query);
    for (int j = 0; j < s_.particles; j += kLanes) {
      const I32x4 draw = 2 * (I32x4{0, 1, 2, 3} + j);
      const I32x4 y_drawn = below4(mix4(reinterpret_cast<U32x4>(draw + 1) ^ random), static_cast<uint32_t>(s_.key_height));
      const I32x4 x_drawn = below4(mix4(reinterpret_cast<U32x4>(draw) ^ random), static_cast<uint32_t>(s_.key_width));
      add(p, nullptr, y_drawn, x_drawn, I32x4{0, 1, 2, 3} + j < splat(s_.particles));
    }
  }

  void sample(Pending& p, const Ranked* own, uint32_t stream, int y, int window) const {
    if (window <= 0) return;
    const uint32_t query = static_cast<uint32_t>(y) * static_cast<uint32_t>(s_.width) + static_cast<uint32_t>(p.x);
    const uint32_t random = query_stream(stream, query), span = 2 * static_cast<uint32_t>(window) + 1;
    for (int j = 0; j < s_.samples; j += kLanes) {
      const I32x4 centre = centres(own, j), draw = 2 * (I32x4{0, 1, 2, 3} + j);
      const I32x4 dy = below4(mix4(reinterpret_cast<U32x4>(draw + 1) ^ random), span) - window;
      const I32x4 dx = below4(mix4(reinterpret_cast<U32x4>(draw) ^ random), span) - window;
      add(p, own, (centre >> 16) + dy, (centre & 0xffff) + dx, I32x4{0, 1, 2, 3} + j < splat(s_.samples));
    }
  }

  // What samples j to j + 3 are centred on.
  I32x4 centres(const Ranked* own, int j) const {
    if (s_.particles == kLanes) return packed4(load(own));
    const int m = s_.particles;
    return I32x4{static_cast<int32_t>(packed_of(own[j % m])), static_cast<int32_t>(packed_of(own[(j + 1) % m])),
                 static_cast<int32_t>(packed_of(own[(j + 2) % m])),
                 static_cast<int32_t>(packed_of(own[(j + 3) % m]))};
  }

  void propagate(Pending& p, const Ranked* own, const Ranked* state, int y, int dy, int dx) const {
    const int ny = y + dy, nx = p.x + dx;
    if (ny < 0 || nx < 0 || ny >= s_.height || nx >= s_.width) return;
    if (s_.query_mask && !s_.query_mask[int64_t(ny) * s_.width + nx]) return;
    const Ranked* other = state + at(ny, nx);
    if (single_) {
      const uint32_t packed = packed_of(other[0]);
      if (!is_filler(other[0])) add_single(p, own[0], unpack_y(packed) - dy, unpack_x(packed) - dx);
      return;
    }
    for (int g = 0; g < Groups; ++g) {
      const I64x4 ranked = load(other + g * kLanes);
      const I32x4 packed = packed4(ranked);
      add(p, own, (packed >> 16) - dy, (packed & 0xffff) - dx, occupied(ranked));
    }
  }

  // Scores the candidates and writes the best of them and of `before` to `after` (which may be the same place).
  void evaluate(const Pending& p, const Ranked* before, Ranked* after, int y) const {
    const Row<Bytes> row(s_.queries + int64_t(p.slot) * Bytes, s_.query_correction[p.slot]);
    const int label = s_.query_labels[int64_t(y) * s_.width + p.x];
    const I32x4 code = splat(Codes::of_query(s_, label));
    const I32x4 penalty = splat(label == s_.ignore_label ? 0 : s_.penalty);
    if (single_) return evaluate_singles(p, row, code, penalty, before, after);
    Best<Groups> best(before, s_.particles);
    for (int g = 0; g < p.count; ++g) {
      const Group& group = p.groups[g];
      const int64_t a = group.index[0], b = group.index[1], c = group.index[2], d = group.index[3];
      const I32x4 key_code{codes_[a], codes_[b], codes_[c], codes_[d]};
      const uint8_t* keys = s_.keys;
      const I32x4 score = row.dots(keys + a * Bytes, keys + b * Bytes, keys + c * Bytes, keys + d * Bytes) -
                          ((key_code != code) & penalty);
      const I32x4 counts = group.alive & (key_code != masked_);
      const I64x4 ranked = rank4(score, group.packed);
      const I64x4 better = (ranked > splat64(best.worst())) & __builtin_convertvector(counts, I64x4);
      unsigned bits = mask_bits(better);
      if (!bits) continue;
      Lanes64 lanes;
      store(lanes.lane, ranked);
      do {
        const Ranked r = lanes.lane[__builtin_ctz(bits)];
        bits &= bits - 1;
        if (r > best.worst()) best.insert(r);
      } while (bits);
    }
    best.save(after);
  }

  void evaluate_singles(const Pending& p, const Row<Bytes>& row, I32x4 code, I32x4 penalty, const Ranked* before,
                        Ranked* after) const {
    I64x4 best = load(before);  // the other slots are empty
    for (int first = 0; first < p.count; first += kLanes) {
      const I32x4 some = I32x4{0, 1, 2, 3} + first < splat(p.count);
      I32x4 index, packed;
      __builtin_memcpy(&index, p.single.index + first, sizeof index);
      __builtin_memcpy(&packed, p.single.packed + first, sizeof packed);
      index &= some;
      const int64_t a = index[0], b = index[1], c = index[2], d = index[3];
      const I32x4 key_code{codes_[a], codes_[b], codes_[c], codes_[d]};
      const uint8_t* keys = s_.keys;
      const I32x4 score = row.dots(keys + a * Bytes, keys + b * Bytes, keys + c * Bytes, keys + d * Bytes) -
                          ((key_code != code) & penalty);
      const I32x4 counts = some & (key_code != masked_);
      const I64x4 ranked = rank4(score, packed);
      best = select((ranked > best) & __builtin_convertvector(counts, I64x4), ranked, best);
    }
    Ranked top = best[0];
    for (int i = 1; i < kLanes; ++i) top = best[i] > top ? best[i] : top;
    store(after, I64x4{top, INT64_MIN, INT64_MIN, INT64_MIN});
  }

  const Search& s_;
  const typename Codes::Type* codes_;
  const I32x4 masked_;
  const int stride_;   // slots a query
  const bool single_;  // one particle
  const I32x4 last_x_, last_y_, key_width_;
};

template <int Value>
struct Constant {
  static constexpr int kValue = Value;
};

template <int Bytes, class Codes, class F>
void with_groups(const Search& search, const F& visit) {
  if (search.particles <= kLanes) return visit(Searcher<Bytes, Codes, 1>(search));
  if (search.particles <= 2 * kLanes) return visit(Searcher<Bytes, Codes, 2>(search));
  return visit(Searcher<Bytes, Codes, 4>(search));
}

// Calls visit(searcher) with the Searcher made for the row width, label codes and particles of this search.
template <class F>
void with_searcher(const Search& search, const F& visit) {
  const auto with_codes = [&](auto bytes) {
    if (search.codes) return with_groups<decltype(bytes)::kValue, ByteCodes>(search, visit);
    return with_groups<decltype(bytes)::kValue, WideCodes>(search, visit);
  };
  switch (search.row_bytes) {
    case 16: return with_codes(Constant<16>());
    case 32: return with_codes(Constant<32>());
    case 64: return with_codes(Constant<64>());
    default: return with_codes(Constant<128>());
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
