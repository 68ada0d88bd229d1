// What an instruction-set variant offers. kernels_<isa>.cpp fills one table each; dispatch.cpp picks one at run time.
#pragma once
#include <cstdint>

#include "common.h"

namespace layoutbrush {

// One batch element's search. Feature rows are padded to row_bytes; queries are stored compactly, active ones only.
struct Search {
  int height, width, key_height, key_width;
  int particles, samples, init_count, keep, iterations;
  int row_bytes;
  int32_t penalty;          // integer label penalty
  float score_unit;         // float score = integer score * score_unit
  int ignore_label;
  const int8_t* queries;    // (active, row_bytes)
  const uint8_t* keys;      // (Hk * Wk, row_bytes), biased as the variant wants
  const int32_t* query_correction;  // (active): what the biased dot product is too large by, negated
  const uint8_t* codes;     // (Hk * Wk) label code of each key; 0: may not be copied
  const int32_t* wide_codes;  // used in place of codes when labels do not fit a byte; wide_masked: may not be copied
  int32_t wide_masked;
  int label_low;            // byte code of a label = label - label_low + 1; labels outside: 255
  const int32_t* query_labels;      // (H, W)
  const uint8_t* query_mask;        // (H, W) or null
  const int32_t* row_begin;         // (H + 1): first active query of a row
  const int32_t* active_x;          // (active): their x
  const int32_t* init;              // (H, W, L) or null
  uint32_t seed;
};

struct State {  // particles of every query, best first
  const Ranked* previous;  // (H, W, slots_for(particles))
  Ranked* current;         // likewise
};

struct Step {
  int iteration, pass, window, stride;
  bool forward;  // scan direction (fast)
};

// Rows of a warp over one batch element.
struct WarpRows {
  int height, width, key_height, key_width, channels, padded_channels, iterations, particles, reach;
  float gamma;
  const float* values;        // (Hk, Wk, padded_channels)
  const int32_t* keys;        // (N, H, W, M)
  const float* scores;        // (N, H, W, M)
  const uint8_t* query_mask;  // (H, W) or null
  float* warped;              // (H, W, V)
};

struct Kernels {
  const char* name;
  void (*quantise_queries)(const float* source, int rows, int channels, int row_bytes, float scale, int8_t* rows_out,
                           int32_t* corrections);
  void (*quantise_keys)(const float* source, int64_t rows, int channels, int row_bytes, float scale, uint8_t* rows_out);
  void (*start_row)(const Search&, Ranked* current, int y);
  void (*scan_band)(const Search&, const State&, const Step&, int y_begin, int y_end);
  void (*flood_row)(const Search&, const State&, const Step&, int y);
  void (*warp_row)(const WarpRows&, int y, float* scratch);  // scratch: (padded_channels)
};

extern const Kernels kPortable;
#if defined(__x86_64__)
extern const Kernels kAvx2;
extern const Kernels kAvx512;
#endif

}  // namespace layoutbrush
