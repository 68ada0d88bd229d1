// The two ops on validated C structs; throw ArgumentError or std::bad_alloc.
#pragma once
#include "abi.h"
#include "kernels.h"

namespace layoutbrush {

void check_attributes(const LbSampling& call);  // those that do not depend on the inputs
void key_index_sampling(const LbSampling& call);
void sparse_attention_warp(const LbWarp& call);
void sparse_attention_warp_backward(const LbWarp& call);

// The variant of this index, or the best of this machine for -1. Throws ArgumentError("isa").
const Kernels& kernels_for(int isa);

}  // namespace layoutbrush
