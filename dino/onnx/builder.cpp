#include "dino/onnx/builder.h"

#include <algorithm>
#include <cstring>

#include "dino/base/error.h"
#include "dino/format/floats.h"

namespace dino::onnx {

std::int64_t constant_bytes(const Graph& graph) {
  std::int64_t total = 0;
  for (const Constant& constant : graph.constants)
    total += format::byte_count(constant.dtype, constant.shape);
  return total;
}

GraphBuilder::GraphBuilder(const weights::Weights& weights, Storage storage)
    : weights_(weights), storage_(storage) {
  for (const auto& tensor : weights.tensors) records_.emplace(tensor.name, &tensor);
}

Value GraphBuilder::input(const std::string& name, std::vector<Dimension> shape) {
  graph_.inputs.push_back({name, std::move(shape)});
  return name;
}

void GraphBuilder::output(const Value& value, const std::string& name,
                          std::vector<Dimension> shape) {
  for (Node& made : graph_.nodes) {
    std::ranges::replace(made.inputs, value, name);
    std::ranges::replace(made.outputs, value, name);
  }
  graph_.outputs.push_back({name, std::move(shape)});
}

Value GraphBuilder::node(const std::string& op, std::vector<Value> inputs, Attributes attributes) {
  return node(op, std::move(inputs), std::move(attributes), 1)[0];
}

std::vector<Value> GraphBuilder::node(const std::string& op, std::vector<Value> inputs,
                                      Attributes attributes, std::size_t outputs) {
  Node made{op, std::move(inputs), {}, std::move(attributes)};
  for (std::size_t i = 0; i < outputs; ++i) {
    const std::string base = scope_ + "/" + op;
    const int use = uses_[base]++;
    made.outputs.push_back(use == 0 ? base : fmt::format("{}_{}", base, use));
  }
  graph_.nodes.push_back(made);
  return made.outputs;
}

Value GraphBuilder::number(float value) {
  return floats({value}, {});
}

Value GraphBuilder::floats(std::vector<float> values, Shape shape) {
  DINO_ASSERT(format::element_count(shape) == static_cast<std::int64_t>(values.size()));
  std::string key = fmt::format("float[{}]", fmt::join(shape, ","));
  key.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  Value& known = constants_[key];
  if (known.empty())
    known = constant(
        fmt::format("float_{}", constants_.size()), std::move(shape),
        [values = std::move(values)] { return values; }, Storage::Fp32);
  return known;
}

Value GraphBuilder::integer(std::int64_t value) {
  Value& known = constants_[fmt::format("int {}", value)];
  if (known.empty()) {
    known = fmt::format("int_{}", constants_.size());
    graph_.constants.push_back({known, format::DType::I64, {}, [value](std::span<std::byte> out) {
                                  std::memcpy(out.data(), &value, sizeof value);
                                }});
  }
  return known;
}

Value GraphBuilder::integers(const Shape& values) {
  Value& known = constants_[fmt::format("ints {}", fmt::join(values, ","))];
  if (known.empty()) {
    known = fmt::format("ints_{}", constants_.size());
    graph_.constants.push_back({known,
                                format::DType::I64,
                                {static_cast<std::int64_t>(values.size())},
                                [values](std::span<std::byte> out) {
                                  std::memcpy(out.data(), values.data(), out.size());
                                }});
  }
  return known;
}

const format::TensorRecord& GraphBuilder::record(const std::string& name) const {
  const auto found = records_.find(name);
  if (found == records_.end())
    fail(ErrorKind::Internal, "[onnx] the weights have no tensor called {}", name);
  return *found->second;
}

const Shape& GraphBuilder::shape_of(const std::string& name) const {
  return record(name).shape;
}

Value GraphBuilder::constant(Value name, Shape shape, Filler filler, Storage storage) {
  if (storage == Storage::Fp32) {
    graph_.constants.push_back({name, format::DType::F32, std::move(shape),
                                [filler = std::move(filler)](std::span<std::byte> out) {
                                  const std::vector<float> values = filler();
                                  DINO_ASSERT(values.size() * sizeof(float) == out.size());
                                  std::memcpy(out.data(), values.data(), out.size());
                                }});
    return name;
  }
  graph_.constants.push_back({name + ".fp16", format::DType::F16, std::move(shape),
                              [filler = std::move(filler)](std::span<std::byte> out) {
                                const std::vector<std::uint16_t> halves =
                                    format::to_halves(filler());
                                DINO_ASSERT(halves.size() * sizeof(std::uint16_t) == out.size());
                                std::memcpy(out.data(), halves.data(), out.size());
                              }});
  graph_.nodes.push_back({"Cast", {name + ".fp16"}, {name}, {{"to", std::int64_t{1}}}});
  return name;
}

Value GraphBuilder::weight(const std::string& name) {
  const format::TensorRecord& tensor = record(name);
  Value& known = constants_["weight " + name];
  if (known.empty())
    known = constant(
        name, tensor.shape, [&tensor] { return format::to_floats(tensor); },
        tensor.shape.size() >= 4 ? storage_ : Storage::Fp32);
  return known;
}

Value GraphBuilder::part(const std::string& name, std::int64_t first, Shape shape) {
  const format::TensorRecord& tensor = record(name);
  const std::int64_t count = format::element_count(shape);
  DINO_ASSERT(first + count <= format::element_count(tensor.shape));
  return constant(
      fmt::format("{}.from_{}", name, first), std::move(shape),
      [&tensor, first, count] {
        const std::vector<float> all = format::to_floats(tensor);
        return std::vector<float>(all.begin() + first, all.begin() + first + count);
      },
      Storage::Fp32);
}

namespace {

/** The rows as they are stored, [count, rest], multiplied. */
std::vector<float> take_rows(const format::TensorRecord& tensor, const Rows& rows,
                             const format::TensorRecord* gain) {
  std::vector<float> values = format::to_floats(tensor);
  const std::int64_t width = static_cast<std::int64_t>(values.size()) / tensor.shape[0];
  const std::int64_t count = rows.count > 0 ? rows.count : tensor.shape[0];
  values.erase(values.begin(), values.begin() + rows.first * width);
  values.resize(static_cast<std::size_t>(count * width));
  const std::vector<float> gains =
      gain == nullptr ? std::vector<float>() : format::to_floats(*gain);
  for (std::int64_t r = 0; r < count; ++r) {
    const double factor =
        rows.scale *
        (gain == nullptr ? 1.0 : static_cast<double>(gains[static_cast<std::size_t>(r)]));
    if (factor == 1.0) continue;
    for (std::int64_t i = r * width; i < (r + 1) * width; ++i) {
      float& value = values[static_cast<std::size_t>(i)];
      value = static_cast<float>(value * factor);
    }
  }
  return values;
}

std::vector<float> transposed(const std::vector<float>& values, std::int64_t rows,
                              std::int64_t columns) {
  constexpr std::int64_t kTile = 32;  // keeps both sides in the cache
  std::vector<float> out(values.size());
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (std::int64_t c0 = 0; c0 < columns; c0 += kTile)
      for (std::int64_t r = r0; r < std::min(rows, r0 + kTile); ++r)
        for (std::int64_t c = c0; c < std::min(columns, c0 + kTile); ++c)
          out[static_cast<std::size_t>(c * rows + r)] =
              values[static_cast<std::size_t>(r * columns + c)];
  return out;
}

}  // namespace

Value GraphBuilder::vector(const std::string& name, const Rows& rows) {
  const format::TensorRecord& tensor = record(name);
  const auto* gain = rows.gain.empty() ? nullptr : &record(rows.gain);
  return constant(
      rows.label.empty() ? name : rows.label, {rows.count > 0 ? rows.count : tensor.shape[0]},
      [&tensor, rows, gain] { return take_rows(tensor, rows, gain); }, Storage::Fp32);
}

Value GraphBuilder::matrix(const std::string& name, const Rows& rows) {
  const format::TensorRecord& tensor = record(name);
  const auto* gain = rows.gain.empty() ? nullptr : &record(rows.gain);
  const std::int64_t out = rows.count > 0 ? rows.count : tensor.shape[0];
  const std::int64_t in = format::element_count(tensor.shape) / tensor.shape[0];
  return constant(
      rows.label.empty() ? name : rows.label, {in, out},
      [&tensor, rows, gain, in, out] { return transposed(take_rows(tensor, rows, gain), out, in); },
      storage_);
}

Graph GraphBuilder::finish(std::map<std::string, std::string> metadata) {
  graph_.metadata = std::move(metadata);
  return std::move(graph_);
}

}  // namespace dino::onnx
