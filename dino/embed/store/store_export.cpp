#include "dino/embed/store/store_export.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "dino/base/error.h"
#include "dino/base/file.h"
#include "dino/base/json.h"
#include "dino/base/text.h"
#include "dino/format/npy.h"

namespace dino::embed {
namespace {

using Sink = std::function<void(std::span<const std::byte>)>;

void put(const Sink& sink, std::string_view text) {
  sink(std::as_bytes(std::span(text.data(), text.size())));
}

bool is_vector(Feature feature) {
  return feature == Feature::Cls || feature == Feature::Mean;
}

void check(const FeatureStore& store, ExportFormat format, const std::vector<Feature>& features) {
  if (features.empty()) fail(ErrorKind::Usage, "[export] no feature is named");
  for (const Feature feature : features)
    if (!store.has(feature))
      fail(ErrorKind::Usage, "[export] the store holds no {}", name_of(feature));
  const bool vectors = std::ranges::all_of(features, is_vector);
  if (format == ExportFormat::Csv && !vectors)
    fail(ErrorKind::Usage, "[export] CSV takes cls and mean; use npy or jsonl for the others");
  if (format == ExportFormat::Npy && !vectors && features.size() > 1)
    fail(ErrorKind::Usage,
         "[export] in NPY, registers and patches are an array of their own; name one feature");
}

// ---- NPY ----

std::vector<std::int64_t> array_shape(const FeatureStore& store,
                                      const std::vector<Feature>& features) {
  const std::int64_t dim = store.header().dim, images = store.size();
  if (is_vector(features.front())) return {images, dim * std::ssize(features)};
  if (features.front() == Feature::Registers) return {images, store.header().registers, dim};
  std::int64_t patches = 0;
  bool equal = images > 0;
  for (const StoreRow& row : store.rows()) {
    patches += row.patches();
    equal = equal && row.grid_height == store.rows().front().grid_height &&
            row.grid_width == store.rows().front().grid_width;
  }
  if (equal) return {images, patches / images, dim};
  return {patches, dim};
}

void write_array(const FeatureStore& store, const std::vector<Feature>& features,
                 const Sink& sink) {
  put(sink, format::npy_header(store.header().dtype, array_shape(store, features)));
  for (std::int64_t row = 0; row < store.size(); ++row)
    for (const Feature feature : features) sink(store.raw(feature, row));
}

// ---- text ----

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

std::string class_of(const FeatureStore& store, const StoreRow& row) {
  return row.label < 0 ? "" : store.class_names().at(static_cast<std::size_t>(row.label));
}

void write_csv(const FeatureStore& store, const std::vector<Feature>& features, const Sink& sink) {
  std::string heading = "path,label,class";
  for (const Feature feature : features)
    for (std::int64_t i = 0; i < store.header().dim; ++i)
      heading += fmt::format(",{}{}", name_of(feature), i);
  put(sink, heading + "\n");
  for (std::int64_t number = 0; number < store.size(); ++number) {
    const StoreRow& row = store.rows()[static_cast<std::size_t>(number)];
    const std::string label = row.label < 0 ? "" : std::to_string(row.label);
    std::string line = fmt::format("{},{},{}", csv_field(printable(std::string_view(row.path))),
                                   label, csv_field(class_of(store, row)));
    for (const Feature feature : features)
      for (const float value : store.values(feature, number)) line += fmt::format(",{}", value);
    put(sink, line + "\n");
  }
}

/** Separated by commas; JSON has no word for infinity and NaN but null. */
std::string json_numbers(std::span<const float> values) {
  std::string text;
  for (const float value : values) {
    if (!text.empty()) text += ",";
    text += std::isfinite(value) ? fmt::format("{}", value) : "null";
  }
  return text;
}

void write_jsonl(const FeatureStore& store, const std::vector<Feature>& features,
                 const Sink& sink) {
  for (std::int64_t number = 0; number < store.size(); ++number) {
    const StoreRow& row = store.rows()[static_cast<std::size_t>(number)];
    nlohmann::json about = {{"path", printable(std::string_view(row.path))}};
    if (row.label >= 0) about.update({{"label", row.label}, {"class", class_of(store, row)}});
    std::string line = dump_json(about);
    line.pop_back();
    // Not through the JSON library: it would write floats as the doubles they become.
    for (const Feature feature : features) {
      line += fmt::format(",\"{}\":[", name_of(feature));
      const std::vector<float> values = store.values(feature, number);
      const std::int64_t vectors = store.vectors(feature, number);
      const auto dim = static_cast<std::size_t>(store.header().dim);
      for (std::int64_t v = 0; v < vectors; ++v) {
        const auto vector = std::span(values).subspan(static_cast<std::size_t>(v) * dim, dim);
        line += v > 0 ? "," : "";
        line +=
            is_vector(feature) ? json_numbers(vector) : fmt::format("[{}]", json_numbers(vector));
      }
      line += "]";
    }
    put(sink, line + "}\n");
  }
}

}  // namespace

void export_store(const FeatureStore& store, ExportFormat format,
                  const std::vector<Feature>& features, const std::filesystem::path& file) {
  check(store, format, features);
  write_file_atomically(file, [&](const Sink& sink) {
    switch (format) {
      case ExportFormat::Npy:
        return write_array(store, features, sink);
      case ExportFormat::Csv:
        return write_csv(store, features, sink);
      case ExportFormat::Jsonl:
        return write_jsonl(store, features, sink);
    }
  });
}

}  // namespace dino::embed
