// Data sets whose images lie at places in archives; private to dino/data.
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
  /** Where it lies; BadImage if its size says that there is none. */
  Place checked(std::int64_t item) const;

  std::vector<std::uint64_t> where_;
  std::vector<std::uint32_t> sizes_;
};

/** What `read` gives; a disk that went away ends the run, other errors are the image's. */
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

/** The size of a member, or kTooLarge. */
std::uint32_t image_size(std::uint64_t bytes);

/** Names the archives and how they are read, for IndexCache. */
std::string cache_key(std::string_view kind, const std::vector<std::string>& archives,
                      const std::vector<std::string>& inputs);

/** Throws Error{Io} if it is not there. */
Witness witness_of(const std::string& archive);

/** Throws Error{Data} if there are no images, naming what there is instead. */
void check_found(const SourceIndex& index, std::string_view source,
                 const std::vector<std::string>& inputs);

}  // namespace dino::data
