#include "dino/capi.h"

#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "dino/dino.h"

struct dino_model {
  dino::FeatureExtractor extractor;
  std::string description, computed;
};

namespace {

thread_local std::string last_error;

int status_of(dino::ErrorKind kind) {
  switch (kind) {
    case dino::ErrorKind::Usage:
      return DINO_USAGE;
    case dino::ErrorKind::Config:
      return DINO_CONFIG;
    case dino::ErrorKind::Data:
      return DINO_DATA;
    case dino::ErrorKind::Format:
      return DINO_FORMAT;
    case dino::ErrorKind::Io:
      return DINO_IO;
    case dino::ErrorKind::Internal:
      break;
  }
  return DINO_INTERNAL;
}

/** Runs `body` and converts exceptions to a dino_status. */
template <typename Body>
int guarded(const Body& body) {
  last_error.clear();
  try {
    body();
    return DINO_OK;
  } catch (const dino::Error& error) {
    last_error = error.what();
    return status_of(error.kind());
  } catch (const std::bad_alloc&) {
    last_error = "[memory] out of memory; try smaller images or a smaller batch";
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "[internal] an error of unknown kind";
  }
  return DINO_INTERNAL;
}

void require(bool condition, const char* what) {
  if (!condition) dino::fail(dino::ErrorKind::Usage, "[capi] {}", what);
}

std::unique_ptr<float[]> copy_of(const torch::Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  const torch::Tensor dense = tensor.contiguous();
  auto values = std::make_unique<float[]>(static_cast<std::size_t>(dense.numel()));
  std::copy_n(dense.const_data_ptr<float>(), dense.numel(), values.get());
  return values;
}

/** Copies the features to `to`, which is unchanged if a copy fails. */
void export_features(const dino::Features& from, dino_features& to) {
  auto cls = copy_of(from.cls), registers = copy_of(from.registers),
       patches = copy_of(from.patches);
  to.batch = from.cls.size(0);
  to.dim = from.cls.size(1);
  to.registers = from.registers.defined() ? from.registers.size(1) : 0;
  to.grid_height = from.grid_height;
  to.grid_width = from.grid_width;
  to.cls = cls.release();
  to.register_tokens = registers.release();
  to.patches = patches.release();
}

}  // namespace

const char* dino_last_error(void) {
  return last_error.c_str();
}

int dino_load(const char* path, dino_precision precision, dino_model** model) {
  return guarded([&] {
    require(path != nullptr && model != nullptr, "path or model is NULL");
    dino::embed::ExtractorOptions options;
    options.precision = precision == DINO_BF16   ? dino::Precision::Bf16
                        : precision == DINO_INT8 ? dino::Precision::Int8
                                                 : dino::Precision::Fp32;
    dino::FeatureExtractor extractor(path, options);
    std::string description = dino::arch::to_json(extractor.network());
    const dino::model::Computed by = extractor.computed();
    std::string computed = fmt::format("{} ({})", dino::model::name_of(by.precision), by.kernel);
    *model = new dino_model{std::move(extractor), std::move(description), std::move(computed)};
  });
}

void dino_free(dino_model* model) {
  delete model;
}

int dino_prepare(const dino_model* model, const char* image_path, dino_input* input) {
  return guarded([&] {
    require(model != nullptr && image_path != nullptr && input != nullptr, "an argument is NULL");
    const int channels = model->extractor.preprocess().channels;
    const auto prepared = model->extractor.prepare(std::filesystem::path(image_path));
    auto pixels = std::make_unique<float[]>(prepared.pixels.size());
    std::ranges::copy(prepared.pixels, pixels.get());
    *input = {channels, prepared.height, prepared.width, pixels.release()};
  });
}

void dino_free_input(dino_input* input) {
  if (input == nullptr) return;
  delete[] input->pixels;
  *input = {};
}

int dino_forward(const dino_model* model, const float* pixels, int64_t batch, int64_t channels,
                 int64_t height, int64_t width, dino_features* features) {
  return guarded([&] {
    require(model != nullptr && pixels != nullptr && features != nullptr, "an argument is NULL");
    require(batch > 0 && channels > 0 && height > 0 && width > 0, "a size is not positive");
    const torch::Tensor images =  // from_blob takes no const; the network only reads
        torch::from_blob(const_cast<float*>(pixels), {batch, channels, height, width});
    export_features(model->extractor.forward(images), *features);
  });
}

void dino_free_features(dino_features* features) {
  if (features == nullptr) return;
  delete[] features->cls;
  delete[] features->register_tokens;
  delete[] features->patches;
  *features = {};
}

int dino_image_features(const dino_model* model, const char* image_path, dino_features* features) {
  return guarded([&] {
    require(model != nullptr && image_path != nullptr && features != nullptr,
            "an argument is NULL");
    export_features(model->extractor.features(std::filesystem::path(image_path)), *features);
  });
}

const char* dino_describe(const dino_model* model) {
  return model == nullptr ? "" : model->description.c_str();
}

const char* dino_computed(const dino_model* model) {
  return model == nullptr ? "" : model->computed.c_str();
}
