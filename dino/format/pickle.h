// Reads the Python pickles of torch.save into plain values. A pickle is a program that may call
// anything; this reader executes nothing, and objects of unknown classes stay opaque.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/format/pickle_globals.h"
#include "dino/format/tensor_record.h"

namespace dino::format {

enum class PickleKind : std::uint8_t {
  None,
  Bool,
  Int,
  BigInt,  ///< more than 64 bits
  Float,
  Text,
  Bytes,
  Tuple,
  List,  ///< also sets
  Dict,
  Global,   ///< a class or function, by name
  Record,   ///< a call of a Global, which is not executed
  Storage,  ///< tensor data outside the pickle
  Tensor,
};

/** One value. Pointers refer to other values of the same Pickle. Values may be shared and may form
 * cycles, so recursive code must bound its depth and the number of visited nodes. */
struct PickleValue {
  PickleKind kind = PickleKind::None;
  DType dtype = DType::F32;  ///< Storage, Tensor
  std::int64_t integer = 0;  ///< Bool, Int; Storage: its number of elements
  double number = 0;         ///< Float
  /** Text (not checked to be UTF-8), Bytes, BigInt (little-endian); Storage: its key. */
  std::string_view text;
  const PickleGlobal* global = nullptr;  ///< Global, Record
  /** Tuple, List; Dict: key, value, key, value, ...; Record: its arguments; Tensor: see tensor_of.
   */
  std::vector<const PickleValue*> items;
  PickleValue* entries = nullptr;      ///< Record of a subclass of dict: its Dict
  const PickleValue* state = nullptr;  ///< Dict, Record: its attributes, or nullptr
};

/** A strided view of a storage. It may exceed the storage: the caller must check the bounds. */
struct PickleTensor {
  const PickleValue* storage = nullptr;
  std::int64_t offset = 0;                   ///< in elements, >= 0
  std::vector<std::int64_t> shape, strides;  ///< of equal length, in elements, >= 0
};

/** The view that a value of kind Tensor describes. */
PickleTensor tensor_of(const PickleValue& value);

/** A parsed pickle. Thread-safe to read. */
class Pickle {
 public:
  /** Reads the pickle at the start of `bytes`, protocols 1 to 5; the caller keeps `bytes` alive.
   * Throws Error{Format} naming `name` and the position for a name that runs programs (see
   * refusal_of), an unknown instruction, values of the wrong type, or a pickle beyond 64 MiB, four
   * million values or 10,000 unknown names. */
  Pickle(std::span<const std::byte> bytes, std::string_view name);
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  const PickleValue& root() const { return *root_; }
  /** Every reference to a storage, in order; a storage may occur repeatedly. */
  const std::vector<const PickleValue*>& storages() const { return storages_; }
  /// Size of the pickle up to its STOP instruction
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  friend class PickleMachine;
  /** A global that is not in the table of known names. */
  struct ClosedName {
    std::string full;
    PickleGlobal global;
  };

  std::deque<PickleValue> values_;  // a deque, for stable addresses
  std::map<std::pair<std::string_view, std::string_view>, ClosedName> closed_;
  std::vector<const PickleValue*> storages_;
  const PickleValue* root_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace dino::format
