// The routines that carry a correspondence to full size, on C structs; throw ArgumentError or std::bad_alloc.
#pragma once
#include "carry_abi.h"

namespace layoutbrush {

void coherent(const LbCoherence& call);
void settle(const LbBand& call);
void paint(const LbBand& call);

}  // namespace layoutbrush
