// The two ops on validated C structs; throw ArgumentError or std::bad_alloc.
#pragma once
#include "abi.h"
#include "kernels.h"

namespace layoutbrush {

void check_attributes(const LbSampling& call);  // those that do not depend on the inputs
void check(const LbSampling& call);
void check(const LbWarp& call);
// round_half_even(label_penalty * scale^2), in double precision
int32_t integer_penalty(const LbSampling& call);
void key_index_sampling(const LbSampling& call);
void sparse_attention_warp(const LbWarp& call);
void sparse_attention_warp_backward(const LbWarp& call);

// The CUDA kernels' code on the CPU, schedule "jump_flood": for tests on machines without a GPU.
void emulated_key_index_sampling(const LbSampling& call);
void emulated_sparse_attention_warp(const LbWarp& call);
void emulated_sparse_attention_warp_backward(const LbWarp& call);

// The variant of this index, or the best of this machine for -1. Throws ArgumentError("isa").
const Kernels& kernels_for(int isa);

}  // namespace layoutbrush
