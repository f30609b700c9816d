// Hostile files of torch.save, in both forms. Pickles by themselves: pickle_test.cpp; what is wrong
// with the archive: zip_test.cpp.
#include "dino/base/file.h"
#include "dino/format/torch_file.h"
#include "tests/format/hostile.h"
#include "tests/format/hostile_pickles.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using build::dict;
using build::four_floats;
using build::integer;
using build::Legacy;
using build::little;
using build::tensor;
using build::text;
using build::whole;

void expect_refused_file(const std::string& file, std::string_view reason) {
  SCOPED_TRACE(reason);
  expect_refused([&] { TorchFile(bytes_of(file), "hostile.bin"); }, reason);
}

/** A state dict {"x": tensor} of one storage "0". */
std::string state_dict(const std::string& storage = build::storage()) {
  return dict({text("x") + tensor({.storage = storage})});
}

// ---- Neither form -------------------------------------------------------------------------------

TEST(TorchHostile, OtherFiles) {
  expect_refused_file("", "not a file of torch.save");
  expect_refused_file("PK", "not a file of torch.save");
  expect_refused_file("\x80\x02}.", "not a file of torch.save");
  expect_refused_file(std::string("PK\x05\x06") + std::string(18, '\0'), "not a file");
  test::TempDir dir;
  write_file_atomically(dir / "hostile.bin", "PK\x03\x04");
  expect_refused([&] { TorchFile(dir / "hostile.bin"); }, "without its end");
  EXPECT_THROW(TorchFile(dir / "missing"), Error);
}

// ---- The zip form -------------------------------------------------------------------------------

TEST(TorchZipHostile, TheGoodFileIsGood) {
  const std::string file = build::torch_zip(state_dict());
  EXPECT_EQ(TorchFile(bytes_of(file), "x").find("x")->bytes.size(), 16u);
}

TEST(TorchZipHostile, Pickles) {
  for (const auto& [body, reason] : build::hostile_pickles()) {
    expect_refused_file(build::torch_zip(body), reason);
  }
}

TEST(TorchZipHostile, Trees) {
  for (const auto& [body, reason] : build::hostile_trees()) {
    expect_refused_file(build::torch_zip(body), reason);
  }
}

TEST(TorchZipHostile, Members) {
  const std::string pickle = whole(state_dict());
  expect_refused_file(build::zip({{"a/data/0", four_floats()}}), "holds no data.pkl");
  expect_refused_file(build::zip({{"data.pkl", pickle}}), "holds no data.pkl");
  expect_refused_file(build::zip({{"a/b/data.pkl", pickle}}), "holds no data.pkl");
  expect_refused_file(build::zip({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}), "is not in");
  expect_refused_file(build::zip({{"a/data.pkl", pickle}, {"ab/data/0", four_floats()}}),
                      "member 'ab/data/0' is not in 'a/'");
  expect_refused_file(build::zip({{"a/data.pkl", pickle}, {"a/constants.pkl", pickle}}),
                      "TorchScript");
  expect_refused_file(build::zip({{"a/data.pkl", pickle}, {"a/byteorder", "big"}}),
                      "byte order 'big'");
  expect_refused_file(build::zip({{"a/data.pkl", ""}, {"a/data/0", four_floats()}}), "cut short");
}

TEST(TorchZipHostile, Storages) {
  const auto with = [](const std::string& storage, std::string_view name, std::size_t bytes) {
    return build::zip({{"a/data.pkl", whole(state_dict(storage))},
                       {std::string("a/data/") + std::string(name), std::string(bytes, '\0')}});
  };
  const std::string good = build::storage();
  expect_refused_file(with(good, "1", 16), "storage '0' is not in the file");
  expect_refused_file(with(good, "0", 15), "should hold 4 x F32 but has 15 bytes");
  expect_refused_file(with(good, "0", 20), "should hold 4 x F32 but has 20 bytes");
  expect_refused_file(with(good, "0", 0), "but has 0 bytes");
  expect_refused_file(with(build::storage("0", 4, "DoubleStorage"), "0", 16), "4 x F64");
  expect_refused_file(with(build::storage("0", 0), "0", 16), "should hold 0");
  expect_refused_file(with(build::storage("0", INT64_MAX), "0", 16), "9223372036854775807");
  expect_refused_file(with(build::storage("0", std::int64_t{1} << 62), "0", 0), "has 0 bytes");
  expect_refused_file(with(build::storage("../data.pkl"), "0", 16), "is not in the file");
  expect_refused_file(with(build::storage("0/../0"), "0", 16), "is not in the file");
  expect_refused_file(with(build::storage(std::string(1'000'000, '0')), "0", 16), "is not in");
}

TEST(TorchZipHostile, EveryCutAndEveryChangedByte) {
  for (const auto* name : {"ours_teacher.pth", "torch_strided.pth"}) {
    expect_survives_damage(text_of(read_file(golden(name))),
                           [](auto bytes) { TorchFile(bytes, "hostile.bin"); });
  }
}

