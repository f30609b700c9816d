#include "dino/data/sources/sample_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "dino/image/codecs/file_name.h"
#include "dino/image/codecs/sniff.h"

namespace dino::data {
namespace {

/** Extensions of files that are not images; they are not opened. */
constexpr std::string_view kKnownOthers =
    " txt json jsonl ndjson cls csv tsv xml yaml yml toml ini cfg md rst html htm log lst list rec "
    "idx npy npz pt pth ckpt bin dat pkl pickle mat h5 hdf5 parquet arrow feather tfrecord "
    "safetensors onnx db sqlite zip tar gz tgz bz2 xz zst 7z rar py ipynb sh js css c cpp h hpp "
    "wav mp3 flac ogg m4a srt vtt aux tmp part lock ";

constexpr std::string_view kArchive = ".tar";

std::string_view base_name(std::string_view name) {
  return name.substr(name.rfind('/') + 1);  // npos + 1 is 0
}

std::size_t first_dot(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::min(name.find('.', slash == name.npos ? 0 : slash + 1), name.size());
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

/** "png" of "a/b.0.png", in lower case; empty without a dot. */
std::string last_extension(std::string_view name) {
  const std::string_view base = base_name(name);
  const std::size_t dot = base.rfind('.');
  return dot == base.npos ? "" : lower(base.substr(dot + 1));
}

}  // namespace

std::string_view sample_key(std::string_view name) {
  return name.substr(0, first_dot(name));
}

std::string sample_extension(std::string_view name) {
  return lower(name.substr(std::min(first_dot(name) + 1, name.size())));
}

MemberUse use_of(std::string_view name, const std::vector<std::string>& inputs) {
  if (base_name(name).starts_with('.')) return MemberUse::Other;
  if (inputs.empty())
    return image::has_image_extension(name) ? MemberUse::Image
           : is_unknown_name(name)          ? MemberUse::Unknown
                                            : MemberUse::Other;
  const bool wanted = std::ranges::find(inputs, sample_extension(name)) != inputs.end();
  return wanted ? MemberUse::Image : MemberUse::Other;
}

std::optional<std::string_view> labeled_by(std::string_view name) {
  const std::string extension = last_extension(name);
  if (extension != "cls" && extension != "json") return std::nullopt;
  const std::string_view stem = name.substr(0, name.size() - extension.size() - 1);
  return base_name(stem).empty() ? std::nullopt : std::optional(stem);
}

std::vector<std::string_view> label_stems(std::string_view image) {
  const std::size_t key = first_dot(image);
  std::vector<std::string_view> stems = {image};
  while (stems.back().size() > key) stems.push_back(image.substr(0, stems.back().rfind('.')));
  return stems;
}

bool is_unknown_name(std::string_view name) {
  if (base_name(name).starts_with('.')) return false;
  const image::NameClass found = image::hint_of_name(name).found;
  return found == image::NameClass::Unnamed ||
         (found == image::NameClass::Other &&
          kKnownOthers.find(fmt::format(" {} ", last_extension(name))) == std::string_view::npos);
}

bool is_inner_archive(const format::TarMember& member, std::size_t depth) {
  constexpr std::size_t kDeepest = 4;
  const std::string_view base = base_name(member.path);
  return depth <= kDeepest && member.refused.empty() && !member.sparse &&
         base.size() > kArchive.size() && base.ends_with(kArchive) && !base.starts_with('.');
}

std::string folder_of_archive(std::string_view name) {
  return fmt::format("{}/", name.substr(0, name.size() - kArchive.size()));
}

void note_unread(std::vector<SourceNote>& notes, std::string_view name,
                 std::span<const std::byte> head) {
  const image::NameHint hint = image::hint_of_name(name);
  if (hint.found == image::NameClass::Unreadable) {
    add_note(notes, fmt::format("files are passed over: each is {}", hint.what), name, hint.remedy);
    return;
  }
  constexpr std::string_view kArchives = " tar tgz gz bz2 xz zst zip 7z rar ";
  if (const std::string extension = fmt::format(" {} ", last_extension(name));
      kArchives.find(extension) != std::string_view::npos) {
    add_note(notes, "archives are passed over", name,
             "unpack it, or name it as a source of its own");
    return;
  }
  // Of pictures of other kinds, the words end in what to do: "an MP4 video (extract ...)".
  const std::string_view what = head.empty() ? std::string_view() : image::describe(head);
  const std::size_t remedy = what.find(" (");
  if (remedy == std::string_view::npos || !what.ends_with(')')) return;
  add_note(
      notes, fmt::format("files are passed over: each is {}", what.substr(0, remedy)), name,
      fmt::format("by its first bytes; {}", what.substr(remedy + 2, what.size() - remedy - 3)));
}

}  // namespace dino::data
