#include "dino/data/crop_sheet.h"

#include <fmt/format.h>

#include <algorithm>

#include "dino/base/error.h"

namespace dino::data {
namespace {

std::string describe(const CropRecord& record, int channels) {
  std::string text;
  const auto add = [&](bool happened, const char* word) {
    if (happened) text += (text.empty() ? "" : ", ") + std::string(word);
  };
  add(record.flipped, "mirrored");
  add(record.grayscaled && channels > 1, "grey");
  add(record.blurred, "blurred");
  add(record.solarized, "solarized");
  return text;
}

}  // namespace

image::Sheet crop_sheet(const Dataset& dataset, const std::vector<std::int64_t>& indices,
                        const MultiCropOptions& options, std::uint64_t seed, int max_locals) {
  const int locals = std::min(options.local_count, max_locals);
  image::Sheet sheet{
      .title = "What the network sees",
      .caption = fmt::format(
          "Each row: an image, the two global crops ({} px) and {} of its {} local crops ({} px). "
          "The student sees "
          "them all, the teacher only the global ones; all of a row must get the same answer.",
          options.global_size, locals, options.local_count, options.local_size),
      .column_titles = {"image", "global", "global"},
      .columns = 3 + locals};
  sheet.column_titles.resize(static_cast<std::size_t>(sheet.columns), "local");
  for (const auto index : indices) {
    image::Image source;
    try {
      source = dataset.load(index);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Io && error.kind() != ErrorKind::Format) throw;
      continue;
    }
    sheet.tiles.push_back({.image = source});
    for (int view = 0; view < 2 + locals; ++view) {
      CropRecord record;
      const Rng rng(seed, 0, static_cast<std::uint64_t>(index), static_cast<std::uint64_t>(view));
      image::Image crop = crop_view(source, view, options, rng, &record);
      sheet.tiles.push_back(
          {.image = std::move(crop), .caption = describe(record, source.channels)});
    }
  }
  return sheet;
}

}  // namespace dino::data
