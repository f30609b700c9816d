#include "dino/format/pickle.h"

#include "dino/base/file.h"
#include "tests/format/hostile.h"
#include "tests/format/hostile_pickles.h"

namespace dino::format {
namespace {

using build::global;
using build::integer;
using build::text;
using build::tuple;
using build::whole;
using Kind = PickleKind;

/** The value of `body`, held with the bytes it borrows. */
class Read {
 public:
  explicit Read(std::string_view body) : bytes_(whole(body)), pickle_(bytes_of(bytes_), "x") {}
  const PickleValue& operator*() const { return pickle_.root(); }
  const PickleValue* operator->() const { return &pickle_.root(); }

 private:
  std::string bytes_;
  Pickle pickle_;
};

TEST(Pickle, Scalars) {
  EXPECT_EQ(Read("N")->kind, Kind::None);
  EXPECT_EQ(Read("\x88")->kind, Kind::Bool);
  EXPECT_EQ(Read("\x88")->integer, 1);
  EXPECT_EQ(Read("I01\n")->kind, Kind::Bool);
  EXPECT_EQ(Read("I00\n")->integer, 0);
  EXPECT_EQ(Read("I-7\n")->integer, -7);
  EXPECT_EQ(Read("L1099511627776L\n")->integer, std::int64_t{1} << 40);
  EXPECT_EQ(Read("K\xff")->integer, 255);
  EXPECT_EQ(Read("M\xe9\x03")->integer, 1001);
  EXPECT_EQ(Read("J\xff\xff\xff\xff")->integer, -1);
  EXPECT_EQ(Read("\x8a\x01\xff")->integer, -1);
  EXPECT_EQ(Read("\x8a\x02\xff\x7f")->integer, 32767);
  EXPECT_EQ(Read(std::string("\x8a\0", 2))->integer, 0);
  EXPECT_EQ(Read(integer(INT64_MIN))->integer, INT64_MIN);
  EXPECT_EQ(Read(std::string("\x8a\x09") + std::string(9, '\x01'))->kind, Kind::BigInt);
  EXPECT_EQ(Read(std::string("G\x40\x04\0\0\0\0\0\0", 9))->number, 2.5);
  EXPECT_EQ(Read(text("naïve"))->text, "naïve");
  EXPECT_EQ(Read("\x8c\x02hi")->text, "hi");
  EXPECT_EQ(Read("C\x02hi")->kind, Kind::Bytes);
}

TEST(Pickle, Containers) {
  const Read list(
      "](K\x01K\x02"
      "eK\x03"
      "a");
  ASSERT_EQ(list->items.size(), 3u);
  EXPECT_EQ(list->items[2]->integer, 3);
  EXPECT_EQ(Read("K\x01K\x02K\x03\x87")->items.size(), 3u);
  EXPECT_EQ(Read(")")->kind, Kind::Tuple);
  EXPECT_EQ(Read("(K\x01K\x02"
                 "d")
                ->items[1]
                ->integer,
            2);
  const Read shared("]q\x05\x85h\x05\x86");
  EXPECT_EQ(shared->items[0]->items[0], shared->items[1]);
}

TEST(Pickle, ProtocolFourNamesAndMemo) {
  const Read value(std::string("\x95") + std::string(8, '\x01') +
                   "}\x94\x8c\x0b"
                   "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94h\x01h\x02s\x86");
  ASSERT_EQ(value->kind, Kind::Tuple);
  EXPECT_TRUE(value->items[0]->items.empty());
  EXPECT_EQ(value->items[1]->kind, Kind::Dict);
  EXPECT_EQ(value->items[1]->items[0]->text, "collections");
}

TEST(Pickle, OrderedDictWithAttributesIsADict) {
  const Read value(build::ordered_dict() + text("a") + "K\x01s" +
                   build::dict({text("_metadata") + "}"}) + "b");
  EXPECT_EQ(value->kind, Kind::Dict);
  EXPECT_EQ(value->items.size(), 2u);
  ASSERT_NE(value->state, nullptr);
  EXPECT_EQ(value->state->items[0]->text, "_metadata");
}

TEST(Pickle, OrderedDictOfPythonTwo) {
  const Read value(global("collections", "OrderedDict") + "](](" +
                   "U\x01"
                   "aK\x01" +
                   "ee\x85R");
  EXPECT_EQ(value->kind, Kind::Dict);
  EXPECT_EQ(value->items[0]->text, "a");
}

TEST(Pickle, RecordsStayInert) {
  const Read value(global("argparse", "Namespace") + ")\x81" + build::dict({text("lr") + "K\x02"}) +
                   "b");
  EXPECT_EQ(value->kind, Kind::Record);
  EXPECT_EQ(value->global->full, "argparse.Namespace");
  EXPECT_EQ(value->state->items[1]->integer, 2);
}

TEST(Pickle, Tensors) {
  const std::string tensor = build::tensor(
      {.storage = build::storage("7", 100, "HalfStorage"), .offset = 3, .shape = {4, 5}});
  const Read value(tensor);
  ASSERT_EQ(value->kind, Kind::Tensor);
  const PickleTensor parts = tensor_of(*value);
  EXPECT_EQ(value->dtype, DType::F16);
  EXPECT_EQ(parts.storage->text, "7");
  EXPECT_EQ(parts.storage->integer, 100);
  EXPECT_EQ(parts.offset, 3);
  EXPECT_EQ(parts.shape, (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(parts.strides, (std::vector<std::int64_t>{2, 1}));
  const Read parameter(
      build::call("torch._utils", "_rebuild_parameter", tuple({tensor, "\x88", "}"})));
  EXPECT_EQ(parameter->kind, Kind::Tensor);
}

TEST(Pickle, EndsAtItsStop) {
  const std::string two = whole("}") + whole("]");
  const Pickle first(bytes_of(two), "x");
  EXPECT_EQ(first.size_bytes(), 4u);
  EXPECT_EQ(Pickle(bytes_of(two).subspan(4), "x").root().kind, Kind::List);
}

TEST(PickleHostile, EveryOneIsRefused) {
  for (const build::HostilePickle& hostile : build::hostile_pickles()) {
    const std::string bytes = whole(hostile.body);
    SCOPED_TRACE(hostile.reason);
    expect_refused([&] { Pickle(bytes_of(bytes), "hostile.bin"); }, hostile.reason);
  }
}

TEST(PickleHostile, AllowedNamesAreTheseAlone) {
  for (const auto* module : {"torch", "torch._utils", "numpy", "collections", "argparse"}) {
    for (const auto* name : {"eval", "load", "_rebuild_tensor", "_rebuild_tensor_v3",
                             "QInt8Storage", "Tensor", "Counter", "frombuffer", "ArgumentParser"}) {
      EXPECT_EQ(find_pickle_global(module, name), nullptr) << module << "." << name;
    }
  }
  EXPECT_EQ(storage_class_name(DType::BF16), "BFloat16Storage");
  EXPECT_EQ(storage_class_name(DType::U16), std::nullopt);
}

TEST(PickleHostile, EveryCutAndEveryChangedByte) {
  for (const auto* name : {"torch_protocol1.pkl", "torch_protocol5.pkl"}) {
    expect_survives_damage(text_of(read_file(golden(name))),
                           [](auto bytes) { Pickle(bytes, "hostile.bin"); });
  }
}

}  // namespace
}  // namespace dino::format
