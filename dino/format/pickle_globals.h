// The table of classes and functions that pickles refer to. None of them is ever imported or
// called; the listed ones tell how to interpret their arguments, and objects of all others stay
// opaque.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "dino/format/tensor_record.h"

namespace dino::format {

/** How the reader interprets a global. */
enum class GlobalRole : std::uint8_t {
  OrderedDict,
  Tensor,              ///< storage, offset, size, stride -> a tensor
  Parameter,           ///< tensor, requires_grad, hooks -> that tensor
  ParameterWithState,  ///< a Parameter with Python attributes
  Storage,             ///< a storage class; valid only in a persistent id
  Size,                ///< torch.Size
  Record,              ///< kept as a Record: argparse.Namespace, NumPy's scalars
  Typed,               ///< (function, class, arguments): the result of the function
  Closed,              ///< any other class or function; its objects are opaque
};

struct PickleGlobal {
  std::string_view module, name;
  std::string_view full;  ///< "module.name", in its current spelling
  GlobalRole role = GlobalRole::Record;
  DType dtype = DType::F32;  ///< element type of a storage class
};

/** The entry of that name, or nullptr if it is not in the table. */
const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name);

/** Why a file that refers to this name is refused; empty for harmless names. Refused are functions
 * that run programs, which checkpoints never need (they would not be executed; the error warns the
 * user), and PyTorch's tensor types that cannot be read, whose tensors would otherwise be missing
 * silently. */
std::string_view refusal_of(std::string_view module, std::string_view name);

/** The storage class of a type, "FloatStorage" for F32; nothing if torch.save has none. */
std::optional<std::string_view> storage_class_name(DType dtype);

}  // namespace dino::format
