// Generated from the contract files by layoutbrush.runtime.ops.header; not edited by hand.
#pragma once
#include <cstdint>

namespace layoutbrush::contract {

struct PortInfo {
  const char* name;
  const char* type;
  bool optional;
};

constexpr char kDomain[] = "layoutbrush";
constexpr int kMixShift0 = 16;
constexpr uint32_t kMixMultiplier0 = 0x21f0aaadu;
constexpr int kMixShift1 = 15;
constexpr uint32_t kMixMultiplier1 = 0x735a2d97u;
constexpr int kMixLastShift = 15;
constexpr uint32_t kSeedSalt = 0x3c6ef372u;
constexpr uint32_t kIterationSalt = 0x1b873593u;

namespace key_index_sampling {
constexpr char kName[] = "KeyIndexSampling";
constexpr int kVersion = 1;
constexpr int kMaxSide = 32767;
constexpr int kMaxChannels = 128;
constexpr int kMaxInit = 64;
constexpr int kMaxIntegerPenalty = 1073741824;
constexpr float kFillerScore = -10000.0f;
constexpr float kValidAbove = -9999.0f;
enum Input { kInputQuery, kInputKey, kInputQueryLabels, kInputKeyLabels, kInputQueryMask, kInputKeyMask, kInputInit, kInputSeed, kInputCount };
constexpr PortInfo kInputs[] = {
    {"query", "float32", false},
    {"key", "float32", false},
    {"query_labels", "int32", false},
    {"key_labels", "int32", false},
    {"query_mask", "bool", true},
    {"key_mask", "bool", true},
    {"init", "int32", true},
    {"seed", "int32", true},
};
enum Output { kOutputKeys, kOutputScores, kOutputCount };
constexpr PortInfo kOutputs[] = {
    {"keys", "int32", false},
    {"scores", "float32", false},
};
constexpr int64_t kParticlesMin = 1, kParticlesMax = 16;
constexpr int64_t kWindowsMin = 0, kWindowsMax = 32767;
constexpr int64_t kSamplesMin = 0, kSamplesMax = 64;
constexpr int64_t kStridesMin = 1, kStridesMax = 32767;
constexpr int64_t kPropagationsMin = 1, kPropagationsMax = 64;
constexpr int64_t kPropagationsDefault = 1;
constexpr double kLabelPenaltyMin = 0.0, kLabelPenaltyMax = 1000000000.0;
constexpr double kScaleMin = 1e-06, kScaleMax = 1000000.0;
constexpr int64_t kIgnoreLabelMin = -2147483648, kIgnoreLabelMax = 2147483647;
constexpr int64_t kIgnoreLabelDefault = 255;
constexpr int64_t kKeepMin = 1, kKeepMax = 4096;
constexpr int64_t kKeepDefault = 1;
constexpr char kScheduleDefault[] = "fast";
}  // namespace key_index_sampling

namespace sparse_attention_warp {
constexpr char kName[] = "SparseAttentionWarp";
constexpr int kVersion = 1;
constexpr int kMaxSide = 32767;
constexpr int kMaxChannels = 4096;
constexpr float kFillerScore = -10000.0f;
constexpr float kValidAbove = -9999.0f;
enum Input { kInputValues, kInputKeys, kInputScores, kInputQueryMask, kInputCount };
constexpr PortInfo kInputs[] = {
    {"values", "float32", false},
    {"keys", "int32", false},
    {"scores", "float32", false},
    {"query_mask", "bool", true},
};
enum Output { kOutputWarped, kOutputCount };
constexpr PortInfo kOutputs[] = {
    {"warped", "float32", false},
};
constexpr double kGammaMin = 1e-06, kGammaMax = 1000000.0;
constexpr int64_t kReachMin = 0, kReachMax = 16;
constexpr int64_t kReachDefault = 0;
}  // namespace sparse_attention_warp

}  // namespace layoutbrush::contract
