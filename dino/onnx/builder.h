// Builds an ONNX graph node by node from a network's weights.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dino/onnx/graph.h"
#include "dino/weights/backbone_weights.h"

namespace dino::onnx {

/** How matrices and filters are stored. Computation is always in fp32. */
enum class Storage {
  Fp32,
  Fp16,  ///< half the size; a Cast node converts each to fp32
};

/** A range of a tensor's rows (along its first axis), with optional factors. */
struct Rows {
  std::string label = {};  ///< name of the constant; empty = the tensor's name
  std::int64_t first = 0;
  std::int64_t count = 0;  ///< 0 = all
  std::string gain = {};   ///< name of a tensor with one factor per row; empty = none
  double scale = 1;
};

/** Thread-compatible. */
class GraphBuilder {
 public:
  /** `weights` must outlive the graph, whose constants refer to it. */
  explicit GraphBuilder(const weights::Weights& weights, Storage storage = Storage::Fp32);

  const arch::Architecture& architecture() const { return weights_.network.architecture; }
  Storage storage() const { return storage_; }

  /** Sets the part of the network after which the following values are named. */
  void scope(std::string name) { scope_ = std::move(name); }

  Value input(const std::string& name, std::vector<Dimension> shape);
  /** Makes `value` an output and renames it. */
  void output(const Value& value, const std::string& name, std::vector<Dimension> shape);

  Value node(const std::string& op, std::vector<Value> inputs, Attributes attributes = {});
  std::vector<Value> node(const std::string& op, std::vector<Value> inputs, Attributes attributes,
                          std::size_t outputs);

  /** Adds a constant; equal ones are stored once. */
  Value number(float value);
  Value integer(std::int64_t value);  ///< a scalar
  Value integers(const Shape& values);
  Value floats(std::vector<float> values, Shape shape);

  /** A tensor of the network. */
  Value weight(const std::string& name);
  /** Elements of a tensor from `first` on, in row-major order, reshaped to `shape`. */
  Value part(const std::string& name, std::int64_t first, Shape shape);
  /** A range of a vector, e.g. of a bias. */
  Value vector(const std::string& name, const Rows& rows = {});
  /** A linear layer's weight [out, in] transposed for MatMul: [in, out]. */
  Value matrix(const std::string& name, const Rows& rows = {});

  /** The shape of a tensor of the network. */
  const Shape& shape_of(const std::string& name) const;

  /** Returns the graph; the builder is then empty. */
  Graph finish(std::map<std::string, std::string> metadata);

 private:
  using Filler = std::function<std::vector<float>()>;
  const format::TensorRecord& record(const std::string& name) const;
  Value constant(Value name, Shape shape, Filler filler, Storage storage);

  const weights::Weights& weights_;
  Storage storage_;
  std::map<std::string, const format::TensorRecord*> records_;
  std::string scope_;
  std::map<std::string, int> uses_;         ///< number of uses of each name
  std::map<std::string, Value> constants_;  ///< constants by content
  Graph graph_;
};

}  // namespace dino::onnx
