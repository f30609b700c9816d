#include "dino/onnx/file.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>
#include <unistd.h>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/text.h"
#include "dino/onnx/proto.h"

namespace dino::onnx {
namespace {

namespace fs = std::filesystem;
using Sink = std::function<void(std::span<const std::byte>)>;

constexpr int kIrVersion = 8;                   // of ONNX 1.12, as kOpset
constexpr std::int64_t kPageBytes = 4096;       // constants in the data file can be mapped
constexpr std::int64_t kSmallBytes = 64 << 10;  // these stay in the model

int to_onnx(format::DType dtype) {
  switch (dtype) {
    case format::DType::F32:
      return ::onnx::TensorProto::FLOAT;
    case format::DType::F16:
      return ::onnx::TensorProto::FLOAT16;
    case format::DType::I64:
      return ::onnx::TensorProto::INT64;
    default:
      fail(ErrorKind::Internal, "[onnx] no constants of type {}", format::dtype_name(dtype));
  }
}

/** Protobuf's output into one of our files, in pieces. */
class SinkStream : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit SinkStream(const Sink& sink) : sink_(sink) {}
  bool Write(const void* data, int size) override {
    sink_({static_cast<const std::byte*>(data), static_cast<std::size_t>(size)});
    return true;
  }

 private:
  const Sink& sink_;
};

void add_port(::onnx::ValueInfoProto& proto, const Port& port) {
  proto.set_name(port.name);
  auto* tensor = proto.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(::onnx::TensorProto::FLOAT);
  for (const Dimension& dimension : port.shape) {
    auto* dim = tensor->mutable_shape()->add_dim();
    if (const auto* size = std::get_if<std::int64_t>(&dimension)) {
      dim->set_dim_value(*size);
    } else {
      dim->set_dim_param(std::get<std::string>(dimension));
    }
  }
}

void add_attribute(::onnx::NodeProto& node, const std::string& name, const Attribute& value) {
  auto* proto = node.add_attribute();
  proto->set_name(name);
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    proto->set_type(::onnx::AttributeProto::INT);
    proto->set_i(*number);
  } else if (const auto* real = std::get_if<float>(&value)) {
    proto->set_type(::onnx::AttributeProto::FLOAT);
    proto->set_f(*real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    proto->set_type(::onnx::AttributeProto::STRING);
    proto->set_s(*text);
  } else {
    proto->set_type(::onnx::AttributeProto::INTS);
    for (const std::int64_t item : std::get<Shape>(value)) proto->add_ints(item);
  }
}

std::size_t bytes_of(const Constant& constant) {
  return static_cast<std::size_t>(format::byte_count(constant.dtype, constant.shape));
}

/** The model without its constants. */
::onnx::ModelProto frame_of(const Graph& graph) {
  ::onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("dino.cpp");
  model.add_opset_import()->set_version(kOpset);
  for (const auto& [key, value] : graph.metadata) {
    auto* property = model.add_metadata_props();
    property->set_key(key);
    property->set_value(value);
  }
  ::onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name("dino");
  for (const Port& port : graph.inputs) add_port(*proto.add_input(), port);
  for (const Port& port : graph.outputs) add_port(*proto.add_output(), port);
  for (const Node& node : graph.nodes) {
    auto* item = proto.add_node();
    item->set_op_type(node.op);
    item->set_name(node.outputs[0]);
    for (const Value& value : node.inputs) item->add_input(value);
    for (const Value& value : node.outputs) item->add_output(value);
    for (const auto& [name, value] : node.attributes) add_attribute(*item, name, value);
  }
  return model;
}

/** The constant without its numbers. */
::onnx::TensorProto& add_constant(::onnx::ModelProto& model, const Constant& constant) {
  ::onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(constant.name);
  tensor.set_data_type(to_onnx(constant.dtype));
  for (const std::int64_t size : constant.shape) tensor.add_dims(size);
  return tensor;
}

void fill_inline(::onnx::TensorProto& tensor, const Constant& constant) {
  std::string* raw = tensor.mutable_raw_data();
  raw->resize(bytes_of(constant));
  constant.fill(std::as_writable_bytes(std::span(*raw)));
}

void point_to(::onnx::TensorProto& tensor, const std::string& file, std::int64_t offset,
              std::size_t length) {
  tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  const auto entry = [&](const char* key, const std::string& value) {
    auto* item = tensor.add_external_data();
    item->set_key(key);
    item->set_value(value);
  };
  entry("location", file);
  entry("offset", std::to_string(offset));
  entry("length", std::to_string(length));
}

/** Writes the large constants one by one to `data`; the model points into it. */
void write_data_file(const fs::path& data, ::onnx::ModelProto& model, const Graph& graph) {
  write_file_atomically(data, [&](const Sink& sink) {
    std::int64_t at = 0;
    std::vector<std::byte> bytes;
    for (const Constant& constant : graph.constants) {
      ::onnx::TensorProto& tensor = add_constant(model, constant);
      const std::size_t size = bytes_of(constant);
      if (size < static_cast<std::size_t>(kSmallBytes)) {
        fill_inline(tensor, constant);
        continue;
      }
      point_to(tensor, data.filename(), at, size);
      const std::int64_t pages = (static_cast<std::int64_t>(size) + kPageBytes - 1) / kPageBytes;
      bytes.assign(static_cast<std::size_t>(pages * kPageBytes), std::byte{0});
      constant.fill(std::span(bytes).first(size));
      sink(bytes);
      at += pages * kPageBytes;
    }
  });
}

void write_model_file(const fs::path& path, const ::onnx::ModelProto& model) {
  write_file_atomically(path, [&](const Sink& sink) {
    SinkStream stream(sink);
    google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream);
    if (!model.SerializeToZeroCopyStream(&adaptor) || !adaptor.Flush())
      fail(ErrorKind::Internal, "[onnx] {}: cannot be put into protobuf's form", printable(path));
  });
}

