// Pickles, zip archives and torch.save files built by hand, right or wrong.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dino/format/gzip.h"

namespace dino::format::build {

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

// ---- Pickle -------------------------------------------------------------------------------------

inline std::string text(std::string_view value) {
  return std::string("X") + little(value.size(), 4) + std::string(value);
}

inline std::string integer(std::int64_t value) {
  return std::string("\x8a\x08") + little(static_cast<std::uint64_t>(value), 8);
}

inline std::string tuple(const std::vector<std::string>& items) {
  std::string all = "(";
  for (const std::string& item : items) all += item;
  return all + "t";
}

inline std::string integers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}

inline std::string global(std::string_view module, std::string_view name) {
  return std::string("c") + std::string(module) + "\n" + std::string(name) + "\n";
}

/** Name applied to arguments. */
inline std::string call(std::string_view module, std::string_view name, std::string_view tuple) {
  return global(module, name) + std::string(tuple) + "R";
}

inline std::string ordered_dict() {
  return call("collections", "OrderedDict", ")");
}

inline std::string storage(std::string_view key = "0", std::int64_t elements = 4,
                           std::string_view kind = "FloatStorage", bool legacy = false) {
  std::vector<std::string> id = {text("storage"), global("torch", kind), text(key), text("cpu"),
                                 integer(elements)};
  if (legacy) id.push_back("N");
  return tuple(id) + "Q";
}

struct Tensor {
  std::string storage = build::storage();
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape = {2, 2}, strides = {2, 1};
};

inline std::string tensor(const Tensor& t) {
  return call("torch._utils", "_rebuild_tensor_v2",
              tuple({t.storage, integer(t.offset), integers(t.shape), integers(t.strides), "\x89",
                     ordered_dict()}));
}

/** {key: value, ...}, each item already a pickled key and value. */
inline std::string dict(const std::vector<std::string>& items) {
  std::string all = "}(";
  for (const std::string& item : items) all += item;
  return all + "u";
}

inline std::string whole(std::string_view body) {
  return std::string("\x80\x02") + std::string(body) + ".";
}

// ---- Zip ----------------------------------------------------------------------------------------

/** A member, with what its two headers say about it. */
struct Member {
  std::string name = {}, data = {};
  std::string local_name = {};  ///< if not `name`
  std::uint64_t method = 0, flags = 0;
  std::int64_t size_lie = 0;        ///< added to both sizes in the directory
  std::int64_t compressed_lie = 0;  ///< added to the compressed size alone
  std::int64_t local_size_lie = 0;  ///< added to the size in the local header
  std::int64_t offset_lie = 0;      ///< added to the offset of the local header
  std::string extra = {};           ///< in the directory
  bool all_in_64 = false;           ///< the directory refers to `extra` for all numbers
};

struct EndLies {
  std::int64_t count = 0, bytes = 0, offset = 0, disk = 0;
  std::string before = {}, after = {};
};

inline std::string zip(const std::vector<Member>& members, const EndLies& lies = {}) {
  const auto add = [](std::size_t value, std::int64_t lie) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value) + lie);
  };
  std::string file, directory;
  for (const Member& member : members) {
    const std::string& local = member.local_name.empty() ? member.name : member.local_name;
    const std::uint64_t offset = add(file.size(), member.offset_lie);
    const std::uint64_t size = add(member.data.size(), member.size_lie);
    const std::uint64_t crc = crc32_of(std::as_bytes(std::span(member.data)));
    const auto central = [&](std::uint64_t value) {
      return little(member.all_in_64 ? 0xFFFFFFFF : value, 4);
    };
    file += std::string("PK\x03\x04") + little(20, 2) + little(member.flags, 2) +
            little(member.method, 2) + little(0, 4) + little(crc, 4) +
            little(add(member.data.size(), member.local_size_lie), 4) +
            little(add(member.data.size(), member.local_size_lie), 4) + little(local.size(), 2) +
            little(0, 2) + local + member.data;
    directory += std::string("PK\x01\x02") + little(20, 2) + little(20, 2) +
                 little(member.flags, 2) + little(member.method, 2) + little(0, 4) +
                 little(crc, 4) + central(add(size, member.compressed_lie)) + central(size) +
                 little(member.name.size(), 2) + little(member.extra.size(), 2) + little(0, 2) +
                 little(0, 2) + little(0, 2) + little(0, 4) + central(offset) + member.name +
                 member.extra;
  }
  const std::uint64_t count = add(members.size(), lies.count);
  return file + directory + lies.before + "PK\x05\x06" +
         little(static_cast<std::uint64_t>(lies.disk), 2) + little(0, 2) + little(count, 2) +
         little(count, 2) + little(add(directory.size(), lies.bytes), 4) +
         little(add(file.size(), lies.offset), 4) + little(0, 2) + lies.after;
}

// ---- Files of torch.save ------------------------------------------------------------------------

inline std::string four_floats() {
  return std::string(16, '\0');
}

/** The zip form, with one storage "0" of four floats. */
inline std::vector<Member> torch_members(std::string_view pickle_body) {
  return {{"a/data.pkl", whole(pickle_body)}, {"a/data/0", four_floats()}, {"a/version", "3\n"}};
}

inline std::string torch_zip(std::string_view pickle_body) {
  return zip(torch_members(pickle_body));
}

struct Legacy {
  std::string magic = whole("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  std::string protocol = whole("M\xe9\x03");
  std::string system = whole("}");
  std::string object = whole("}");
  std::string keys = whole("]");
  std::string storages = {};
};

inline std::string torch_legacy(const Legacy& parts) {
  return parts.magic + parts.protocol + parts.system + parts.object + parts.keys + parts.storages;
}

}  // namespace dino::format::build