// ---- The legacy form ----------------------------------------------------------------------------

std::string legacy_storage(std::string_view key = "0", std::int64_t elements = 4,
                           std::string_view kind = "FloatStorage") {
  return build::storage(key, elements, kind, true);
}

/** A file whose object has this body, with one storage "0" of four floats. */
Legacy legacy(const std::string& body = state_dict(legacy_storage())) {
  return {.object = whole(body),
          .keys = whole(std::string("](") + text("0") + "e"),
          .storages = little(4, 8) + four_floats()};
}

TEST(TorchLegacyHostile, TheGoodFileIsGood) {
  const std::string file = build::torch_legacy(legacy());
  EXPECT_EQ(TorchFile(bytes_of(file), "x").find("x")->bytes.size(), 16u);
}

TEST(TorchLegacyHostile, Pickles) {
  for (const auto& [body, reason] : build::hostile_pickles()) {
    // Behind a pickle cut short there are further bytes here, which it then runs into.
    if (reason.find("cut short") == reason.npos) {
      expect_refused_file(build::torch_legacy(legacy(body)), reason);
    }
  }
}

TEST(TorchLegacyHostile, Trees) {
  for (const auto& [body, reason] : build::hostile_trees(true)) {
    Legacy parts = legacy(body);
    const bool has_storage = body.find("FloatStorage") != body.npos;
    if (!has_storage) parts.keys = whole("]"), parts.storages = "";
    expect_refused_file(build::torch_legacy(parts), reason);
  }
}

TEST(TorchLegacyHostile, TheOtherPickles) {
  const std::string evil = whole(build::call("os", "system", build::tuple({text("true")})));
  const auto with = [](auto change) {
    Legacy parts = legacy();
    change(parts);
    return build::torch_legacy(parts);
  };
  expect_refused_file(with([](Legacy& p) { p.protocol = whole("M\xea\x03"); }), "numbers differ");
  expect_refused_file(with([](Legacy& p) {
                        p.magic = whole(
                            "K\1\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"
                            "\x6a\xa8\x50\x19"
                            "0");
                      }),
                      "numbers differ");
  expect_refused_file(with([&](Legacy& p) { p.protocol = evil; }), "os.system");
  expect_refused_file(with([&](Legacy& p) { p.system = evil; }), "os.system");
  expect_refused_file(with([&](Legacy& p) { p.keys = evil; }), "os.system");
  expect_refused_file(with([](Legacy& p) { p.keys = whole("}"); }), "not a list");
  expect_refused_file(with([](Legacy& p) { p.keys = p.storages = ""; }), "cut short");
}

TEST(TorchLegacyHostile, Storages) {
  const auto with = [](const std::string& keys, const std::string& storages,
                       const std::string& body = state_dict(legacy_storage())) {
    return build::torch_legacy({.object = whole(body),
                                .keys = whole(std::string("](") + keys + "e"),
                                .storages = storages});
  };
  const std::string zero = text("0"), floats = four_floats(), good = little(4, 8) + floats;
  expect_refused_file(with("", ""), "lacks the bytes of a storage");
  expect_refused_file(with(text("1"), good), "storage '1' is of no known type");
  expect_refused_file(with("K\1", good), "of no known type");
  expect_refused_file(with(zero + zero, good + good), "appears twice");
  expect_refused_file(with(zero, ""), "ends before storage '0'");
  expect_refused_file(with(zero, "1234567"), "ends before storage '0'");
  expect_refused_file(with(zero, little(3, 8) + floats), "claims 3");
  expect_refused_file(with(zero, little(5, 8) + floats), "claims 5");
  expect_refused_file(with(zero, little(UINT64_MAX, 8) + floats), "claims 18446744073709551615");
  expect_refused_file(with(zero, little(4, 8) + floats.substr(1)), "15 bytes are left");
  expect_refused_file(with(zero, good + "x"), "1 bytes after the last storage");
  expect_refused_file(with(zero, good + good), "24 bytes after the last storage");
  const std::int64_t huge = std::int64_t{1} << 62;
  expect_refused_file(
      with(zero, little(1ull << 62, 8) + floats, state_dict(legacy_storage("0", huge))),
      "16 bytes are left");
  const auto two = [](const std::string& a, const std::string& b) {
    return dict({text("x") + tensor({.storage = a}), text("y") + tensor({.storage = b})});
  };
  expect_refused_file(with(zero, good, two(legacy_storage(), legacy_storage("0", 4, "IntStorage"))),
                      "two types");
  expect_refused_file(with(zero, good, two(legacy_storage(), legacy_storage("0", 5))), "two types");
  expect_refused_file(with(zero, good, two(legacy_storage(), legacy_storage("1"))),
                      "lacks the bytes of a storage");
}

TEST(TorchLegacyHostile, EveryCutAndEveryChangedByte) {
  expect_survives_damage(text_of(read_file(golden("torch_strided_legacy.pth"))),
                         [](auto bytes) { TorchFile(bytes, "hostile.bin"); });
}

}  // namespace
}  // namespace dino::format
