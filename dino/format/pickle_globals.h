// The names a pickle mentions. Not one of them is ever imported or called: those listed here say
// what the values around them mean, and objects of all others stay closed.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "dino/format/tensor_record.h"

namespace dino::format {

/** What a name means to the reader. */
enum class GlobalRole : std::uint8_t {
  OrderedDict,
  Tensor,              ///< storage, offset, size, stride -> a tensor
  Parameter,           ///< tensor, requires_grad, hooks -> that tensor
  ParameterWithState,  ///< the same with Python attributes
  Storage,             ///< a storage class, only as part of a persistent id
  Size,                ///< torch.Size
  Record,              ///< kept as it stands: argparse.Namespace, NumPy's scalars
  Typed,               ///< function, class, arguments: what the function makes of the arguments
  Closed,              ///< any other class or function: an object nobody needs
};

struct PickleGlobal {
  std::string_view module, name;
  std::string_view full;  ///< "module.name", under the name of today
  GlobalRole role = GlobalRole::Record;
  DType dtype = DType::F32;  ///< of a storage class
};

/** The entry of that name, or nullptr: whatever is not listed means nothing to the reader. */
const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name);

/** Why a file that mentions this name is refused; empty for the many names of harmless objects.
 * Refused are names that run programs, which no checkpoint has a use for (a courtesy: they would
 * not be run), and PyTorch's tensors of kinds that are not read (left closed, they would seem to be
 * missing). */
std::string_view refusal_of(std::string_view module, std::string_view name);

/** "FloatStorage" for F32; nothing for types that torch.save keeps in other ways. */
std::optional<std::string_view> storage_class_name(DType dtype);

}  // namespace dino::format
