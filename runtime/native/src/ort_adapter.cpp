// The custom-op library of ONNX Runtime: nodes of domain "layoutbrush" run the same kernels as the C interface.
// Kernels take their threads from LAYOUTBRUSH_NUM_THREADS, else all cores. Every refusal comes back as a status.
#include <cstring>
#include <string>
#include <vector>

#include "errors.h"
#include "ops.h"
#include "ort_abi.h"

namespace layoutbrush {
namespace {

// A status of ONNX Runtime on its way through C++.
struct Failure {
  OrtStatus* status;
};

class Ort {
 public:
  explicit Ort(const OrtApi* api) : api_(api) {}

  template <class... Args>
  OrtStatus* call(OrtEntry entry, Args... args) const {
    return reinterpret_cast<OrtStatus* (*)(Args...)>(api_->entries[entry])(args...);
  }
  template <class... Args>
  void check(OrtEntry entry, Args... args) const {
    if (OrtStatus* status = call(entry, args...)) throw Failure{status};
  }
  // Whether the entry succeeded; a failure's status is dropped.
  template <class... Args>
  bool succeeds(OrtEntry entry, Args... args) const {
    OrtStatus* status = call(entry, args...);
    if (status) release(kReleaseStatus, status);
    return !status;
  }
  template <class T>
  void release(OrtEntry entry, T* object) const {
    reinterpret_cast<void (*)(T*)>(api_->entries[entry])(object);
  }
  OrtStatus* status(int code, const char* message) const { return call<int, const char*>(kCreateStatus, code, message); }

 private:
  const OrtApi* api_;
};

// Runs body; whatever it throws becomes a status.
template <class F>
OrtStatus* guarded(const Ort& ort, const char* op, const F& body) {
  try {
    body();
    return nullptr;
  } catch (const Failure& failure) {
    return failure.status;
  } catch (const ArgumentError& error) {
    return ort.status(kOrtInvalidArgument, (std::string(op) + ": " + error.what()).c_str());
  } catch (const std::exception& error) {
    return ort.status(kOrtFail, (std::string(op) + ": " + error.what()).c_str());
  }
}

class Attributes {
 public:
  Attributes(const Ort& ort, const OrtKernelInfo* info) : ort_(ort), info_(info) {}

  int32_t integer(const char* name, const int64_t* fallback = nullptr) const {
    int64_t value = 0;
    if (!ort_.succeeds(kKernelInfoGetAttributeInt64, info_, name, &value)) {
      require(fallback != nullptr, name, "is missing");
      value = *fallback;
    }
    require(value >= INT32_MIN && value <= INT32_MAX, name, "does not fit 32 bits");
    return static_cast<int32_t>(value);
  }

  float number(const char* name) const {
    float value = 0;
    require(ort_.succeeds(kKernelInfoGetAttributeFloat, info_, name, &value), name, "is missing");
    return value;
  }

  std::vector<int32_t> integers(const char* name) const {
    size_t count = 0;
    ort_.succeeds(kKernelInfoGetAttributeArrayInt64, info_, name, static_cast<int64_t*>(nullptr), &count);
    std::vector<int64_t> wide(count);
    require(count && ort_.succeeds(kKernelInfoGetAttributeArrayInt64, info_, name, wide.data(), &count), name, "is missing");
    std::vector<int32_t> values;
    for (int64_t value : wide) {
      require(value >= INT32_MIN && value <= INT32_MAX, name, "does not fit 32 bits");
      values.push_back(static_cast<int32_t>(value));
    }
    return values;
  }

  std::string text(const char* name, const char* fallback) const {
    size_t size = 0;  // with the closing zero
    ort_.succeeds(kKernelInfoGetAttributeString, info_, name, static_cast<char*>(nullptr), &size);
    std::string value(size, '\0');
    if (!size || !ort_.succeeds(kKernelInfoGetAttributeString, info_, name, &value[0], &size)) return fallback;
    value.resize(std::strlen(value.c_str()));
    return value;
  }

