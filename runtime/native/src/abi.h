// The C interface that the Python binding calls through ctypes (library.py mirrors these structs field by field).
#pragma once
#include <cstdint>

extern "C" {

// Bumped whenever a struct or a function below changes; the binding refuses any other value.
enum { LAYOUTBRUSH_ABI = 2 };

struct LbSampling {
  // inputs, channels last; optional ones may be null
  const float* query;           // (B, H, W, C)
  const float* key;             // (B, Hk, Wk, C)
  const int32_t* query_labels;  // (B, H, W)
  const int32_t* key_labels;    // (B, Hk, Wk)
  const uint8_t* query_mask;    // (B, H, W) or null
  const uint8_t* key_mask;      // (B, Hk, Wk) or null
  const int32_t* init;          // (B, H, W, L) packed, or null
  // outputs
  int32_t* keys;   // (B, keep, H, W, M) packed
  float* scores;   // (B, keep, H, W, M)
  // sizes
  int64_t batch, height, width, key_height, key_width, channels, init_count;
  // attributes
  const int32_t* windows;  // iterations
  const int32_t* strides;  // iterations * propagations
  int32_t iterations, particles, samples, propagations, keep, ignore_label, seed;
  int32_t fast;  // 0: jump_flood, 1: fast
  float label_penalty, scale;
  int32_t threads;  // 0: LAYOUTBRUSH_NUM_THREADS or the number of cores
  int32_t isa;      // -1: best of this machine, else an index of lb_isa_name
};

struct LbWarp {
  const float* values;        // (B, Hk, Wk, V)
  const int32_t* keys;        // (B, N, H, W, M) packed
  const float* scores;        // (B, N, H, W, M)
  const uint8_t* query_mask;  // (B, H, W) or null
  float* warped;              // (B, H, W, V); forward only
  const float* grad;          // (B, H, W, V); backward only
  float* grad_values;         // (B, Hk, Wk, V); backward only
  float* grad_scores;         // (B, N, H, W, M); backward only
  int64_t batch, height, width, key_height, key_width, channels, iterations, particles;
  int32_t reach;
  float gamma;
  int32_t threads;
  int32_t isa;
};

// Each returns 0, or 1 with "argument: reason" written into error.
int lb_key_index_sampling(const LbSampling* call, char* error, uint64_t error_size);
int lb_sparse_attention_warp(const LbWarp* call, char* error, uint64_t error_size);
int lb_sparse_attention_warp_backward(const LbWarp* call, char* error, uint64_t error_size);

// The same, by the code of the CUDA kernels on one thread of the CPU; `fast`, `threads` and `isa` are ignored.
int lb_emulated_key_index_sampling(const LbSampling* call, char* error, uint64_t error_size);
int lb_emulated_sparse_attention_warp(const LbWarp* call, char* error, uint64_t error_size);
int lb_emulated_sparse_attention_warp_backward(const LbWarp* call, char* error, uint64_t error_size);

int lb_abi(void);
int lb_isa_count(void);                // variants compiled in
const char* lb_isa_name(int index);    // "portable", "avx2", "avx512"
int lb_isa_supported(int index);       // does this machine run it
int lb_isa_best(void);

}  // extern "C"
