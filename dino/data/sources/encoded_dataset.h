// The base of data sets whose images are encoded files, on disk or in archives; private to
// dino/data.
#pragma once
#include <fmt/format.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dino/data/sources/bad_image.h"
#include "dino/data/sources/dataset.h"
#include "dino/data/sources/item_table.h"

namespace dino::data {

/** Decodes the bytes that read() returns; names and labels come from a table. Each page of an item
 * counts as an image. */
class EncodedDataset : public Dataset {
 public:
  EncodedDataset(ItemTable items, const FileDecoding& decoding)
      : items_(std::move(items)), decoding_(decoding) {}

  std::int64_t size() const override { return items_.samples(); }
  image::Image load(std::int64_t index) const override {
    return decode_image(bytes(index), decoding_, name(index));
  }
  image::Planes load_wide(std::int64_t index) const override {
    return decode_image_wide(bytes(index), decoding_, name(index));
  }
  StoredImage stored(std::int64_t index) const override { return {bytes(index), std::nullopt}; }
  std::string name(std::int64_t index) const override {
    const auto [item, page] = items_.sample(index);
    return page < 0 ? item_name(item) : fmt::format("{}#{}", item_name(item), page);
  }
  std::int64_t label(std::int64_t index) const override {
    return items_.label(items_.sample(index).item);
  }
  const std::vector<std::string>& class_names() const override { return items_.class_names(); }
  std::vector<SourceNote> notes() const override { return items_.notes(); }

 protected:
  virtual std::string item_name(std::int64_t item) const = 0;
  /** Reads the encoded bytes of an item. Throws BadImage if that fails, Error{Data} if the whole
   * source is gone. Thread-safe. */
  virtual std::vector<std::byte> read(std::int64_t item) const = 0;
  /** Reads one page of an item. The default implementation reads all of the item. Throws as read().
   */
  virtual std::vector<std::byte> read_page(std::int64_t item, int page) const {
    const std::vector<std::byte> file = read(item);
    return read_image_page(image::tiff_in_memory(file), page, item_name(item));
  }
  const ItemTable& items() const { return items_; }

 private:
  std::vector<std::byte> bytes(std::int64_t index) const {
    const auto [item, page] = items_.sample(index);
    return page < 0 ? read(item) : read_page(item, page);
  }

  ItemTable items_;
  FileDecoding decoding_;
};

/** Detects whether the folder of a source is gone, to tell that from a bad file. Thread-safe. */
class SourceRoot {
 public:
  explicit SourceRoot(std::filesystem::path folder);
  /** Throws Error{Data} if the folder was unmounted, removed or replaced since the constructor ran.
   */
  void check() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const Identity&) const = default;
  };
  static std::optional<Identity> identity(const std::filesystem::path& path);
  std::filesystem::path path_;
  std::optional<Identity> identity_;
};

}  // namespace dino::data
