// One shared pool of threads. The caller always works too, so a call finishes even if no worker ever wakes
// (after a fork there are none).
#pragma once
#include <cstdint>

namespace layoutbrush {

using Task = void (*)(void* context, int64_t index);

// Runs task(context, 0..count-1) on at most `threads` threads, in no order; returns when all are done.
void parallel_for(int64_t count, int threads, Task task, void* context);

// 0 -> environment LAYOUTBRUSH_NUM_THREADS, else the number of cores.
int resolve_threads(int requested);

template <class F>
void parallel_for(int64_t count, int threads, const F& body) {
  parallel_for(count, threads,
               [](void* context, int64_t index) { (*static_cast<const F*>(context))(index); },
               const_cast<F*>(&body));
}

}  // namespace layoutbrush
