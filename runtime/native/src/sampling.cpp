// KeyIndexSampling: checks a call, quantises, and drives the passes of one schedule over the thread pool.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "errors.h"
#include "ops.h"
#include "scratch.h"
#include "thread_pool.h"

namespace layoutbrush {
namespace {

constexpr int kKeysPerTask = 4096;
// Bands of the in-place scan: contiguous rows with about an equal share of the queries. They depend on the masks
// alone, so the result does not depend on the threads.
constexpr int kBands = 8, kFewestBandRows = 16, kMostBandRows = 64;

int32_t integer_penalty(const LbSampling& c) {
  const double scale = c.scale;
  return static_cast<int32_t>(std::nearbyint(static_cast<double>(c.label_penalty) * (scale * scale)));
}

void check(const LbSampling& c) {
  require(c.query && c.key && c.query_labels && c.key_labels && c.keys && c.scores && c.windows && c.strides, "inputs",
          "must not be null");
  require_range(c.height, 1, kis::kMaxSide, "query", "height must lie in 1..32767");
  require_range(c.width, 1, kis::kMaxSide, "query", "width must lie in 1..32767");
  require_range(c.key_height, 1, kis::kMaxSide, "key", "height must lie in 1..32767");
  require_range(c.key_width, 1, kis::kMaxSide, "key", "width must lie in 1..32767");
  require_range(c.channels, 1, kis::kMaxChannels, "query", "channels must lie in 1..128");
  if (c.init) require_range(c.init_count, 0, kis::kMaxInit, "init", "must hold 0..64 keys a query");
  check_attributes(c);
}

int padded(int64_t channels) { return channels <= 16 ? 16 : channels <= 32 ? 32 : channels <= 64 ? 64 : 128; }

// Label codes of the keys: bytes where all their labels span at most 254 values, else the labels themselves
// with an unused number for keys that may not be copied.
struct LabelCodes {
  bool bytes;
  int low;
  int32_t masked;

  LabelCodes(const int32_t* key_labels, int64_t keys, const int32_t* query_labels, int64_t queries) {
    int32_t smallest = key_labels[0], largest = key_labels[0];
    for (int64_t i = 0; i < keys; ++i) {
      smallest = std::min(smallest, key_labels[i]);
      largest = std::max(largest, key_labels[i]);
    }
    low = smallest;
    bytes = static_cast<int64_t>(largest) - smallest <= 253;
    masked = bytes ? 0 : unused(key_labels, keys, query_labels, queries);
  }

  static int32_t unused(const int32_t* a, int64_t na, const int32_t* b, int64_t nb) {
    std::vector<int32_t> all(a, a + na);
    all.insert(all.end(), b, b + nb);
    std::sort(all.begin(), all.end());
    int64_t candidate = INT32_MIN;
    for (int32_t label : all)
      if (label == candidate) ++candidate;
      else if (label > candidate) break;
    return static_cast<int32_t>(candidate);
  }
};

class Driver {
 public:
  Driver(const LbSampling& call, int64_t element)
      : c_(call), b_(element), kernels_(kernels_for(call.isa)), threads_(resolve_threads(call.threads)),
        queries_(call.height * call.width), keys_(call.key_height * call.key_width),
        row_bytes_(padded(call.channels)), slots_(slots_for(call.particles)), row_begin_(call.height + 1),
        first_(queries_ * slots_ * sizeof(Ranked)), second_(queries_ * slots_ * sizeof(Ranked)), key_rows_(keys_ * row_bytes_) {}

  void run() {
    list_active();
    Scratch query_rows(size_t(active()) * row_bytes_), corrections(size_t(active()) * sizeof(int32_t));
    fill_search(query_rows.as<int8_t>(), corrections.as<int32_t>());
    const LabelCodes labels(c_.key_labels + b_ * keys_, keys_, s_.query_labels, queries_);
    Scratch codes(size_t(keys_) * (labels.bytes ? sizeof(uint8_t) : sizeof(int32_t)));
    quantise(labels, codes, query_rows.as<int8_t>(), corrections.as<int32_t>());
    state_ = {nullptr, first_.as<Ranked>()};
    rows([&](int y) {
      kernels_.start_row(s_, state_.current, y);
      emit(0, y);
    });
    for (int i = 1; i < c_.iterations; ++i)
      for (int pass = 0; pass < c_.propagations; ++pass) c_.fast ? scan(i, pass) : flood(i, pass);
  }

 private:
  int active() const { return row_begin_.back(); }

  template <class F>
  void rows(const F& body) {  // a few rows a task
    constexpr int kRows = 4;
    const int height = static_cast<int>(c_.height);
    parallel_for((height + kRows - 1) / kRows, threads_, [&](int64_t task) {
      const int begin = static_cast<int>(task) * kRows;
      for (int y = begin; y < std::min(height, begin + kRows); ++y) body(y);
    });
  }

