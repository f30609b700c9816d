// Data sets whose images are encoded files, wherever the bytes lie; private to dino/data.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dino/data/bad_image.h"
#include "dino/data/dataset.h"
#include "dino/data/item_table.h"

namespace dino::data {

/** Decodes what read() gives; names and labels come from a table. */
class EncodedDataset : public Dataset {
 public:
  EncodedDataset(ItemTable items, const FileDecoding& decoding)
      : items_(std::move(items)), decoding_(decoding) {}

  std::int64_t size() const override { return items_.size(); }
  image::Image load(std::int64_t index) const override {
    return decode_image(read(index), decoding_, name(index));
  }
  image::Planes load_wide(std::int64_t index) const override {
    return decode_image_wide(read(index), decoding_, name(index));
  }
  std::optional<std::vector<std::byte>> encoded(std::int64_t index) const override {
    return read(index);
  }
  std::int64_t label(std::int64_t index) const override { return items_.label(index); }
  const std::vector<std::string>& class_names() const override { return items_.class_names(); }

 protected:
  /** The encoded bytes. Throws BadImage if there are none, Error{Data} if the whole source is gone.
   */
  virtual std::vector<std::byte> read(std::int64_t index) const = 0;
  const ItemTable& items() const { return items_; }

 private:
  ItemTable items_;
  FileDecoding decoding_;
};

/** Tells a bad file from a disk that went away. Thread-safe. */
class SourceRoot {
 public:
  explicit SourceRoot(std::filesystem::path folder);
  /** Throws Error{Data} if the folder is not the one it was: unmounted, removed, replaced. */
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
