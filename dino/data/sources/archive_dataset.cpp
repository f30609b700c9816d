#include "dino/data/sources/archive_dataset.h"

#include <algorithm>
#include <filesystem>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/data/sources/sample_name.h"
#include "dino/data/sources/sources.h"

namespace dino::data {

std::vector<std::byte> ArchiveDataset::read_page(std::int64_t item, const Place& place,
                                                 int page) const {
  const std::vector<std::byte> file = read(item, place);
  return read_image_page(image::tiff_in_memory(file), page, item_name(item));
}

Place ArchiveDataset::checked(std::int64_t item) const {
  const auto i = static_cast<std::size_t>(item);
  const Place place{where_.at(i), sizes_.at(i)};
  const auto refuse = [&](BadReason reason, std::string_view why) {
    throw BadImage(
        ErrorKind::Format, reason,
        fmt::format("[load image] {} ({})", why, printable(std::string_view(item_name(item)))));
  };
  if (place.size == kDamaged)
    refuse(BadReason::Truncated, "the archive is damaged or cut short: the rest of it is lost");
  if (place.size == kRefused)
    refuse(BadReason::Corrupt,
           "the archive holds it in a form that is not read: a damaged sparse member, or a part of "
           "several volumes; pack it again");
  if (place.size == kTooLarge)
    refuse(BadReason::TooLarge, fmt::format("more than {} bytes", kLargestImageBytes));
  return place;
}

std::uint32_t image_size(std::uint64_t bytes) {
  return bytes > kLargestImageBytes ? kTooLarge : static_cast<std::uint32_t>(bytes);
}

std::string cache_key(std::string_view kind, const std::vector<std::string>& archives,
                      const std::vector<std::string>& inputs) {
  std::string key(kind);
  for (const std::string& archive : archives)
    key += "\n" + std::filesystem::absolute(archive).native();
  for (const std::string& input : inputs) key += "\n." + input;
  return key;
}

Witness witness_of(const std::string& archive) {
  auto seen = witness(archive);
  if (!seen)
    fail(ErrorKind::Io, "[open data set] '{}': no such file; check the path and the braces",
         printable(std::string_view(archive)));
  return *std::move(seen);
}

void check_found(const SourceIndex& index, std::string_view source,
                 const std::vector<std::string>& inputs) {
  if (std::any_of(index.sizes.begin(), index.sizes.end(),
                  [](auto size) { return size != kDamaged; }))
    return;
  std::string others;
  for (const SourceNote& note : index.items.notes()) others += "; " + describe(note);
  fail(ErrorKind::Data, "[open data set] '{}' holds no images{}{}{}", printable(source),
       index.sizes.empty() ? "" : " that can be read: it is damaged or no such archive",
       inputs.empty()
           ? ""
           : fmt::format(" whose names end in {} (data.inputs)", fmt::join(inputs, " or ")),
       others);
}

}  // namespace dino::data
