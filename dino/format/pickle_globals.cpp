// The allow-list of state dicts and of full training checkpoints. Leaves out everything else on
// purpose: a new entry must stay meaningless without running Python.
#include "dino/format/pickle_globals.h"

#include <array>

namespace dino::format {
namespace {

using enum GlobalRole;

constexpr std::array kGlobals = {
    PickleGlobal{"collections", "OrderedDict", "collections.OrderedDict", OrderedDict},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", "torch._utils._rebuild_tensor_v2", Tensor},
    PickleGlobal{"torch._utils", "_rebuild_parameter", "torch._utils._rebuild_parameter",
                 Parameter},
    PickleGlobal{"torch._utils", "_rebuild_parameter_with_state",
                 "torch._utils._rebuild_parameter_with_state", ParameterWithState},
    PickleGlobal{"torch", "FloatStorage", "torch.FloatStorage", Storage, DType::F32},
    PickleGlobal{"torch", "DoubleStorage", "torch.DoubleStorage", Storage, DType::F64},
    PickleGlobal{"torch", "HalfStorage", "torch.HalfStorage", Storage, DType::F16},
    PickleGlobal{"torch", "BFloat16Storage", "torch.BFloat16Storage", Storage, DType::BF16},
    PickleGlobal{"torch", "IntStorage", "torch.IntStorage", Storage, DType::I32},
    PickleGlobal{"torch", "LongStorage", "torch.LongStorage", Storage, DType::I64},
    PickleGlobal{"torch", "ShortStorage", "torch.ShortStorage", Storage, DType::I16},
    PickleGlobal{"torch", "CharStorage", "torch.CharStorage", Storage, DType::I8},
    PickleGlobal{"torch", "ByteStorage", "torch.ByteStorage", Storage, DType::U8},
    PickleGlobal{"torch", "BoolStorage", "torch.BoolStorage", Storage, DType::Bool},
    PickleGlobal{"torch", "Size", "torch.Size", Size},
    PickleGlobal{"argparse", "Namespace", "argparse.Namespace", Record},
    // NumPy 1 and NumPy 2; the encode is how protocol 2 spells the bytes of a scalar.
    PickleGlobal{"numpy.core.multiarray", "scalar", "numpy.scalar", Record},
    PickleGlobal{"numpy._core.multiarray", "scalar", "numpy.scalar", Record},
    PickleGlobal{"numpy.core.multiarray", "_reconstruct", "numpy.ndarray", Record},
    PickleGlobal{"numpy._core.multiarray", "_reconstruct", "numpy.ndarray", Record},
    PickleGlobal{"numpy", "ndarray", "numpy.ndarray", Record},
    PickleGlobal{"numpy", "dtype", "numpy.dtype", Record},
    PickleGlobal{"_codecs", "encode", "codecs.encode", Record},
};

}  // namespace

const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name) {
  for (const PickleGlobal& entry : kGlobals) {
    if (entry.module == module && entry.name == name) return &entry;
  }
  return nullptr;
}

std::optional<std::string_view> storage_class_name(DType dtype) {
  for (const PickleGlobal& entry : kGlobals) {
    if (entry.role == GlobalRole::Storage && entry.dtype == dtype) return entry.name;
  }
  return std::nullopt;
}

}  // namespace dino::format
