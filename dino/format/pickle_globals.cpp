// The names of state dicts and of full training checkpoints. A new entry must be interpretable
// without running Python.
#include "dino/format/pickle_globals.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

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
    PickleGlobal{"torch._tensor", "_rebuild_from_type_v2", "torch._tensor._rebuild_from_type_v2",
                 Typed},
    PickleGlobal{"torch", "Size", "torch.Size", Size},
    PickleGlobal{"collections", "defaultdict", "collections.defaultdict", Record},
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

/** Modules, with all that is inside them, that start programs, load code or open connections. */
constexpr std::array<std::string_view, 17> kRunning = {
    "os",     "posix",  "nt",   "subprocess", "sys",    "importlib", "runpy",   "pty",    "shutil",
    "socket", "ctypes", "code", "pdb",        "timeit", "pickle",    "_pickle", "marshal"};
constexpr std::array<std::string_view, 2> kBuiltins = {"builtins", "__builtin__"};
constexpr std::array<std::string_view, 7> kRunningBuiltins = {
    "eval", "exec", "execfile", "compile", "open", "__import__", "input"};
/** Functions in other modules that execute their arguments. */
constexpr std::array<std::string_view, 6> kRunningFunctions = {
    "torch.load",     "torch.serialization.load",
    "torch.hub.load", "torch.jit.load",
    "numpy.load",     "numpy.testing._private.utils.runstring"};

bool is_among(std::string_view what, std::span<const std::string_view> list) {
  return std::ranges::find(list, what) != list.end();
}

}  // namespace

std::string_view refusal_of(std::string_view module, std::string_view name) {
  if (module.empty() || name.empty()) return "which is no name";
  const bool runs =
      is_among(module.substr(0, module.find('.')), kRunning) ||
      (is_among(module, kBuiltins) && is_among(name.substr(0, name.find('.')), kRunningBuiltins)) ||
      is_among(std::string(module) + "." + std::string(name), kRunningFunctions);
  if (runs) return "which runs programs; it was not run. Do not open this file with PyTorch";
  const bool tensor = (module == "torch._utils" || module == "torch._tensor" ||
                       module == "torch.storage" || module == "torch.jit._pickle") &&
                      name != "_rebuild_device_tensor_from_numpy";
  if (tensor && (name.starts_with("_rebuild") || name.starts_with("_load_from_bytes")))
    return "a tensor of a kind that is not read; save the state dict in floats, or as safetensors";
  return "";
}

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
