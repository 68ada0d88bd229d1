#include "carry.h"
#include "errors.h"
#include "ops.h"

#include <cstdlib>
#include <cstring>

namespace layoutbrush {
namespace {

const Kernels* const kVariants[] = {
    &kPortable,
#if defined(__x86_64__)
    &kAvx2,
    &kAvx512,
#endif
};
constexpr int kCount = sizeof(kVariants) / sizeof(kVariants[0]);

bool supported(int index) {
  if (index < 0 || index >= kCount) return false;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (index == 1) return avx2;
  if (index == 2)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vnni");
#endif
  return true;
}

// The environment LAYOUTBRUSH_ISA (a variant's name) stands in for "best", where this machine runs it.
int best() {
  int index = kCount - 1;
  while (!supported(index)) --index;
  if (const char* wanted = std::getenv("LAYOUTBRUSH_ISA"))
    for (int i = 0; i < kCount; ++i)
      if (std::strcmp(kVariants[i]->name, wanted) == 0 && supported(i)) index = i;
  return index;
}

template <class Call>
int guarded(void (*op)(const Call&), const Call* call, char* error, uint64_t error_size) {
  const char* text = "out of memory";
  try {
    op(*call);
    return 0;
  } catch (const std::exception& problem) {
    if (!dynamic_cast<const std::bad_alloc*>(&problem)) text = problem.what();
    if (error && error_size) {
      std::strncpy(error, text, error_size - 1);
      error[error_size - 1] = '\0';
    }
    return 1;
  }
}

}  // namespace

const Kernels& kernels_for(int isa) {
  if (isa < 0) isa = best();
  require(supported(isa), "isa", "this machine does not run it");
  return *kVariants[isa];
}

}  // namespace layoutbrush

using namespace layoutbrush;

#define LB_EXPORT extern "C" __attribute__((visibility("default")))

LB_EXPORT int lb_key_index_sampling(const LbSampling* call, char* error, uint64_t error_size) {
  return guarded(key_index_sampling, call, error, error_size);
}
LB_EXPORT int lb_sparse_attention_warp(const LbWarp* call, char* error, uint64_t error_size) {
  return guarded(sparse_attention_warp, call, error, error_size);
}
LB_EXPORT int lb_sparse_attention_warp_backward(const LbWarp* call, char* error, uint64_t error_size) {
  return guarded(sparse_attention_warp_backward, call, error, error_size);
}
LB_EXPORT int lb_emulated_key_index_sampling(const LbSampling* call, char* error, uint64_t error_size) {
  return guarded(emulated_key_index_sampling, call, error, error_size);
}
LB_EXPORT int lb_emulated_sparse_attention_warp(const LbWarp* call, char* error, uint64_t error_size) {
  return guarded(emulated_sparse_attention_warp, call, error, error_size);
}
LB_EXPORT int lb_emulated_sparse_attention_warp_backward(const LbWarp* call, char* error, uint64_t error_size) {
  return guarded(emulated_sparse_attention_warp_backward, call, error, error_size);
}
LB_EXPORT int lb_coherent(const LbCoherence* call, char* error, uint64_t error_size) {
  return guarded(coherent, call, error, error_size);
}
LB_EXPORT int lb_settle(const LbBand* call, char* error, uint64_t error_size) {
  return guarded(settle, call, error, error_size);
}
LB_EXPORT int lb_paint(const LbBand* call, char* error, uint64_t error_size) {
  return guarded(paint, call, error, error_size);
}
LB_EXPORT int lb_abi(void) { return LAYOUTBRUSH_ABI; }
LB_EXPORT int lb_isa_count(void) { return kCount; }
LB_EXPORT const char* lb_isa_name(int index) { return index >= 0 && index < kCount ? kVariants[index]->name : ""; }
LB_EXPORT int lb_isa_supported(int index) { return supported(index); }
LB_EXPORT int lb_isa_best(void) { return best(); }
