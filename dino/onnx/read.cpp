#include <charconv>
#include <cstring>
#include <limits>

#include "dino/base/error.h"
#include "dino/base/mapped_file.h"
#include "dino/base/text.h"
#include "dino/onnx/file.h"
#include "dino/onnx/proto.h"

namespace dino::onnx {
namespace {

namespace fs = std::filesystem;

format::DType from_onnx(int type, const std::string& origin) {
  if (type == ::onnx::TensorProto::FLOAT) return format::DType::F32;
  if (type == ::onnx::TensorProto::FLOAT16) return format::DType::F16;
  if (type == ::onnx::TensorProto::INT64) return format::DType::I64;
  fail(ErrorKind::Format, "[onnx] {}: a constant of type {}, which this program never writes",
       origin, type);
}

Port port_of(const ::onnx::ValueInfoProto& proto) {
  Port port{proto.name(), {}};
  for (const auto& dim : proto.type().tensor_type().shape().dim()) {
    if (dim.has_dim_value()) {
      port.shape.emplace_back(static_cast<std::int64_t>(dim.dim_value()));
    } else {
      port.shape.emplace_back(dim.dim_param());
    }
  }
  return port;
}

Attribute attribute_of(const ::onnx::AttributeProto& proto, const std::string& origin) {
  switch (proto.type()) {
    case ::onnx::AttributeProto::INT:
      return static_cast<std::int64_t>(proto.i());
    case ::onnx::AttributeProto::FLOAT:
      return proto.f();
    case ::onnx::AttributeProto::STRING:
      return proto.s();
    case ::onnx::AttributeProto::INTS:
      return Shape(proto.ints().begin(), proto.ints().end());
    default:
      fail(ErrorKind::Format, "[onnx] {}: attribute {} is of a type this program never writes",
           origin, proto.name());
  }
}

/** Where a constant's bytes are: in the model or in the data file beside it. */
class Bytes {
 public:
  Bytes(std::shared_ptr<::onnx::ModelProto> model, const fs::path& path)
      : model_(std::move(model)), folder_(path.parent_path()), origin_(printable(path)) {}

  std::function<void(std::span<std::byte>)> of(const ::onnx::TensorProto& tensor,
                                               std::int64_t size) {
    std::span<const std::byte> bytes = std::as_bytes(std::span(tensor.raw_data()));
    std::shared_ptr<const void> owner = model_;
    if (tensor.data_location() == ::onnx::TensorProto::EXTERNAL) {
      const MappedFile& file = data_file(entry(tensor, "location"));
      const std::size_t offset = number(tensor, "offset"), length = number(tensor, "length");
      if (offset > file.bytes.size() || length > file.bytes.size() - offset) refuse(tensor);
      bytes = file.bytes.subspan(offset, length);
      owner = file.owner;
    }
    if (static_cast<std::int64_t>(bytes.size()) != size) refuse(tensor);
    return [bytes, owner](std::span<std::byte> out) {
      std::memcpy(out.data(), bytes.data(), out.size());
    };
  }

 private:
  [[noreturn]] void refuse(const ::onnx::TensorProto& tensor) const {
    fail(ErrorKind::Format, "[onnx] {}: the numbers of {} are not as many as its shape says",
         origin_, tensor.name());
  }
  std::string entry(const ::onnx::TensorProto& tensor, std::string_view key) const {
    for (const auto& item : tensor.external_data())
      if (item.key() == key) return item.value();
    refuse(tensor);
  }
  std::size_t number(const ::onnx::TensorProto& tensor, std::string_view key) const {
    const std::string text = entry(tensor, key);
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse(tensor);
    return value;
  }
  const MappedFile& data_file(const std::string& name) {
    if (fs::path(name).filename() != name)
      fail(ErrorKind::Format, "[onnx] {}: its numbers are in {}, which is not beside it", origin_,
           printable(std::string_view(name)));
    const auto [found, inserted] = files_.try_emplace(name);
    if (inserted) found->second = map_file(folder_ / name);
    return found->second;
  }

  std::shared_ptr<::onnx::ModelProto> model_;
  fs::path folder_;
  std::string origin_;
  std::map<std::string, MappedFile> files_;
};

}  // namespace

std::shared_ptr<::onnx::ModelProto> parse_model(const fs::path& path) {
  const MappedFile file = map_file(path);
  auto model = std::make_shared<::onnx::ModelProto>();
  if (file.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !model->ParseFromArray(file.bytes.data(), static_cast<int>(file.bytes.size())) ||
      !model->has_graph())
    fail(ErrorKind::Format, "[onnx] {}: no ONNX file", printable(path));
  return model;
}

Graph read(const fs::path& path) {
  const std::string origin = printable(path);
  const auto model = parse_model(path);
  const ::onnx::GraphProto& proto = model->graph();
  Graph graph;
  for (const auto& property : model->metadata_props())
    graph.metadata[property.key()] = property.value();
  for (const auto& port : proto.input()) graph.inputs.push_back(port_of(port));
  for (const auto& port : proto.output()) graph.outputs.push_back(port_of(port));
  Bytes bytes(model, path);
  for (const auto& tensor : proto.initializer()) {
    Constant constant{tensor.name(),
                      from_onnx(tensor.data_type(), origin),
                      Shape(tensor.dims().begin(), tensor.dims().end()),
                      {}};
    constant.fill = bytes.of(tensor, format::byte_count(constant.dtype, constant.shape));
    graph.constants.push_back(std::move(constant));
  }
  for (const auto& item : proto.node()) {
    Node node{item.op_type(),
              {item.input().begin(), item.input().end()},
              {item.output().begin(), item.output().end()},
              {}};
    for (const auto& attribute : item.attribute())
      node.attributes.emplace(attribute.name(), attribute_of(attribute, origin));
    graph.nodes.push_back(std::move(node));
  }
  return graph;
}

}  // namespace dino::onnx
