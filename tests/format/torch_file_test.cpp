#include "dino/format/torch_file.h"

#include <array>
#include <cstring>

#include "dino/base/file.h"
#include "tests/format/hostile.h"
#include "tests/format/hostile_pickles.h"
#include "tests/format/tensor_checks.h"
#include "tests/format/torch_builder.h"
#include "tests/temp_dir.h"

namespace dino::format {
namespace {

using Json = nlohmann::json;

// ---- What PyTorch wrote, in both forms ----------------------------------------------------------

class BothForms : public testing::TestWithParam<std::string> {
 protected:
  static TorchFile open(const std::string& name) {
    return TorchFile(golden(name + GetParam() + ".pth"));
  }
};
INSTANTIATE_TEST_SUITE_P(TorchFile, BothForms, testing::Values("", "_legacy"),
                         [](const auto& form) { return form.param.empty() ? "zip" : "legacy"; });

TEST_P(BothForms, EveryType) {
  const TorchFile file = open("torch_plain");
  EXPECT_EQ(file.legacy(), GetParam() == "_legacy");
  EXPECT_EQ(file.tensors().size(), 13u);
  EXPECT_EQ(file.scalars(), Json::object());
  expect_plain_golden(file);
  EXPECT_EQ(file.tensors().front().name, "F64");  // in the order of the file
}

TEST_P(BothForms, FullTrainingCheckpoint) {
  const TorchFile file = open("torch_full");
  EXPECT_EQ(values<float>(file.find("teacher.fc.weight")),
            (std::vector<float>{-2, -1, 0, 1, 2, 3}));
  EXPECT_EQ(values<float>(file.find("student.module.backbone.fc.bias")),
            (std::vector<float>{-2, -1, 0}));
  EXPECT_EQ(file.find("teacher.norm.num_batches_tracked")->dtype, DType::I64);
  EXPECT_EQ(file.find("optimizer.state.0.exp_avg")->shape, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(file.find("dino_loss.center")->shape, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(values<float>(file.find("notes.1")), (std::vector<float>{1, 1}));

  const Json& scalars = file.scalars();
  EXPECT_EQ(scalars.at("epoch"), 3);
  EXPECT_EQ(scalars.at("args"), Json::parse(R"({"arch": "vit_small", "lr": 0.0005, "use_fp16": true,
      "output_dir": ".", "seed": null, "scale": [0.4, 1.0]})"));
  EXPECT_EQ(scalars.at("fp16_scaler").at("scale"), 65536.0);
  EXPECT_EQ(scalars.at("optimizer").at("param_groups").at(0).at("lr"), 0.0005);
  EXPECT_EQ(scalars.at("optimizer").at("param_groups").at(0).at("params"), Json({0, 1, 2, 3}));
  EXPECT_EQ(scalars.at("loss"), 2.5);
  EXPECT_EQ(scalars.at("step"), -9);
  EXPECT_EQ(scalars.at("half"), 0.25);
  EXPECT_EQ(scalars.at("flag"), true);
  EXPECT_EQ(scalars.at("array"), "<numpy.ndarray>");
  EXPECT_EQ(scalars.at("large"), "<integer of 9 bytes>");
  EXPECT_EQ(scalars.at("size"), Json({2, 3}));
  EXPECT_EQ(scalars.at("notes").at(0), "a");
  EXPECT_TRUE(scalars.at("notes").at(1).is_null());
  EXPECT_FALSE(scalars.contains("student"));
  EXPECT_FALSE(scalars.contains("teacher"));  // nor its _metadata
}

TEST_P(BothForms, ViewsAndSharedStorages) {
  const TorchFile file = open("torch_strided");
  const TensorRecord* base = file.find("base");
  ASSERT_EQ(base->bytes.size(), 96u);
  EXPECT_EQ(file.find("again")->bytes.data(), base->bytes.data());
  EXPECT_EQ(file.find("row")->bytes.data(), base->bytes.data() + 48);  // without a copy
  EXPECT_EQ(values<float>(file.find("row")), (std::vector<float>{10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(file.find("transposed")->shape, (std::vector<std::int64_t>{6, 4}));
  const auto transposed = values<float>(file.find("transposed"));
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(transposed[i], static_cast<float>(i % 4 * 6 + i / 4) - 2);
  }
  EXPECT_EQ(values<float>(file.find("columns")), (std::vector<float>{5, 7, 9, 11, 13, 15}));
  EXPECT_EQ(values<float>(file.find("expanded")), std::vector<float>(6, 7.0f));
  EXPECT_EQ(file.find("none")->shape, (std::vector<std::int64_t>{4, 0}));
  std::vector<std::int16_t> ramp;
  for (int i = 0; i < 24; ++i) ramp.push_back(static_cast<std::int16_t>(i - 2));
  EXPECT_EQ(values<std::int16_t>(file.find("flipped_channels")), ramp);
}

TEST_P(BothForms, RecordsOutliveTheObject) {
  TensorRecord mapped, copied;
  {
    const TorchFile file = open("torch_strided");
    mapped = *file.find("row");
    copied = *file.find("expanded");
  }
  EXPECT_EQ(values<float>(&mapped)[0], 10);
  EXPECT_EQ(values<float>(&copied)[5], 7);
}

TEST(TorchFile, EveryPickleProtocol) {
  for (const auto* protocol : {"1", "3", "4", "5"}) {
    const TorchFile file(golden(std::string("torch_protocol") + protocol + ".pth"));
    EXPECT_EQ(values<float>(file.find("a")), (std::vector<float>{-2, -1, 0, 1, 2, 3}));
    EXPECT_EQ(file.scalars(), Json::parse(R"({"large": 1099511627776, "minus": -3, "half": 0.5,
                                              "yes": true, "none": null})"))
        << protocol;
  }
}

TEST(TorchFile, Parameters) {
  const TorchFile file(golden("torch_parameters.pth"));
  EXPECT_EQ(values<float>(file.find("weight")), (std::vector<float>{-2, -1, 0, 1, 2, 3}));
  EXPECT_EQ(values<float>(file.find("tagged")), (std::vector<float>{-2, -1, 0}));
}

TEST(TorchFile, NumpyOneScalars) {
  const auto scalar = [](const char* code, std::string_view bytes_as_text) {
    return build::call(
        "numpy.core.multiarray", "scalar",
        build::tuple(
            {build::call("numpy", "dtype", build::tuple({build::text(code), "\x89", "\x88"})),
             build::call("_codecs", "encode",
                         build::tuple({build::text(bytes_as_text), build::text("latin1")}))}));
  };
  const std::string file = build::torch_zip(build::dict(
      {build::text("lr") + scalar("f8", std::string_view("\0\0\0\0\0\0\u00e0?", 9)),
       build::text("short") + scalar("f8", "x"), build::text("odd") + scalar("V8", "12345678")}));
  const Json scalars = TorchFile(bytes_of(file), "x").scalars();
  EXPECT_EQ(scalars.at("lr"), 0.5);
  EXPECT_EQ(scalars.at("short"), "<numpy.scalar>");
  EXPECT_EQ(scalars.at("odd"), "<numpy.scalar>");
}

TEST(TorchFile, OneTensorOrAListOfThem) {
  const std::string one = build::torch_zip(build::tensor({}));
  EXPECT_EQ(TorchFile(bytes_of(one), "x").find("")->shape, (std::vector<std::int64_t>{2, 2}));
  const std::string list =
      build::torch_zip(std::string("](") + build::tensor({}) + build::tensor({}) + "e");
  EXPECT_NE(TorchFile(bytes_of(list), "x").find("1"), nullptr);
}

TEST(TorchFile, RefusesWhatPythonWouldHaveToBuild) {
  const auto expect = [](const char* name, std::string_view reason) {
    try {
      TorchFile file(golden(name));
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format);
      EXPECT_NE(std::string_view(error.what()).find(reason), std::string::npos) << error.what();
    }
  };
  expect("refused_float8.pth", "mentions torch._utils._rebuild_tensor_v3");
  expect("refused_script.pth", "TorchScript");
}

TEST(TorchFile, ObjectsNobodyNeedsStayClosed) {
  for (const std::string& object : build::closed_objects()) {
    SCOPED_TRACE(object);
    const std::string bytes = build::torch_zip(
        build::dict({build::text("t") + build::tensor({}), build::text("args") + object,
                     build::tuple({build::text("key")}) + object}));
    const TorchFile file(bytes_of(bytes), "x");
    ASSERT_EQ(file.tensors().size(), 1u);
    EXPECT_EQ(file.tensors()[0].name, "t");
    EXPECT_EQ(file.scalars().size(), 2u) << file.scalars();
  }
}

TEST(TorchFile, DictionariesOfOtherClassesAreDictionaries) {
  const std::string items =
      build::dict({build::text("t") + build::tensor({}), build::text("lr") + std::string("K\x07")});
  for (const std::string& made :
       {build::call("collections", "defaultdict",
                    build::tuple({build::global("builtins", "dict")})),
        build::global("lightning.fabric.utilities.data", "AttributeDict") + ")\x81"}) {
    // The same items as in a plain dict, set on the object.
    const std::string bytes = build::torch_zip(
        build::dict({build::text("hyper_parameters") + made + items.substr(items.find('('))}));
    const TorchFile file(bytes_of(bytes), "x");
    ASSERT_NE(file.find("hyper_parameters.t"), nullptr);
    EXPECT_EQ(file.scalars()["hyper_parameters"]["lr"], 7);
  }
}

TEST(TorchFile, ReadsWholeModulesWithoutTheirClass) {
  const TorchFile file(golden("torch_module.pth"));
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.find("weight")->shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(file.find("bias")->shape, (std::vector<std::int64_t>{1}));
}

TEST(TorchFile, TypedTensorsAreTheirTensors) {
  const std::string plain = build::tensor({});
  const std::string bytes = build::torch_zip(build::dict(
      {build::text("t") +
       build::call("torch._tensor", "_rebuild_from_type_v2",
                   build::tuple({build::global("torch._utils", "_rebuild_parameter"),
                                 build::global("my.own", "Parameter"),
                                 build::tuple({plain, "\x88", build::ordered_dict()}), "}"}))}));
  EXPECT_EQ(TorchFile(bytes_of(bytes), "x").find("t")->bytes.size(), 16u);
}

// ---- What we write ------------------------------------------------------------------------------

struct TorchSample : Sample {
  std::array<std::int32_t, 1> scalar = {-1};
  std::vector<TensorRecord> records() const {
    auto all = Sample::records();
    all.push_back({"a.again", DType::F32, {4}, std::as_bytes(std::span(a))});
    all.push_back({"scalar", DType::I32, {}, std::as_bytes(std::span(scalar))});
    return all;
  }
};

// tests/golden/format/make_torch.py has read these very files with torch.load.
TEST(WriteTorchZip, WriterBytesArePinned) {
  test::TempDir dir;
  const TorchSample sample;
  write_torch_zip(dir / "a", sample.records());
  EXPECT_EQ(read_file(dir / "a"), read_file(golden("ours.pth")));
  write_torch_zip(dir / "b", std::vector<TorchEntry>{{"teacher", sample.records()}});
  EXPECT_EQ(read_file(dir / "b"), read_file(golden("ours_teacher.pth")));
}

TEST(WriteTorchZip, RoundTripOfEveryBit) {
  test::TempDir dir;
  const TorchSample sample;
  const auto records = sample.records();
  for (const std::string wrapper : {"", "teacher"}) {
    if (wrapper.empty()) {
      write_torch_zip(dir / "a", records);
    } else {
      write_torch_zip(dir / "a", std::vector<TorchEntry>{{wrapper, records}});
    }
    const TorchFile file(dir / "a");
    ASSERT_EQ(file.tensors().size(), records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      const TensorRecord& got = file.tensors()[i];
      EXPECT_EQ(got.name, (wrapper.empty() ? "" : wrapper + ".") + records[i].name);
      EXPECT_EQ(got.dtype, records[i].dtype);
      EXPECT_EQ(got.shape, records[i].shape);
      EXPECT_EQ(text_of(got.bytes), text_of(records[i].bytes));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.bytes.data()) % 64, 0u);
    }
    EXPECT_EQ(file.tensors()[1].bytes.data(), file.tensors()[4].bytes.data());  // shared
  }
}

TEST(WriteTorchZip, WhatWasReadFromEveryForm) {
  test::TempDir dir;
  for (const auto* name : {"torch_plain", "torch_full", "torch_strided"}) {
    const TorchFile original(golden(std::string(name) + "_legacy.pth"));
    write_torch_zip(dir / "a", original.tensors());
    const TorchFile copy(dir / "a");
    for (const TensorRecord& record : original.tensors()) {
      EXPECT_EQ(text_of(copy.find(record.name)->bytes), text_of(record.bytes)) << record.name;
    }
  }
}

TEST(WriteTorchZip, NothingAtAll) {
  test::TempDir dir;
  write_torch_zip(dir / "a", std::span<const TensorRecord>{});
  EXPECT_TRUE(TorchFile(dir / "a").tensors().empty());
  write_torch_zip(dir / "b", std::span<const TorchEntry>{});
  EXPECT_TRUE(TorchFile(dir / "b").tensors().empty());
}

TEST(WriteTorchZip, OverAFileThatIsMapped) {
  test::TempDir dir;
  const TorchSample sample;
  write_torch_zip(dir / "a", sample.records());
  const TorchFile old(dir / "a");
  write_torch_zip(dir / "a", std::vector<TorchEntry>{{"model", old.tensors()}});
  EXPECT_EQ(values<std::int64_t>(old.find("ids"))[0], -1);
  EXPECT_EQ(values<std::int64_t>(TorchFile(dir / "a").find("model.ids"))[0], -1);
}

TEST(WriteTorchZip, ManySizesOfIntegers) {
  test::TempDir dir;
  const std::vector<std::byte> zeros(70'000);
  const std::vector<TensorRecord> records = {{"k", DType::U8, {255, 1}, {zeros.data(), 255}},
                                             {"m", DType::U8, {256, 2}, {zeros.data(), 512}},
                                             {"j", DType::U8, {70'000}, zeros},
                                             {"l", DType::U8, {std::int64_t{1} << 40, 0}, {}}};
  write_torch_zip(dir / "a", records);
  const TorchFile file(dir / "a");
  for (const TensorRecord& record : records) {
    EXPECT_EQ(file.find(record.name)->shape, record.shape);
  }
}

TEST(WriteTorchZip, SeveralEntries) {
  test::TempDir dir;
  const TorchSample sample;
  const auto records = sample.records();
  write_torch_zip(dir / "a", std::vector<TorchEntry>{{"student", records}, {"teacher", records}});
  const TorchFile file(dir / "a");
  ASSERT_EQ(file.tensors().size(), 2 * records.size());
  EXPECT_EQ(file.tensors()[1].name, "student.a");
  EXPECT_EQ(file.find("teacher.a")->bytes.data(), file.find("student.a")->bytes.data());
}

TEST(WriteTorchZip, RefusesWhatCannotBeRead) {
  using Records = std::vector<TensorRecord>;
  using Entries = std::vector<TorchEntry>;
  test::TempDir dir;
  const std::array<float, 4> data{};
  const auto bytes = std::as_bytes(std::span(data));
  const auto expect_usage = [&](const auto& contents) {
    expect_usage_error(dir / "a", [&] { write_torch_zip(dir / "a", contents); });
  };
  expect_usage(Records{{"x", DType::F32, {4}, bytes}, {"x", DType::F32, {4}, bytes}});
  expect_usage(Records{{"x", DType::F32, {5}, bytes}});
  expect_usage(Records{{"x", DType::F64, {4}, bytes}});
  expect_usage(Records{{"x", DType::U32, {4}, bytes}});
  expect_usage(Records{{"x", DType::F8_E4M3, {16}, bytes}});
  expect_usage(Records{{"caf\xE9", DType::F32, {4}, bytes}});
  expect_usage(Entries{{"caf\xE9", {}}});
  expect_usage(Entries{{"teacher", {}}, {"teacher", {}}});
  expect_usage(Entries{{"teacher", {{"x", DType::F32, {5}, bytes}}}});
}

}  // namespace
}  // namespace dino::format