/** Validates the file with libonnx. */
void check_file(const fs::path& path) {
  try {
    ::onnx::checker::check_model(path.string());
    const auto model = parse_model(path);
    ::onnx::shape_inference::InferShapes(
        *model, ::onnx::OpSchemaRegistry::Instance(),
        ::onnx::ShapeInferenceOptions(/*check_type_val=*/true, /*strict_mode_val=*/1,
                                      /*data_prop_val=*/true));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(ErrorKind::Internal, "[onnx] libonnx refuses the graph: {}", error.what());
  }
}

/** A temporary folder beside the target; the destructor removes it. */
class Staging {
 public:
  explicit Staging(const fs::path& target)
      : folder_(target.parent_path() /
                fmt::format(".{}-{}.tmp", target.filename().string(), ::getpid())) {
    std::error_code error;
    fs::create_directory(folder_, error);
    if (error)
      fail(ErrorKind::Io, "[onnx] cannot make folder {}: {}", printable(folder_), error.message());
  }
  Staging(const Staging&) = delete;
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path operator/(const fs::path& name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) fail(ErrorKind::Io, "[onnx] cannot write {}: {}", printable(to), error.message());
}

}  // namespace

void write(const fs::path& path, const Graph& graph, const std::function<void(const Graph&)>& check,
           const WriteOptions& options) {
  const Staging staging(path);
  const fs::path name = path.filename(), data_name = name.string() + ".data";
  const bool external = constant_bytes(graph) > options.inline_bytes;
  {
    ::onnx::ModelProto model = frame_of(graph);
    if (external) {
      write_data_file(staging / data_name, model, graph);
    } else {
      for (const Constant& constant : graph.constants)
        fill_inline(add_constant(model, constant), constant);
    }
    write_model_file(staging / name, model);
  }
  check_file(staging / name);
  check(read(staging / name));
  if (external) move_file(staging / data_name, path.parent_path() / data_name);
  move_file(staging / name, path);
}

}  // namespace dino::onnx
