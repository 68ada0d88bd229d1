// The few entries of ONNX Runtime's C interface that a custom-op library needs, declared by hand: no package ships the
// headers. OrtApi is a table of function pointers that only ever grows, so an entry's index is stable.
#pragma once
#include <cstddef>
#include <cstdint>

struct OrtStatus;
struct OrtValue;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtSessionOptions;
struct OrtCustomOpDomain;
struct OrtTensorTypeAndShapeInfo;

struct OrtApi {
  using Entry = void (*)();
  Entry entries[1];  // in truth some hundreds
};

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

constexpr uint32_t kOrtApiVersion = 16;  // of ONNX Runtime 1.16: the first whose kernels can return a status

// Every entry used here returns a status (null: success) but the three that release something.
enum OrtEntry {
  kCreateStatus = 0,                   // (int code, const char* message)
  kCreateCustomOpDomain = 26,          // (const char* name, OrtCustomOpDomain** out)
  kCustomOpDomainAdd = 27,             // (OrtCustomOpDomain*, const OrtCustomOp*)
  kAddCustomOpDomain = 28,             // (OrtSessionOptions*, OrtCustomOpDomain*)
  kGetTensorMutableData = 51,          // (OrtValue*, void** out)
  kGetTensorElementType = 60,          // (const OrtTensorTypeAndShapeInfo*, int* out)
  kGetDimensionsCount = 61,            // (const OrtTensorTypeAndShapeInfo*, size_t* out)
  kGetDimensions = 62,                 // (const OrtTensorTypeAndShapeInfo*, int64_t* out, size_t count)
  kGetTensorTypeAndShape = 65,         // (const OrtValue*, OrtTensorTypeAndShapeInfo** out)
  kKernelInfoGetAttributeFloat = 85,   // (const OrtKernelInfo*, const char* name, float* out)
  kKernelInfoGetAttributeInt64 = 86,   // (const OrtKernelInfo*, const char* name, int64_t* out)
  kKernelInfoGetAttributeString = 87,  // (const OrtKernelInfo*, const char* name, char* out, size_t* size)
  kKernelContextGetInputCount = 88,    // (const OrtKernelContext*, size_t* out)
  kKernelContextGetInput = 90,         // (const OrtKernelContext*, size_t index, const OrtValue** out)
  kKernelContextGetOutput = 91,        // (OrtKernelContext*, size_t index, const int64_t* dims, size_t count, OrtValue** out)
  kReleaseStatus = 93,                 // (OrtStatus*)
  kReleaseTensorTypeAndShapeInfo = 99,     // (OrtTensorTypeAndShapeInfo*)
  kKernelInfoGetAttributeArrayInt64 = 163  // (const OrtKernelInfo*, const char* name, int64_t* out, size_t* count)
};

enum OrtElementType { kOrtUndefined = 0, kOrtFloat = 1, kOrtInt32 = 6, kOrtBool = 9 };
enum OrtCharacteristic { kOrtRequired = 0, kOrtOptional = 1 };
enum OrtErrorCode { kOrtFail = 1, kOrtInvalidArgument = 2 };

struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*);
  const char* (*GetName)(const OrtCustomOp*);
  const char* (*GetExecutionProviderType)(const OrtCustomOp*);
  int (*GetInputType)(const OrtCustomOp*, size_t);
  size_t (*GetInputTypeCount)(const OrtCustomOp*);
  int (*GetOutputType)(const OrtCustomOp*, size_t);
  size_t (*GetOutputTypeCount)(const OrtCustomOp*);
  void (*KernelCompute)(void*, OrtKernelContext*);
  void (*KernelDestroy)(void*);
  int (*GetInputCharacteristic)(const OrtCustomOp*, size_t);
  int (*GetOutputCharacteristic)(const OrtCustomOp*, size_t);
  int (*GetInputMemoryType)(const OrtCustomOp*, size_t);
  int (*GetVariadicInputMinArity)(const OrtCustomOp*);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp*);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp*);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp*);
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*, void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext*);
};
