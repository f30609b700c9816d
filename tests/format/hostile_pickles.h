// Pickles that must be refused whatever file holds them.
#pragma once
#include <string>
#include <vector>

#include "tests/format/torch_builder.h"

namespace dino::format::build {

struct HostilePickle {
  std::string body;    ///< without PROTO and STOP
  std::string reason;  ///< part of the message
};

inline std::string entry(const std::string& value) {
  return dict({text("x") + value});
}

inline std::vector<HostilePickle> programs() {
  const std::string argument = tuple({text("touch /tmp/owned")});
  std::vector<HostilePickle> result = {
      {call("os", "system", argument), "os.system"},
      {call("posix", "system", argument), "posix.system"},
      {call("nt", "system", argument), "nt.system"},
      {call("builtins", "eval", argument), "builtins.eval"},
      {call("builtins", "exec", argument), "builtins.exec"},
      {call("__builtin__", "eval", argument), "__builtin__.eval"},
      {call("subprocess", "Popen", argument), "subprocess.Popen"},
      {call("torch", "load", argument), "torch.load"},
      {call("torch.serialization", "load", argument), "torch.serialization.load"},
      {call("torch._utils", "_rebuild_qtensor", argument), "torch._utils._rebuild_qtensor"},
      {call("numpy.testing._private.utils", "runstring", argument), "runstring"},
      {call("", "", ")"), "mentions ."},
      {call("os", "sys\x1b[2Jtem", ")"), "os.sys\\x1B[2Jtem"},
      {call("os.path", "join", argument), "os.path.join"},
      {call("builtins", "open.__call__", argument), "builtins.open"},
      // Hidden where nothing seems to use it, or spelt in protocol 4.
      {global("os", "system") + "0}", "os.system"},
      {entry(call("posix", "system", argument)), "posix.system"},
      {text("os") + text("system") + "\x93" + argument + "R", "os.system"},
      {text("os") + "K\x01\x93", "a name is not text"},
      {global("os", "system") + ")\x81", "os.system"},
      {global("os", "system") + ")}\x92", "os.system"},
      {ordered_dict() + entry(call("os", "system", argument)) + "b", "os.system"},
      {"(ios\nsystem\n", "0x69"},
      {"(" + text("x") + "o", "0x6f"},
      {"\x82\x01", "0x82"},
      {"Pos.system\n", "0x50"},
      {"S'text'\n", "0x53"},
      {"\xff", "0xff"},
  };
  return result;
}

/** Objects that Python would have to build, and that nobody needs: they stay closed. */
inline std::vector<std::string> closed_objects() {
  const std::string argument = tuple({text("x")});
  return {global("torch", "float32"),
          global("pathlib", "PosixPath"),
          call("pathlib", "PosixPath", argument),
          call("torch", "device", argument),
          call("builtins", "getattr", tuple({global("enum", "Enum"), text("x")})),
          call("copy_reg", "_reconstructor", ")"),
          call("_codecs", "decode", argument),
          call("collections.OrderedDict", "fromkeys", ")"),
          call("datetime", "datetime", argument) + dict({text("x") + "K\x01"}) + "b",
          global("my.own", "Class") + ")\x81" + dict({text("x") + "K\x01"}) + "b",
          global("my.own", "Class") + ")" + dict({text("x") + "K\x01"}) + "\x92",
          call("my.own", "factory", argument) + argument + "R",
          call("builtins", "set",
               tuple({"](K\x01K\x02"
                      "e"})),
          "\x8f(K\x01K\x02\x90",
          call("my.own", "List", ")") +
              "(K\x01K\x02"
              "e",
          global("my\x1b.own", "Class")};
}

inline std::vector<HostilePickle> broken_machines() {
  return {
      {"", "the stack is empty"},
      {"}}", "left over"},
      {"(}", "left over"},
      {"h\x05", "memo 5 was never set"},
      {std::string("j") + little(0xFFFFFFFF, 4), "memo 4294967295 was never set"},
      {std::string("q") + std::string(1, '\0'), "the stack is empty"},
      {"t", "wants a mark"},
      {"\x87", "wants 3 values"},
      {"K\x01K\x02(\x86", "wants 2 values"},
      {"](K\x01K\x02"
       "e0",
       "the stack is empty"},
      {"}K\x01"
       "a",
       "not a list"},
      {"]K\x01K\x02"
       "s",
       "not a dict"},
      {"}(K\x01u", "a key without a value"},
      {"(K\x01"
       "d",
       "a key without a value"},
      {")}b", "gives attributes to what has none"},
      {"K\x01)R", "applies what is not a name"},
      {global("collections", "OrderedDict") + "]R", "not a tuple"},
      {global("collections", "OrderedDict") + "K\x01\x85R", "a list of pairs"},
      {global("collections", "OrderedDict") + "](K\x01"
                                              "e\x85R",
       "a list of pairs"},
      {global("argparse", "Namespace") + ")" + dict({text("x") + "K\x01"}) + "\x92",
       "keyword arguments"},
      {"\x80\x06}", "protocol 6"},
      {std::string("X") + little(0xFFFFFFFF, 4) + "abc", "cut short"},
      {std::string("\x8d") + little(UINT64_MAX, 8) + "abc", "cut short"},
      {std::string("\x8e") + little(UINT64_MAX - 3, 8) + "abc", "cut short"},
      {std::string("\x8b") + little(0x7FFFFFFF, 4) + "abc", "cut short"},
      {std::string("I") + std::string(300, '1') + "\n", "a line does not end"},
      {"I99999999999999999999\n", "not an integer"},
      {"Ieval\n", "not an integer"},
      {std::string("c") + std::string(10'000, 'x'), "a line does not end"},
      {std::string(100'000, '('), "nested deeper"},
      {std::string("}") + std::string(5'000'000, '2'), "more than 4000000 values"},
      {std::string("}") + std::string(5'000'000, '\x94'), "more than 4000000 values"},
  };
}

inline std::vector<HostilePickle> broken_tensors() {
  const auto rebuild = [](const std::vector<std::string>& arguments) {
    return entry(call("torch._utils", "_rebuild_tensor_v2", tuple(arguments)));
  };
  const std::string wants = "a tensor wants storage";
  return {
      {entry(tensor({.offset = -1})), wants},
      {entry(tensor({.shape = {-2, 2}})), wants},
      {entry(tensor({.strides = {2, -1}})), wants},
      {entry(tensor({.shape = {2, 2, 1}})), wants},
      {entry(tensor({.shape = {2}})), wants},
      {entry(tensor({.shape = std::vector<std::int64_t>(65, 1),
                     .strides = std::vector<std::int64_t>(65, 1)})),
       wants},
      {entry(tensor({.storage = text("0")})), wants},
      {rebuild({}), wants},
      {rebuild({storage(), integer(0), integers({4})}), wants},
      {rebuild({storage(), text("0"), integers({4}), integers({1}), "\x89", "}"}), wants},
      {rebuild({storage(), integer(0), "]", integers({1}), "\x89", "}"}), wants},
      {rebuild({storage(), integer(0), tuple({text("4")}), integers({1}), "\x89", "}"}), wants},
      {rebuild({storage(), std::string("\x8a\x09") + std::string(9, '\x01'), integers({4}),
                integers({1}), "\x89", "}"}),
       wants},
      {entry(call("torch._utils", "_rebuild_parameter", tuple({text("x"), "\x88", "}"}))),
       "a parameter wants a tensor"},
      {entry(call("torch._utils", "_rebuild_parameter", ")")), "a parameter wants a tensor"},
      {entry(call("torch", "Size", tuple({tuple({integer(-1)})}))), "torch.Size wants sizes"},
      {entry(call("torch", "FloatStorage", ")")), "torch.FloatStorage within the pickle"},
      {entry(text("storage") + "Q"), "not a storage"},
      {entry(tuple({text("storage"), global("torch", "Size"), text("0"), text("cpu"), integer(4)}) +
             "Q"),
       "not a storage"},
      {entry(tuple({text("module"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                    integer(4)}) +
             "Q"),
       "not a storage"},
      {entry(tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                    integer(-4)}) +
             "Q"),
       "not a storage"},
      {entry(tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                    integer(4), tuple({text("v"), integer(1), integer(2)})}) +
             "Q"),
       "views of storages"},
  };
}

inline std::vector<HostilePickle> hostile_pickles() {
  std::vector<HostilePickle> all = programs();
  for (const auto& more : {broken_machines(), broken_tensors()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

/** Good pickles, but no state dict that can be named or that fits in memory. `legacy` changes how a
 * storage is spelt. */
inline std::vector<HostilePickle> hostile_trees(bool legacy = false) {
  const std::string t = tensor({.storage = storage("0", 4, "FloatStorage", legacy)});
  const auto with = [&](std::int64_t offset, std::vector<std::int64_t> shape,
                        std::vector<std::int64_t> strides) {
    return entry(tensor({storage("0", 4, "FloatStorage", legacy), offset, shape, strides}));
  };
  std::string deep, laughs = "]q\1K\1a0";
  for (int i = 0; i < 100; ++i) deep.append("}").append(text("x"));
  deep += t;
  for (int i = 0; i < 100; ++i) deep += "s";
  for (char i = 1; i < 40; ++i) {  // each list holds the one before ten times
    laughs += std::string("]q") + static_cast<char>(i + 1) + "(";
    for (int k = 0; k < 10; ++k) laughs += std::string("h") + i;
    laughs += "e0";
  }
  laughs += "h\x28";
  std::string wide = std::string("}(") + text("x") + t + "q\1";
  for (int i = 0; i < 2000; ++i)
    wide += text(std::to_string(i)) + tensor({.storage = storage("0", 4, "FloatStorage", legacy),
                                              .shape = {1000},
                                              .strides = {0}});
  wide += "u";
  const std::int64_t big = std::int64_t{1} << 62;
  const std::string leave = "leave its storage of 4";
  return {
      {with(1, {2, 2}, {2, 1}), leave},
      {with(4, {1}, {1}), leave},
      {with(5, {0}, {1}), leave},
      {with(INT64_MAX, {1}, {1}), leave},
      {with(0, {5}, {1}), leave},
      {with(0, {2, 2}, {3, 1}), leave},
      {with(0, {2}, {INT64_MAX}), leave},
      {with(2, {2, 2}, {INT64_MAX, INT64_MAX}), leave},
      {with(0, {5, 1}, {big, 1}), leave},  // 4 x 2^62 is 0 modulo 2^64
      {with(0, {3, 3}, {big, big}), leave},
      {with(0, {big, 4}, {0, 0}), "more than 2^63"},
      {with(0, {std::int64_t{1} << 32, std::int64_t{1} << 32}, {0, 0}), "more than 2^63"},
      {with(0, {0, big, big}, {1, 1, 1}), "more than 2^63"},
      {with(0, {1'000'000'000}, {0}), "repeat a storage"},
      {with(0, {big / 4}, {0}), "repeat a storage"},
      {wide, "repeat a storage"},
      {deep, "nested deeper than 64"},
      {laughs, "repeats its values too often"},
      {"]q\1h\1a", "nested deeper than 64"},  // a list within itself
      {"]q\1(h\1h\1h\1e", "nested deeper than 64"},
      {std::string("}q\1") + text("x") + "h\1s", "nested deeper than 64"},
      {dict({text("x") + t, text("x") + t}), "two tensors have this name"},
      {dict({text("a.b") + t, text("a") + dict({text("b") + t})}), "two tensors have this name"},
      {dict({text("1") + t, integer(1) + t}), "two tensors have this name"},
      {dict({text("x") + "K\1", text("x") + "K\2"}), "the key 'x' twice"},
      {dict({text("caf\xE9") + t}), "not UTF-8"},
      {dict({text(std::string(5000, 'x')) + t}), "longer than 4096"},
  };
}

}  // namespace dino::format::build