  void list_active() {
    const uint8_t* mask = c_.query_mask ? c_.query_mask + b_ * queries_ : nullptr;
    const int64_t width = c_.width;
    for (int64_t y = 0; y < c_.height; ++y) {
      int32_t count = mask ? 0 : static_cast<int32_t>(width);
      for (int64_t x = 0; mask && x < width; ++x) count += mask[y * width + x] != 0;
      row_begin_[y + 1] = row_begin_[y] + count;
    }
    active_x_.reset(new int32_t[active() + 1]);
    rows([&](int y) {
      int32_t* to = active_x_.get() + row_begin_[y];
      const bool any = row_begin_[y + 1] != row_begin_[y];
      for (int x = 0; any && x < width; ++x)
        if (!mask || mask[y * width + x]) *to++ = x;
    });
    list_bands();
  }

  void list_bands() {
    const int share = (active() + kBands - 1) / kBands, height = static_cast<int>(c_.height);
    bands_ = {0};
    for (int y = 1; y < height; ++y) {
      const int begin = bands_.back(), held = row_begin_[y] - row_begin_[begin];
      if (y - begin >= kMostBandRows || (y - begin >= kFewestBandRows && held >= share)) bands_.push_back(y);
    }
    bands_.push_back(height);
  }

  void fill_search(int8_t* query_rows, int32_t* corrections) {
    s_.height = static_cast<int>(c_.height);
    s_.width = static_cast<int>(c_.width);
    s_.key_height = static_cast<int>(c_.key_height);
    s_.key_width = static_cast<int>(c_.key_width);
    s_.particles = c_.particles;
    s_.samples = c_.samples;
    s_.init_count = c_.init ? static_cast<int>(c_.init_count) : 0;
    s_.row_bytes = row_bytes_;
    s_.penalty = integer_penalty(c_);
    s_.ignore_label = c_.ignore_label;
    s_.queries = query_rows;
    s_.query_correction = corrections;
    s_.keys = key_rows_.as<uint8_t>();
    s_.query_labels = c_.query_labels + b_ * queries_;
    s_.query_mask = c_.query_mask ? c_.query_mask + b_ * queries_ : nullptr;
    s_.row_begin = row_begin_.data();
    s_.active_x = active_x_.get();
    s_.init = c_.init ? c_.init + b_ * queries_ * c_.init_count : nullptr;
    s_.seed = static_cast<uint32_t>(c_.seed);
    const double scale = c_.scale;
    score_unit_ = static_cast<float>(1.0 / (scale * scale));
  }

  void quantise(const LabelCodes& labels, const Scratch& codes, int8_t* query_rows, int32_t* corrections) {
    s_.codes = labels.bytes ? codes.as<uint8_t>() : nullptr;
    s_.wide_codes = labels.bytes ? nullptr : codes.as<int32_t>();
    s_.label_low = labels.low;
    s_.wide_masked = labels.masked;
    const int64_t tasks = (keys_ + kKeysPerTask - 1) / kKeysPerTask;
    parallel_for(tasks, threads_, [&](int64_t task) {
      const int64_t begin = task * kKeysPerTask, end = std::min(keys_, begin + kKeysPerTask);
      kernels_.quantise_keys(c_.key + (b_ * keys_ + begin) * c_.channels, end - begin, static_cast<int>(c_.channels),
                             row_bytes_, c_.scale, key_rows_.as<uint8_t>() + begin * row_bytes_);
      const int32_t* label = c_.key_labels + b_ * keys_;
      const uint8_t* allowed = c_.key_mask ? c_.key_mask + b_ * keys_ : nullptr;
      for (int64_t i = begin; i < end; ++i) {
        const bool usable = !allowed || allowed[i];
        if (labels.bytes) codes.as<uint8_t>()[i] = static_cast<uint8_t>(usable ? label[i] - labels.low + 1 : 0);
        else codes.as<int32_t>()[i] = usable ? label[i] : labels.masked;
      }
    });
    rows([&](int y) { quantise_row(y, query_rows, corrections); });
  }

  void quantise_row(int y, int8_t* query_rows, int32_t* corrections) {
    const float* source = c_.query + (b_ * queries_ + int64_t(y) * c_.width) * c_.channels;
    for (int slot = row_begin_[y]; slot < row_begin_[y + 1];) {  // runs of neighbouring active queries
      int end = slot + 1;
      while (end < row_begin_[y + 1] && active_x_[end] == active_x_[end - 1] + 1) ++end;
      kernels_.quantise_queries(source + int64_t(active_x_[slot]) * c_.channels, end - slot, static_cast<int>(c_.channels),
                                row_bytes_, c_.scale, query_rows + int64_t(slot) * row_bytes_, corrections + slot);
      slot = end;
    }
  }