 private:
  const Ort& ort_;
  const OrtKernelInfo* info_;
};

struct Tensor {
  void* data = nullptr;  // null where an optional input is absent
  std::vector<int64_t> shape;

  template <class T>
  T* as() const { return static_cast<T*>(data); }
};

class Context {
 public:
  Context(const Ort& ort, OrtKernelContext* context) : ort_(ort), context_(context) {
    ort_.check(kKernelContextGetInputCount, static_cast<const OrtKernelContext*>(context_), &count_);
  }

  Tensor input(size_t index, const contract::PortInfo& port, size_t rank) const {
    const OrtValue* value = nullptr;
    if (index < count_) ort_.check(kKernelContextGetInput, static_cast<const OrtKernelContext*>(context_), index, &value);
    if (!value) {
      require(port.optional, port.name, "is missing");
      return {};
    }
    Tensor tensor;
    OrtTensorTypeAndShapeInfo* info = nullptr;
    ort_.check(kGetTensorTypeAndShape, value, &info);
    size_t count = 0;
    const bool known = ort_.succeeds(kGetDimensionsCount, static_cast<const OrtTensorTypeAndShapeInfo*>(info), &count);
    tensor.shape.resize(count);
    const bool read = known && ort_.succeeds(kGetDimensions, static_cast<const OrtTensorTypeAndShapeInfo*>(info),
                                             tensor.shape.data(), count);
    ort_.release(kReleaseTensorTypeAndShapeInfo, info);
    require(read && count == rank, port.name, "has another number of dimensions");
    ort_.check(kGetTensorMutableData, const_cast<OrtValue*>(value), &tensor.data);
    return tensor;
  }

  template <class T>
  T* output(size_t index, const std::vector<int64_t>& shape) const {
    OrtValue* value = nullptr;
    ort_.check(kKernelContextGetOutput, context_, index, shape.data(), shape.size(), &value);
    void* data = nullptr;
    ort_.check(kGetTensorMutableData, value, &data);
    return static_cast<T*>(data);
  }

 private:
  const Ort& ort_;
  OrtKernelContext* context_;
  size_t count_ = 0;
};

void require_shape(const Tensor& tensor, const contract::PortInfo& port, const std::vector<int64_t>& shape) {
  require(!tensor.data || tensor.shape == shape, port.name, "has a shape that does not fit the other inputs");
}

struct SamplingOp {
  static constexpr const char* kName = kis::kName;
  static constexpr size_t kInputs = kis::kInputCount, kOutputs = kis::kOutputCount;
  static const contract::PortInfo* inputs() { return kis::kInputs; }
  static const contract::PortInfo* outputs() { return kis::kOutputs; }

  LbSampling call{};
  std::vector<int32_t> windows, strides;

  explicit SamplingOp(const Attributes& attributes) {
    windows = attributes.integers("windows");
    strides = attributes.integers("strides");
    call.particles = attributes.integer("particles");
    call.samples = attributes.integer("samples");
    call.propagations = attributes.integer("propagations", &kis::kPropagationsDefault);
    call.label_penalty = attributes.number("label_penalty");
    call.scale = attributes.number("scale");
    call.ignore_label = attributes.integer("ignore_label", &kis::kIgnoreLabelDefault);
    call.keep = attributes.integer("keep", &kis::kKeepDefault);
    const std::string schedule = attributes.text("schedule", kis::kScheduleDefault);
    require(schedule == "fast" || schedule == "jump_flood", "schedule", "must be jump_flood or fast");
    require_range(call.propagations, kis::kPropagationsMin, kis::kPropagationsMax, "propagations", "must lie in 1..64");
    require(strides.size() == windows.size() * call.propagations, "strides", "must hold iterations x propagations entries");
    call.fast = schedule == "fast";
    call.iterations = static_cast<int32_t>(windows.size());
    call.isa = -1;
    call.windows = windows.data();
    call.strides = strides.data();
    check_attributes(call);
  }

