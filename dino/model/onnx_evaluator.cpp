#include "dino/model/onnx_evaluator.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>

#include <algorithm>
#include <unordered_map>

#include "dino/base/error.h"

namespace dino::model {
namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

/** A node with the tensors it takes. */
struct Call {
  const onnx::Node& node;
  Tensors x;

  template <typename T>
  T attribute(const std::string& name) const {
    const auto found = node.attributes.find(name);
    if (found == node.attributes.end())
      fail(ErrorKind::Internal, "[onnx] {} {} has no attribute {}", node.op, node.outputs[0], name);
    return std::get<T>(found->second);
  }
  std::int64_t integer(const std::string& name) const { return attribute<std::int64_t>(name); }
  double real(const std::string& name) const { return attribute<float>(name); }
  onnx::Shape integers(const std::string& name) const { return attribute<onnx::Shape>(name); }
  /** Input i as numbers of the graph's own arithmetic. */
  onnx::Shape list(std::size_t i) const {
    const Tensor flat = x[i].to(torch::kInt64).contiguous().view(-1);
    return {flat.const_data_ptr<std::int64_t>(),
            flat.const_data_ptr<std::int64_t>() + flat.numel()};
  }
};

using Operator = Tensors (*)(const Call&);

Tensors reshape(const Call& c) {
  onnx::Shape shape = c.list(1);
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == 0) shape[i] = c.x[0].size(static_cast<std::int64_t>(i));  // 0: as it was
  return {c.x[0].reshape(shape)};
}

Tensors unsqueeze(const Call& c) {
  onnx::Shape axes = c.list(1);
  std::ranges::sort(axes);
  Tensor y = c.x[0];
  for (const std::int64_t axis : axes) y = y.unsqueeze(axis);
  return {y};
}

Tensors convolve(const Call& c) {
  const onnx::Shape pads = c.integers("pads");
  DINO_ASSERT(pads.size() == 4 && pads[0] == pads[2] && pads[1] == pads[3]);
  return {at::conv2d(c.x[0], c.x[1], c.x.size() > 2 ? c.x[2] : Tensor(), c.integers("strides"),
                     {pads[0], pads[1]}, {1, 1}, c.integer("group"))};
}

Tensors max_pool(const Call& c) {
  const onnx::Shape pads = c.integers("pads");
  return {at::max_pool2d(c.x[0], c.integers("kernel_shape"), c.integers("strides"),
                         {pads[0], pads[1]})};
}

Tensors layer_norm(const Call& c) {
  DINO_ASSERT(c.integer("axis") == -1);
  return {at::layer_norm(c.x[0], {c.x[0].size(-1)}, c.x[1], c.x[2], c.real("epsilon"))};
}

Tensors batch_norm(const Call& c) {
  return {at::batch_norm(c.x[0], c.x[1], c.x[2], c.x[3], c.x[4], /*training=*/false, 0,
                         c.real("epsilon"), /*cudnn_enabled=*/true)};
}

Tensors cast(const Call& c) {
  DINO_ASSERT(c.integer("to") == 1);
  return {c.x[0].to(torch::kFloat32)};
}

Tensors range(const Call& c) {
  return {torch::arange(c.list(0)[0], c.list(1)[0], c.list(2)[0], torch::kInt64)};
}

Tensors slice(const Call& c) {
  DINO_ASSERT(c.x.size() == 4 && c.x[1].numel() == 1);
  return {c.x[0].slice(c.list(3)[0], c.list(1)[0], c.list(2)[0])};
}

Tensors gather(const Call& c) {
  DINO_ASSERT(c.x[1].dim() == 0);
  return {c.x[0].select(c.integer("axis"), c.list(1)[0])};
}

Tensors expand(const Call& c) {
  return {c.x[0].expand(at::infer_size(c.x[0].sizes(), c.list(1)))};
}

