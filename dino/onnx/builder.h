// Grows a graph node by node from a network's weights.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dino/onnx/graph.h"
#include "dino/weights/backbone_weights.h"

namespace dino::onnx {

/** How matrices and filters are stored; the arithmetic is fp32 either way. */
enum class Storage {
  Fp32,
  Fp16,  ///< half the file; each is cast to fp32 where it is used
};

/** A stretch of a tensor's rows (of its first axis), and what they are multiplied by. */
struct Rows {
  std::string label = {};  ///< name of the constant; empty: the tensor's
  std::int64_t first = 0;
  std::int64_t count = 0;  ///< 0 = all
  std::string gain = {};   ///< tensor with one factor for each row; empty: none
  double scale = 1;
};

class GraphBuilder {
 public:
  /** The tensors of `weights` must outlive the graph. */
  explicit GraphBuilder(const weights::Weights& weights, Storage storage = Storage::Fp32);

  const arch::Architecture& architecture() const { return weights_.network.architecture; }
  Storage storage() const { return storage_; }

  /** Values made from here on are named after this part of the network. */
  void scope(std::string name) { scope_ = std::move(name); }

  Value input(const std::string& name, std::vector<Dimension> shape);
  /** The value gets that name; its old one is gone. */
  void output(const Value& value, const std::string& name, std::vector<Dimension> shape);

  Value node(const std::string& op, std::vector<Value> inputs, Attributes attributes = {});
  std::vector<Value> node(const std::string& op, std::vector<Value> inputs, Attributes attributes,
                          std::size_t outputs);

  /** Constants; equal ones are stored once. */
  Value number(float value);
  Value integer(std::int64_t value);  ///< no dimensions
  Value integers(const Shape& values);
  Value floats(std::vector<float> values, Shape shape);

  /** A tensor of the network as it is. */
  Value weight(const std::string& name);
  /** Elements of it from `first` on, in row-major order, in that shape. */
  Value part(const std::string& name, std::int64_t first, Shape shape);
  /** Rows of a vector, e.g. a bias. */
  Value vector(const std::string& name, const Rows& rows = {});
  /** A linear layer's weight [out, in] as what MatMul takes: [in, out]. */
  Value matrix(const std::string& name, const Rows& rows = {});

  /** The shape of a tensor of the network. */
  const Shape& shape_of(const std::string& name) const;

  /** Hands the graph over. */
  Graph finish(std::map<std::string, std::string> metadata);

 private:
  using Filler = std::function<std::vector<float>()>;
  const format::TensorRecord& record(const std::string& name) const;
  Value constant(Value name, Shape shape, Filler filler, Storage storage);

  const weights::Weights& weights_;
  Storage storage_;
  std::map<std::string, const format::TensorRecord*> records_;
  std::string scope_;
  std::map<std::string, int> uses_;         ///< of each name so far
  std::map<std::string, Value> constants_;  ///< by content
  Graph graph_;
};

}  // namespace dino::onnx
