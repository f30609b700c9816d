// The base of data sets whose images are members of archives; private to dino/data.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dino/data/sources/archive_index.h"
#include "dino/data/sources/encoded_dataset.h"
#include "dino/data/sources/index_cache.h"

namespace dino::data {

class ArchiveDataset : public EncodedDataset {
 public:
  ArchiveDataset(SourceIndex index, const FileDecoding& decoding)
      : EncodedDataset(std::move(index.items), decoding),
        where_(std::move(index.where)),
        sizes_(std::move(index.sizes)) {}

 protected:
  virtual std::vector<std::byte> read(std::int64_t item, const Place& place) const = 0;
  virtual std::vector<std::byte> read_page(std::int64_t item, const Place& place, int page) const;
  std::uint64_t where(std::int64_t item) const { return where_.at(static_cast<std::size_t>(item)); }

  std::vector<std::byte> read(std::int64_t item) const final { return read(item, checked(item)); }
  std::vector<std::byte> read_page(std::int64_t item, int page) const final {
    return read_page(item, checked(item), page);
  }

 private:
  /** Where the item is; throws BadImage if its size marks it as unusable (see archive_index.h). */
  Place checked(std::int64_t item) const;

  std::vector<std::uint64_t> where_;
  std::vector<std::uint32_t> sizes_;
};

/** Calls `read` and returns its result. Turns Error{Io}, which means that the disk is gone, into
 * Error{Data}, which ends the run; other errors concern only the image. */
template <typename Read>
auto from_disk(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Io) throw;
    fail(ErrorKind::Data, "{}; is its disk still there? Bring it back, then continue with --resume",
         error.what());
  }
}

/** The size of a member for Place::size, or kTooLarge. */
std::uint32_t image_size(std::uint64_t bytes);

/** The key for IndexCache: the archives and how they are read. */
std::string cache_key(std::string_view kind, const std::vector<std::string>& archives,
                      const std::vector<std::string>& inputs);

/** The archive's Witness. Throws Error{Io} if it does not exist. */
Witness witness_of(const std::string& archive);

/** Throws Error{Data} if there are no images; the message says what was found instead. */
void check_found(const SourceIndex& index, std::string_view source,
                 const std::vector<std::string>& inputs);

}  // namespace dino::data
