// What a Python pickle of torch.save describes, as plain values. A pickle is a program that may
// call anything; this reader runs nothing. Objects of classes it does not know stay closed.
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
  List,  ///< sets too
  Dict,
  Global,   ///< a name by itself
  Record,   ///< a name applied to arguments; stays inert
  Storage,  ///< bytes of tensors, held outside the pickle
  Tensor,
};

/** One value. Pointers lead to other values of the same Pickle, which may be shared and may form
 * cycles: whoever walks them must count. */
struct PickleValue {
  PickleKind kind = PickleKind::None;
  DType dtype = DType::F32;  ///< Storage, Tensor
  std::int64_t integer = 0;  ///< Bool, Int; Storage: its number of elements
  double number = 0;         ///< Float
  /** Text (UTF-8 unless the file lies), Bytes, BigInt (little-endian), Storage: its key. */
  std::string_view text;
  const PickleGlobal* global = nullptr;  ///< Global, Record
  /** Tuple, List; Dict: key, value, key, value, ...; Record: its arguments; Tensor: see tensor_of.
   */
  std::vector<const PickleValue*> items;
  PickleValue* entries = nullptr;      ///< Record of a class that is a dict too: that Dict
  const PickleValue* state = nullptr;  ///< Dict, Record: the attributes given to it, or nullptr
};

/** A view of a storage. Whether it stays within the storage is for the storage's owner to check. */
struct PickleTensor {
  const PickleValue* storage = nullptr;
  std::int64_t offset = 0;                   ///< in elements, >= 0
  std::vector<std::int64_t> shape, strides;  ///< of equal length, in elements, >= 0
};

/** Takes a value of kind Tensor apart. */
PickleTensor tensor_of(const PickleValue& value);

/** A parsed pickle. Thread-safe to read. */
class Pickle {
 public:
  /** Reads the one pickle that `bytes` begins with, protocols 1 to 5; the caller keeps `bytes`
   * alive. Throws Error{Format} that names `name` and the place: for a name that runs programs (see
   * refusal_of), an unknown instruction, values that do not fit their use, or a pickle beyond 64
   * MiB, four million values or 10,000 unknown names. */
  Pickle(std::span<const std::byte> bytes, std::string_view name);
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  const PickleValue& root() const { return *root_; }
  /** Every storage mentioned, in order, repeated where it is mentioned again. */
  const std::vector<const PickleValue*>& storages() const { return storages_; }
  std::size_t size_bytes() const { return size_bytes_; }  ///< to the final STOP

 private:
  friend class PickleMachine;
  /** A name that no list knows. */
  struct ClosedName {
    std::string full;
    PickleGlobal global;
  };

  std::deque<PickleValue> values_;  // whose addresses never change
  std::map<std::pair<std::string_view, std::string_view>, ClosedName> closed_;
  std::vector<const PickleValue*> storages_;
  const PickleValue* root_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace dino::format