  Step next_step(int iteration, int pass) {
    Ranked* latest = state_.current;
    state_.current = latest == first_.as<Ranked>() ? second_.as<Ranked>() : first_.as<Ranked>();
    state_.previous = latest;
    const int sweep = (iteration - 1) * c_.propagations + pass;
    return {iteration, pass, c_.windows[iteration], c_.strides[iteration * c_.propagations + pass], sweep % 2 == 0};
  }

  void scan(int iteration, int pass) {
    const Step step = next_step(iteration, pass);
    parallel_for(static_cast<int64_t>(bands_.size()) - 1, threads_, [&](int64_t band) {
      kernels_.scan_band(s_, state_, step, bands_[band], bands_[band + 1]);
      if (pass == c_.propagations - 1)
        for (int y = bands_[band]; y < bands_[band + 1]; ++y) emit(iteration, y);
    });
  }

  void flood(int iteration, int pass) {
    const Step step = next_step(iteration, pass);
    rows([&](int y) {
      kernels_.flood_row(s_, state_, step, y);
      if (pass == c_.propagations - 1) emit(iteration, y);
    });
  }

  // Writes row y of the current state as outputs, when this iteration is one of the last `keep`.
  void emit(int iteration, int y) {
    const int slot = iteration - (c_.iterations - c_.keep);
    if (slot < 0) return;
    const int m = c_.particles;
    const int64_t first = ((b_ * c_.keep + slot) * queries_ + int64_t(y) * c_.width) * m;
    int32_t* keys = c_.keys + first;
    float* scores = c_.scores + first;
    if (s_.query_mask) emit_masked_out(y, keys, scores);
    const Ranked* state = state_.current + int64_t(y) * c_.width * slots_;
    for (int i = row_begin_[y]; i < row_begin_[y + 1]; ++i) {
      const int64_t x = active_x_[i];
      for (int j = 0; j < m; ++j) {
        const Ranked r = state[x * slots_ + j];
        keys[x * m + j] = static_cast<int32_t>(packed_of(r));
        scores[x * m + j] = is_filler(r) ? kis::kFillerScore : static_cast<float>(score_of(r)) * score_unit_;
      }
    }
  }

  // The whole row as if it were masked out: own coordinates, scores 0.
  void emit_masked_out(int y, int32_t* keys, float* scores) {
    const int m = c_.particles, last_x = s_.key_width - 1;
    const auto row = static_cast<int32_t>(pack(std::min(y, s_.key_height - 1), 0));
    if (m == 4) {
      for (int x = 0; x < s_.width; ++x)
        for (int j = 0; j < 4; ++j) keys[x * 4 + j] = row | std::min(x, last_x);
    } else {
      for (int64_t x = 0; x < s_.width; ++x) std::fill_n(keys + x * m, m, row | smaller(static_cast<int>(x), last_x));
    }
    std::fill_n(scores, int64_t(s_.width) * m, 0.0f);
  }

  const LbSampling& c_;
  const int64_t b_;
  const Kernels& kernels_;
  const int threads_;
  const int64_t queries_, keys_;
  const int row_bytes_, slots_;
  std::vector<int32_t> row_begin_, bands_;
  std::unique_ptr<int32_t[]> active_x_;
  Scratch first_, second_, key_rows_;
  Search s_{};
  State state_{};
  float score_unit_ = 0;
};

}  // namespace

void check_attributes(const LbSampling& c) {
  require_range(c.particles, kis::kParticlesMin, kis::kParticlesMax, "particles", "must lie in 1..16");
  require(c.iterations >= 1, "windows", "must hold one entry an iteration, at least one");
  require_range(c.samples, kis::kSamplesMin, kis::kSamplesMax, "samples", "must lie in 0..64");
  require_range(c.propagations, kis::kPropagationsMin, kis::kPropagationsMax, "propagations", "must lie in 1..64");
  require_range(c.keep, kis::kKeepMin, c.iterations, "keep", "must lie in 1..number of iterations");
  require_range(c.scale, kis::kScaleMin, kis::kScaleMax, "scale", "must lie in 1e-06..1e+06");
  require_range(c.label_penalty, kis::kLabelPenaltyMin, kis::kLabelPenaltyMax, "label_penalty", "must lie in 0..1e+09");
  require(static_cast<double>(c.label_penalty) * (static_cast<double>(c.scale) * c.scale) <= kis::kMaxIntegerPenalty,
          "label_penalty", "label_penalty * scale^2 must not exceed 2^30");
  for (int i = 0; i < c.iterations; ++i)
    require_range(c.windows[i], kis::kWindowsMin, kis::kWindowsMax, "windows", "entries must lie in 0..32767");
  for (int i = c.propagations; i < c.iterations * c.propagations; ++i)
    require_range(c.strides[i], kis::kStridesMin, kis::kStridesMax, "strides", "entries must lie in 1..32767");
}

void key_index_sampling(const LbSampling& call) {
  check(call);
  for (int64_t b = 0; b < call.batch; ++b) Driver(call, b).run();
}

}  // namespace layoutbrush
