// Reads and writes tar archives sequentially.
#pragma once
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dino/base/byte_source.h"
#include "dino/format/tar_sparse.h"

namespace dino::format {

struct TarMember {
  std::string path;  ///< as stored, without a leading "./"; not checked for ".." and the like
  std::uint64_t header = 0;  ///< offset of its first header; a multiple of 512
  std::uint64_t offset = 0;  ///< offset of its data in the archive; a multiple of 512
  std::uint64_t size = 0;    ///< bytes
  bool sparse = false;       ///< stored without runs of zeros, which read() restores
  std::string link;          ///< path of the member that it links to; empty if it is no link
  std::string refused;       ///< why it cannot be read (links as such cannot); what follows it can.
                             ///< Empty: it can be read
};

/** Reads ustar, pax (path and size) and GNU (long names, large sizes) archives member by member;
 * sparse members as a whole. Thread-compatible. */
class TarReader {
 public:
  /** Borrows `source`; `name` appears in errors. */
  TarReader(ByteSource& source, std::string_view name);

  /** The next regular file or link; folders and devices are skipped. Nothing at the end: a block of
   * zeros that no member follows (archives may be concatenated), or the end of the source between
   * two members. Throws Error{Format} naming archive and position if a header, or the previous
   * member, is damaged or truncated. */
  std::optional<TarMember> next();
  /** Fills `out` with the next bytes of the current member; returns how many. Throws Error{Format}
   * if the archive ends within it. */
  std::size_t read(std::span<std::byte> out);

 private:
  struct Header;
  struct Described;
  bool read_block(std::span<std::byte> block);
  bool read_header_block(std::span<std::byte> block);
  Header parse_header(std::string_view block, std::uint64_t at) const;
  bool describes(const Header& header, std::uint64_t at, Described& described);
  TarMember begin_member(const Header& header, std::string_view block, const Described& described);
  std::string begin_sparse(const Header& header, std::string_view block,
                           const Described& described);
  std::size_t read_stored(std::span<std::byte> out);
  std::string read_text(const Header& header);
  void pass_over(std::uint64_t count);
  void finish_member();
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const;

  ByteSource& source_;
  std::string name_;
  std::uint64_t position_ = 0;  // in the archive
  std::uint64_t left_ = 0;      // bytes of the member not read yet
  std::uint64_t padding_ = 0;   // zero bytes after them
  bool finished_ = false;
  std::optional<SparseMap> sparse_;  // of the member
  std::uint64_t expanded_ = 0;       // bytes of it returned by read()
  std::size_t extent_ = 0;           // index of the extent being read
};

/** Writes a pax archive sequentially. It records no owner or time, so equal members give equal
 * bytes. */
class TarWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /** `sink` receives the archive's bytes in order; it must outlive the writer. */
  explicit TarWriter(const Sink& sink) : sink_(sink) {}

  /** Adds a regular file. `path` is relative, of any length, with any bytes but NUL; throws
   * Error{Usage} on others. */
  void add(std::string_view path, std::span<const std::byte> bytes);
  /** Writes the end mark; add nothing afterwards. */
  void finish();
  /** Bytes written so far. */
  std::uint64_t bytes_written() const { return position_; }

 private:
  void add_member(std::string_view name, std::string_view prefix, char type,
                  std::span<const std::byte> bytes);
  void write(std::span<const std::byte> bytes);

  const Sink& sink_;
  std::uint64_t position_ = 0;
};

}  // namespace dino::format
