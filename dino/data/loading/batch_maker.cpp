#include "dino/data/loading/batch_maker.h"

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>

#include "dino/base/bfloat16.h"
#include "dino/base/error.h"
#include "dino/data/crops/rng_streams.h"

namespace dino::data {
namespace {

std::size_t area(int channels, int size) {
  return static_cast<std::size_t>(channels) * static_cast<std::size_t>(size) *
         static_cast<std::size_t>(size);
}

struct Rows {
  AlignedBuffer& buffer;
  int size;  ///< px
};

Rows rows_of(CropBatch& batch, ViewKind kind) {
  switch (kind) {
    case ViewKind::Global:
      return {batch.globals, batch.global_size};
    case ViewKind::Teacher:
      return {batch.teacher_globals, batch.global_size};
    case ViewKind::Gram:
      return {batch.gram, batch.gram_size};
    case ViewKind::Local:
      break;
  }
  return {batch.locals, batch.local_size};
}

}  // namespace

BatchMaker::BatchMaker(const MultiCropOptions& crops, BatchOptions options)
    : options_(std::move(options)), normalize_(crops.mean, crops.std) {
  validate(crops, options_.channels);
  validate(options_.masks);
  validate(options_.mixes, crops);
  for (int mix = 0; mix < mix_count(options_.mixes); ++mix)
    crops_.push_back(mixed_crops(crops, options_.mixes, mix));
  if (options_.type == SampleType::U8 && crops.gram_distorted)
    fail(ErrorKind::Config,
         "[crops] batches of uint8 cannot hold crops.gram_distorted, which resizes in floats; use "
         "fp32 or bf16");
  for (const auto& sizes : crops_)
    if (options_.masks.share > 0 && sizes.global_size % options_.patch_size != 0)
      fail(ErrorKind::Config,
           "[masks] global crops of {} px do not divide into patches of {} px; change one of the "
           "two",
           sizes.global_size, options_.patch_size);
}

void BatchMaker::begin(CropBatch& batch, std::int64_t iteration) const {
  const MultiCropOptions& crops =
      crops_[static_cast<std::size_t>(draw_mix(options_.mixes, options_.seed, iteration))];
  batch.iteration = iteration;
  batch.batch_size = options_.batch_size;
  batch.channels = options_.channels;
  batch.global_size = crops.global_size;
  batch.local_size = crops.local_size;
  batch.local_count = crops.local_count;
  batch.gram_size = crops.gram_size;
  const auto images = static_cast<std::size_t>(options_.batch_size);
  const auto samples = [&](std::size_t views, int size) {
    return views * images * area(options_.channels, size);
  };
  const std::size_t globals = samples(2, crops.global_size);
  const auto locals = static_cast<std::size_t>(crops.local_count);
  batch.globals.resize(globals, options_.type);
  batch.locals.resize(samples(locals, crops.local_size), options_.type);
  batch.teacher_globals.resize(crops.clean_teacher ? globals : 0, options_.type);
  batch.gram.resize(samples(2, crops.gram_size), options_.type);
  batch.indices.assign(images, -1);
  batch.masks = {};
  if (options_.masks.share <= 0) return;
  const int grid = crops.global_size / options_.patch_size;
  batch.masks =
      draw_masks(2 * options_.batch_size, grid, grid, options_.masks,
                 batch_stream(options_.seed, iteration, BatchStream::Masks, options_.rank));
}

template <typename Pixels>
void BatchMaker::write_row(const ViewOf<Pixels>& view, int size, std::size_t row,
                           AlignedBuffer& out) const {
  const std::size_t samples = area(options_.channels, size);
  const auto write_as = [&]<typename Sample>(Sample* to) {
    to += row * samples;
    if (view.pixels.width == size) return normalize_(view.pixels, to, view.mirror);
    if constexpr (std::is_same_v<Sample, float>) {
      normalize_.resized(view.pixels, size, to);
    } else {
      std::vector<float> values(samples);
      normalize_.resized(view.pixels, size, values.data());
      std::ranges::transform(values, to, to_bfloat16);
    }
  };
  switch (out.type()) {
    case SampleType::F32:
      return write_as(out.data<float>());
    case SampleType::BF16:
      return write_as(out.data<std::uint16_t>());
    case SampleType::U8:
      if constexpr (std::is_same_v<Pixels, image::Image>)
        normalize_(view.pixels, out.data<std::uint8_t>() + row * samples, view.mirror);
      else
        DINO_ASSERT(false);
  }
}

template <typename Pixels>
void BatchMaker::write_views(const Pixels& source, const SampleKey& key, int position,
                             CropBatch& batch, CropWorkspace& workspace) const {
  const auto mix =
      static_cast<std::size_t>(draw_mix(options_.mixes, options_.seed, batch.iteration));
  const auto write_view = [&](const ViewOf<Pixels>& view) {
    const Stopwatch watch = timed(workspace, &StageSeconds::normalize);
    const Rows rows = rows_of(batch, view.kind);
    const auto row =
        static_cast<std::size_t>(view.number) * static_cast<std::size_t>(batch.batch_size) +
        static_cast<std::size_t>(position);  // crop-major
    write_row(view, rows.size, row, rows.buffer);
  };
  for_each_view(source, crops_[mix], key, workspace, std::ref(write_view));  // a copy is allocated
}

void BatchMaker::write(const image::Image& source, const SampleKey& key, int position,
                       CropBatch& batch, CropWorkspace& workspace) const {
  write_views(source, key, position, batch, workspace);
}

void BatchMaker::write(const image::Planes& source, const SampleKey& key, int position,
                       CropBatch& batch, CropWorkspace& workspace) const {
  write_views(source, key, position, batch, workspace);
}

}  // namespace dino::data
