// An ONNX computation graph as plain data, independent of protobuf and Torch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dino/format/tensor_record.h"

namespace dino::onnx {

inline constexpr int kOpset = 17;  ///< operator set; the newest that Debian 12's libonnx supports

/** The name of a value: an input, a constant or a node's output. */
using Value = std::string;
using Shape = std::vector<std::int64_t>;
using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>;
using Attributes = std::map<std::string, Attribute>;

struct Node {
  std::string op;
  std::vector<Value> inputs, outputs;
  Attributes attributes;
};

/** A constant tensor. Its values are computed when they are written, so that a large network is
 * never in memory twice. */
struct Constant {
  Value name;
  format::DType dtype = format::DType::F32;  ///< F32, F16, I64
  Shape shape;
  /** Writes exactly byte_count(dtype, shape) bytes, row-major, little-endian. */
  std::function<void(std::span<std::byte>)> fill;
};

/** A fixed size, or the name of one that is known only when the graph runs. */
using Dimension = std::variant<std::int64_t, std::string>;

/** An input or output of the graph, of fp32. */
struct Port {
  Value name;
  std::vector<Dimension> shape;  ///< shape
};

struct Graph {
  std::vector<Port> inputs, outputs;
  std::vector<Constant> constants;
  std::vector<Node> nodes;  ///< in topological order
  std::map<std::string, std::string> metadata;
};

/** The size of all constants as stored, bytes. */
std::int64_t constant_bytes(const Graph& graph);

}  // namespace dino::onnx
