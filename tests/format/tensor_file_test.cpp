#include "dino/format/tensor_file.h"

#include "dino/base/file.h"
#include "dino/format/safetensors.h"
#include "dino/format/torch_file.h"
#include "tests/format/hostile.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

namespace fs = std::filesystem;

TEST(OpenTensors, EveryContainer) {
  const TensorFile plain = open_tensors(golden("torch.safetensors"));
  EXPECT_EQ(plain.container(), TensorContainer::Safetensors);
  EXPECT_EQ(plain.metadata().at("format"), "pt");
  EXPECT_EQ(plain.scalars(), nlohmann::json::object());
  const TensorFile sharded = open_tensors(golden("sharded/model.safetensors.index.json"));
  EXPECT_EQ(sharded.container(), TensorContainer::ShardedSafetensors);
  EXPECT_EQ(sharded.metadata().at("total_size"), "35");
  const TensorFile zip = open_tensors(golden("torch_full.pth"));
  EXPECT_EQ(zip.container(), TensorContainer::TorchZip);
  EXPECT_EQ(zip.scalars().at("epoch"), 3);
  EXPECT_TRUE(zip.metadata().empty());
  const TensorFile legacy = open_tensors(golden("torch_full_legacy.pth"));
  EXPECT_EQ(legacy.container(), TensorContainer::TorchLegacy);
  EXPECT_EQ(legacy.path(), golden("torch_full_legacy.pth"));
  for (const TensorRecord& record : zip.tensors()) {
    ASSERT_EQ(zip.find(record.name), &record);
    EXPECT_EQ(text_of(legacy.find(record.name)->bytes), text_of(record.bytes)) << record.name;
  }
  EXPECT_EQ(zip.find("missing"), nullptr);
  for (const TensorFile& file : {plain, sharded, zip, legacy}) {
    EXPECT_FALSE(container_name(file.container()).empty());
  }
}

TEST(OpenTensors, TheNameDoesNotMatter) {
  test::TempDir dir;
  fs::copy_file(golden("ours.safetensors"), dir / "weights.pth");
  EXPECT_EQ(open_tensors(dir / "weights.pth").container(), TensorContainer::Safetensors);
}

TEST(OpenTensors, CopiesShareAndOutlive) {
  TensorFile copy;
  EXPECT_TRUE(copy.tensors().empty());
  EXPECT_EQ(copy.find("a"), nullptr);
  {
    const TensorFile file = open_tensors(golden("ours.pth"));
    copy = file;
  }
  EXPECT_EQ(copy.find("a")->bytes.size(), 16u);
  const TensorRecord record = *copy.find("ids");
  copy = {};
  EXPECT_EQ(record.bytes[0], std::byte{0xFF});
}

TEST(OpenTensors, Folders) {
  test::TempDir dir;
  const auto expect_io = [&](std::string_view reason) {
    try {
      open_tensors(dir.path());
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_NE(std::string_view(error.what()).find(reason), std::string::npos) << error.what();
    }
  };
  expect_io("holds none of model.safetensors, model.safetensors.index.json, pytorch_model.bin");
  write_file_atomically(dir / "pytorch_model.bin.index.json", "{}");
  expect_io("pytorch_model.bin in parts");
  fs::copy_file(golden("ours.pth"), dir / "pytorch_model.bin");
  EXPECT_EQ(open_tensors(dir.path()).container(), TensorContainer::TorchZip);
  EXPECT_EQ(open_tensors(dir.path()).path(), dir / "pytorch_model.bin");
  for (const auto& entry : fs::directory_iterator(golden("sharded"))) {
    fs::copy_file(entry.path(), dir / entry.path().filename());
  }
  EXPECT_EQ(open_tensors(dir.path()).container(), TensorContainer::ShardedSafetensors);
  fs::copy_file(golden("ours.safetensors"), dir / "model.safetensors");
  EXPECT_EQ(open_tensors(dir.path()).container(), TensorContainer::Safetensors);
}

TEST(OpenTensors, AnythingElse) {
  test::TempDir dir;
  const auto expect = [&](std::string_view content, std::string_view reason) {
    SCOPED_TRACE(reason);
    write_file_atomically(dir / "hostile.bin", content);
    expect_refused([&] { open_tensors(dir / "hostile.bin"); }, reason);
  };
  expect("", "an empty file; safetensors");
  expect("hello", "begins with 'hello'; safetensors");
  expect("version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer");
  expect("<!DOCTYPE html><html>", "a web page");
  expect("\x1f\x8b\x08", "gzip; unpack it first");
  expect("GGUF\3", "GGUF");
  expect("\x80\x02}q\1.", "begins with '\\x80\\x02}q\\x01.'");
  expect("PK\x03\x04", "without its end");
  expect("{\"layers\": 12}", "has no weight_map");
  expect(std::string(1000, '\0'), "begins with '\\x00");
  expect(std::string("\x08\0\0\0\0\0\0\0", 8) + "{", "cut short");
  EXPECT_THROW(open_tensors(dir / "missing"), Error);
  EXPECT_THROW(open_tensors("/dev/null"), Error);
}

}  // namespace
}  // namespace dino::format