  void compute(const Context& context) const {
    LbSampling c = call;
    const Tensor query = context.input(kis::kInputQuery, kis::kInputs[kis::kInputQuery], 4);
    const Tensor key = context.input(kis::kInputKey, kis::kInputs[kis::kInputKey], 4);
    c.batch = query.shape[0], c.height = query.shape[1], c.width = query.shape[2], c.channels = query.shape[3];
    c.key_height = key.shape[1], c.key_width = key.shape[2];
    const std::vector<int64_t> grid = {c.batch, c.height, c.width}, key_grid = {c.batch, c.key_height, c.key_width};
    require_shape(key, kis::kInputs[kis::kInputKey], {c.batch, c.key_height, c.key_width, c.channels});
    c.query = query.as<float>();
    c.key = key.as<float>();
    c.query_labels = shaped(context, kis::kInputQueryLabels, grid).as<int32_t>();
    c.key_labels = shaped(context, kis::kInputKeyLabels, key_grid).as<int32_t>();
    c.query_mask = shaped(context, kis::kInputQueryMask, grid).as<uint8_t>();
    c.key_mask = shaped(context, kis::kInputKeyMask, key_grid).as<uint8_t>();
    const Tensor init = context.input(kis::kInputInit, kis::kInputs[kis::kInputInit], 4);
    c.init = init.as<int32_t>();
    c.init_count = c.init ? init.shape[3] : 0;
    require_shape(init, kis::kInputs[kis::kInputInit], {c.batch, c.height, c.width, c.init_count});
    const Tensor seed = context.input(kis::kInputSeed, kis::kInputs[kis::kInputSeed], 1);
    require_shape(seed, kis::kInputs[kis::kInputSeed], {1});
    c.seed = seed.data ? *seed.as<int32_t>() : 0;
    c.windows = windows.data();  // not call's: this object may have moved since
    c.strides = strides.data();
    const std::vector<int64_t> shape = {c.batch, c.keep, c.height, c.width, c.particles};
    c.keys = context.output<int32_t>(kis::kOutputKeys, shape);
    c.scores = context.output<float>(kis::kOutputScores, shape);
    key_index_sampling(c);
  }

  static Tensor shaped(const Context& context, kis::Input index, const std::vector<int64_t>& shape) {
    const Tensor tensor = context.input(index, kis::kInputs[index], shape.size());
    require_shape(tensor, kis::kInputs[index], shape);
    return tensor;
  }
};

struct WarpOp {
  static constexpr const char* kName = saw::kName;
  static constexpr size_t kInputs = saw::kInputCount, kOutputs = saw::kOutputCount;
  static const contract::PortInfo* inputs() { return saw::kInputs; }
  static const contract::PortInfo* outputs() { return saw::kOutputs; }

  LbWarp call{};

  explicit WarpOp(const Attributes& attributes) {
    call.gamma = attributes.number("gamma");
    call.reach = attributes.integer("reach", &saw::kReachDefault);
    call.isa = -1;
  }

