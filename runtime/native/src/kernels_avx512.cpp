// The avx512 variant. Nothing here may instantiate a template of the standard library: its code would be compiled for
// this instruction set and could be linked into the other variants.
#include "isa_avx512.h"
#include "quantise_kernels.h"
#include "search_kernels.h"
#include "warp_kernels.h"

namespace layoutbrush {
const Kernels kAvx512 = {kName, quantise_queries, quantise_keys, start_row, scan_band, flood_row, warp_row};
}  // namespace layoutbrush