Operator find_operator(const onnx::Node& node) {
  static const std::unordered_map<std::string, Operator> operators = {
      {"Cast", cast},
      {"Add", [](const Call& c) { return Tensors{c.x[0] + c.x[1]}; }},
      {"Sub", [](const Call& c) { return Tensors{c.x[0] - c.x[1]}; }},
      {"Mul", [](const Call& c) { return Tensors{c.x[0] * c.x[1]}; }},
      {"Div", [](const Call& c) { return Tensors{c.x[0] / c.x[1]}; }},
      {"Min", [](const Call& c) { return Tensors{at::minimum(c.x[0], c.x[1])}; }},
      {"Max", [](const Call& c) { return Tensors{at::maximum(c.x[0], c.x[1])}; }},
      {"Abs", [](const Call& c) { return Tensors{c.x[0].abs()}; }},
      {"Neg", [](const Call& c) { return Tensors{-c.x[0]}; }},
      {"Erf", [](const Call& c) { return Tensors{c.x[0].erf()}; }},
      {"Sin", [](const Call& c) { return Tensors{c.x[0].sin()}; }},
      {"Cos", [](const Call& c) { return Tensors{c.x[0].cos()}; }},
      {"Relu", [](const Call& c) { return Tensors{c.x[0].relu()}; }},
      {"Sigmoid", [](const Call& c) { return Tensors{c.x[0].sigmoid()}; }},
      {"Softmax", [](const Call& c) { return Tensors{c.x[0].softmax(c.integer("axis"))}; }},
      {"MatMul", [](const Call& c) { return Tensors{at::matmul(c.x[0], c.x[1])}; }},
      {"Less", [](const Call& c) { return Tensors{c.x[0] < c.x[1]}; }},
      {"Equal", [](const Call& c) { return Tensors{c.x[0] == c.x[1]}; }},
      {"And", [](const Call& c) { return Tensors{at::logical_and(c.x[0], c.x[1])}; }},
      {"Where", [](const Call& c) { return Tensors{at::where(c.x[0], c.x[1], c.x[2])}; }},
      {"Shape", [](const Call& c) { return Tensors{torch::tensor(c.x[0].sizes().vec())}; }},
      {"Transpose", [](const Call& c) { return Tensors{c.x[0].permute(c.integers("perm"))}; }},
      {"Concat", [](const Call& c) { return Tensors{torch::cat(c.x, c.integer("axis"))}; }},
      {"Split",
       [](const Call& c) {
         return c.x[0].chunk(static_cast<std::int64_t>(c.node.outputs.size()), c.integer("axis"));
       }},
      {"ReduceMean",
       [](const Call& c) {
         return Tensors{c.x[0].mean(c.integers("axes"), c.integer("keepdims") != 0)};
       }},
      {"ReduceL2",
       [](const Call& c) {
         return Tensors{c.x[0].norm(2, c.integers("axes"), c.integer("keepdims") != 0)};
       }},
      {"ReduceSum", [](const Call& c) { return Tensors{c.x[0].sum(c.list(1), true)}; }},
      {"Reshape", reshape},
      {"Unsqueeze", unsqueeze},
      {"Expand", expand},
      {"Gather", gather},
      {"Slice", slice},
      {"Range", range},
      {"Conv", convolve},
      {"MaxPool", max_pool},
      {"LayerNormalization", layer_norm},
      {"BatchNormalization", batch_norm},
  };
  const auto found = operators.find(node.op);
  if (found == operators.end())
    fail(ErrorKind::Internal, "[onnx] {}: the evaluator has no operator {}", node.outputs[0],
         node.op);
  return found->second;
}

Tensor tensor_of(const onnx::Constant& constant) {
  const torch::Dtype type = constant.dtype == format::DType::I64   ? torch::kInt64
                            : constant.dtype == format::DType::F16 ? torch::kFloat16
                                                                   : torch::kFloat32;
  Tensor tensor = torch::empty(constant.shape, type);
  constant.fill({static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()});
  return tensor;
}

}  // namespace

std::map<std::string, Tensor> evaluate(const onnx::Graph& graph,
                                       const std::map<std::string, Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  std::unordered_map<std::string, const onnx::Constant*> constants;
  for (const auto& constant : graph.constants) constants.emplace(constant.name, &constant);
  std::unordered_map<std::string, int> uses;  // that are still to come
  for (const auto& node : graph.nodes)
    for (const auto& value : node.inputs) ++uses[value];
  for (const auto& port : graph.outputs) ++uses[port.name];

  std::unordered_map<std::string, Tensor> values(inputs.begin(), inputs.end());
  for (const auto& node : graph.nodes) {
    Call call{node, {}};
    for (const auto& name : node.inputs) {
      const auto value = values.find(name);
      const auto constant = constants.find(name);
      if (value == values.end() && constant == constants.end())
        fail(ErrorKind::Internal, "[onnx] {} takes {}, which nothing gives", node.outputs[0], name);
      call.x.push_back(value != values.end() ? value->second : tensor_of(*constant->second));
      if (--uses[name] == 0) values.erase(name);
    }
    const Tensors results = find_operator(node)(call);
    DINO_ASSERT(results.size() == node.outputs.size());
    for (std::size_t i = 0; i < results.size(); ++i) values[node.outputs[i]] = results[i];
  }
  std::map<std::string, Tensor> outputs;
  for (const auto& port : graph.outputs) outputs[port.name] = values.at(port.name);
  return outputs;
}

}  // namespace dino::model