  void compute(const Context& context) const {
    LbWarp c = call;
    const Tensor values = context.input(saw::kInputValues, saw::kInputs[saw::kInputValues], 4);
    const Tensor keys = context.input(saw::kInputKeys, saw::kInputs[saw::kInputKeys], 5);
    const Tensor scores = context.input(saw::kInputScores, saw::kInputs[saw::kInputScores], 5);
    const Tensor mask = context.input(saw::kInputQueryMask, saw::kInputs[saw::kInputQueryMask], 3);
    c.batch = keys.shape[0], c.iterations = keys.shape[1], c.height = keys.shape[2], c.width = keys.shape[3];
    c.particles = keys.shape[4];
    c.key_height = values.shape[1], c.key_width = values.shape[2], c.channels = values.shape[3];
    require(values.shape[0] == c.batch, "values", "has another batch than keys");
    require_shape(scores, saw::kInputs[saw::kInputScores], keys.shape);
    require_shape(mask, saw::kInputs[saw::kInputQueryMask], {c.batch, c.height, c.width});
    c.values = values.as<float>();
    c.keys = keys.as<int32_t>();
    c.scores = scores.as<float>();
    c.query_mask = mask.as<uint8_t>();
    c.warped = context.output<float>(saw::kOutputWarped, {c.batch, c.height, c.width, c.channels});
    sparse_attention_warp(c);
  }
};

int element_type(const contract::PortInfo& port) {
  if (std::strcmp(port.type, "float32") == 0) return kOrtFloat;
  return std::strcmp(port.type, "int32") == 0 ? kOrtInt32 : kOrtBool;
}

int characteristic(const contract::PortInfo& port) { return port.optional ? kOrtOptional : kOrtRequired; }

template <class Op>
struct Kernel {
  Ort ort;
  Op op;
};

template <class Op>
OrtCustomOp described() {
  OrtCustomOp op{};
  op.version = kOrtApiVersion;
  op.GetName = [](const OrtCustomOp*) { return Op::kName; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };  // the CPU
  op.GetInputType = [](const OrtCustomOp*, size_t i) { return element_type(Op::inputs()[i]); };
  op.GetInputTypeCount = [](const OrtCustomOp*) { return Op::kInputs; };
  op.GetOutputType = [](const OrtCustomOp*, size_t i) { return element_type(Op::outputs()[i]); };
  op.GetOutputTypeCount = [](const OrtCustomOp*) { return Op::kOutputs; };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Kernel<Op>*>(kernel); };
  op.GetInputCharacteristic = [](const OrtCustomOp*, size_t i) { return characteristic(Op::inputs()[i]); };
  op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t) -> int { return kOrtRequired; };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return 0; };
  const auto none = [](const OrtCustomOp*) { return 0; };
  op.GetVariadicInputMinArity = op.GetVariadicInputHomogeneity = none;
  op.GetVariadicOutputMinArity = op.GetVariadicOutputHomogeneity = none;
  op.CreateKernelV2 = [](const OrtCustomOp*, const OrtApi* api, const OrtKernelInfo* info, void** kernel) {
    const Ort ort(api);
    return guarded(ort, Op::kName, [&] { *kernel = new Kernel<Op>{ort, Op(Attributes(ort, info))}; });
  };
  op.KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
    const auto* self = static_cast<const Kernel<Op>*>(kernel);
    return guarded(self->ort, Op::kName, [&] { self->op.compute(Context(self->ort, context)); });
  };
  return op;
}

const OrtCustomOp kSampling = described<SamplingOp>();
const OrtCustomOp kWarp = described<WarpOp>();

}  // namespace
}  // namespace layoutbrush

// What ONNX Runtime calls after session_options.register_custom_ops_library(path).
extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(OrtSessionOptions* options,
                                                                                const OrtApiBase* base) {
  using namespace layoutbrush;
  const OrtApi* api = base->GetApi(kOrtApiVersion);
  if (!api) {  // older than 1.16: its oldest table can still say so
    api = base->GetApi(1);
    return api ? Ort(api).status(kOrtFail, "layoutbrush needs ONNX Runtime 1.16 or later") : nullptr;
  }
  const Ort ort(api);
  return guarded(ort, "layoutbrush", [&] {
    OrtCustomOpDomain* domain = nullptr;  // lives as long as the process: sessions keep pointers into it
    ort.check(kCreateCustomOpDomain, static_cast<const char*>(contract::kDomain), &domain);
    ort.check(kCustomOpDomainAdd, domain, &kSampling);
    ort.check(kCustomOpDomainAdd, domain, &kWarp);
    ort.check(kAddCustomOpDomain, options, domain);
  });
}
