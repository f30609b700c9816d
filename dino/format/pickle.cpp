// The pickle machine after Python's pickletools, reduced to what torch.save writes. Leaves out:
// protocol 0, extension codes, out-of-band buffers, and running anything.
#include "dino/format/pickle.h"

#include <algorithm>

#include "dino/base/error.h"
#include "dino/base/text.h"
#include "dino/format/pickle_input.h"
#include "dino/format/pickle_scalars.h"
#include "dino/format/pickle_stack.h"

namespace dino::format {
namespace {

constexpr std::size_t kMaxDimensions = 64;  // PyTorch's own limit
constexpr std::size_t kMaxClosedNames = 10'000;

bool is_size(const PickleValue* value) {
  return value->kind == PickleKind::Int && value->integer >= 0;
}

bool are_sizes(const PickleValue* value) {
  return value->kind == PickleKind::Tuple && value->items.size() <= kMaxDimensions &&
         std::all_of(value->items.begin(), value->items.end(), is_size);
}

std::vector<std::int64_t> sizes_of(const PickleValue* value) {
  std::vector<std::int64_t> result;
  for (const PickleValue* item : value->items) result.push_back(item->integer);
  return result;
}

}  // namespace

PickleTensor tensor_of(const PickleValue& value) {
  DINO_ASSERT(value.kind == PickleKind::Tensor);
  return {.storage = value.items[0],
          .offset = value.items[1]->integer,
          .shape = sizes_of(value.items[2]),
          .strides = sizes_of(value.items[3])};
}

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::string_view name, Pickle& pickle)
      : input_(bytes, name), pickle_(pickle), stack_(pickle.values_, input_) {}

  void run() {
    for (;;) {
      const unsigned char opcode = input_.take_opcode();
      if (opcode == '.') break;
      if (!push_pickle_scalar(opcode, input_, stack_) && !run_tuple(opcode) &&
          !run_container(opcode) && !run_memo(opcode) && !run_object(opcode)) {
        refuse("instruction 0x{:02x} is not one that torch.save writes", opcode);
      }
    }
    pickle_.root_ = stack_.pop();
    if (!stack_.empty()) refuse("values are left over at the end");
    pickle_.size_bytes_ = input_.position();
  }

 private:
  using Value = PickleValue;
  using Kind = PickleKind;

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    input_.refuse(format, std::forward<Args>(args)...);
  }

  // ---- Containers -------------------------------------------------------------------------------

  void push_items(Kind kind, std::vector<const Value*> items) {
    if (kind == Kind::Dict && items.size() % 2 != 0) refuse("a dict has a key without a value");
    stack_.count(items.size());
    stack_.push_new(kind)->items = std::move(items);
  }

  void append(Kind kind, const std::vector<const Value*>& items) {
    Value* target = stack_.top();
    if (kind == Kind::Dict && items.size() % 2 != 0) refuse("a dict has a key without a value");
    if (target->kind == Kind::Record && kind == Kind::List) return;  // its class is a list too
    if (target->kind == Kind::Record) {
      if (target->entries == nullptr) {
        target->entries = stack_.push_new(Kind::Dict);
        stack_.pop();
      }
      target = target->entries;
    }
    if (target->kind != kind) refuse("appends to what is not a {}", kind_name(kind));
    target->items.insert(target->items.end(), items.begin(), items.end());
  }

  static std::string_view kind_name(Kind kind) { return kind == Kind::Dict ? "dict" : "list"; }

  bool run_tuple(unsigned char opcode) {
    switch (opcode) {
      case '(':
        stack_.mark();
        return true;
      case ')':
        stack_.push_new(Kind::Tuple);
        return true;
      case 0x85:
        push_items(Kind::Tuple, stack_.pop_last(1));
        return true;
      case 0x86:
        push_items(Kind::Tuple, stack_.pop_last(2));
        return true;
      case 0x87:
        push_items(Kind::Tuple, stack_.pop_last(3));
        return true;
      case 't':
        push_items(Kind::Tuple, stack_.pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  bool run_container(unsigned char opcode) {
    switch (opcode) {
      case ']':
        stack_.push_new(Kind::List);
        return true;
      case 'l':
        push_items(Kind::List, stack_.pop_to_mark());
        return true;
      case 'a':
        append(Kind::List, stack_.pop_last(1));
        return true;
      case 'e':
        append(Kind::List, stack_.pop_to_mark());
        return true;
      case 0x8f:
        stack_.push_new(Kind::List);
        return true;  // sets
      case 0x90:
        append(Kind::List, stack_.pop_to_mark());
        return true;
      case 0x91:
        push_items(Kind::List, stack_.pop_to_mark());
        return true;
      case '}':
        stack_.push_new(Kind::Dict);
        return true;
      case 'd':
        push_items(Kind::Dict, stack_.pop_to_mark());
        return true;
      case 's':
        append(Kind::Dict, stack_.pop_last(2));
        return true;
      case 'u':
        append(Kind::Dict, stack_.pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  // ---- Memo and stack tricks --------------------------------------------------------------------

  bool run_memo(unsigned char opcode) {
    switch (opcode) {
      case 'q':
        stack_.put(input_.take_unsigned(1));
        return true;
      case 'r':
        stack_.put(input_.take_unsigned(4));
        return true;
      case 0x94:
        stack_.put_next();
        return true;
      case 'h':
        stack_.get(input_.take_unsigned(1));
        return true;
      case 'j':
        stack_.get(input_.take_unsigned(4));
        return true;
      case '0':
        stack_.pop();
        return true;
      case '1':
        stack_.pop_to_mark();
        return true;
      case '2':
        stack_.push(stack_.top());
        return true;
      case 0x80:
        if (const auto version = input_.take_unsigned(1); version > 5) {
          refuse("protocol {} is unknown", version);
        }
        return true;
      case 0x95:
        input_.take_unsigned(8);
        return true;  // a frame: only of use to readers of streams
      default:
        return false;
    }
  }

  // ---- Names and what is made of them -----------------------------------------------------------

  void push_global(std::string_view module, std::string_view name) {
    const PickleGlobal* global = find_pickle_global(module, name);
    if (global == nullptr) global = closed_name(module, name);
    Value* const value = stack_.push_new(Kind::Global);
    value->global = global;
    value->dtype = global->dtype;
  }

  const PickleGlobal* closed_name(std::string_view module, std::string_view name) {
    if (const std::string_view why = refusal_of(module, name); !why.empty())
      refuse("mentions {}.{}, {}", printable(module.substr(0, 80)), printable(name.substr(0, 80)),
             why);
    const auto [entry, is_new] = pickle_.closed_.try_emplace({module, name});
    Pickle::ClosedName& closed = entry->second;
    if (is_new) {
      if (pickle_.closed_.size() > kMaxClosedNames)
        refuse("mentions more than {} names of Python", kMaxClosedNames);
      closed.full = fmt::format("{}.{}", module.substr(0, 200), name.substr(0, 200));
      closed.global = {
          .module = module, .name = name, .full = closed.full, .role = GlobalRole::Closed};
    }
    return &closed.global;
  }

  void push_stack_global() {
    const auto names = stack_.pop_last(2);
    for (const Value* name : names) {
      if (name->kind != Kind::Text) refuse("a name is not text");
    }
    push_global(names[0]->text, names[1]->text);
  }

  /** ("storage", class, key, device, elements) and, in old files, the view within the storage. */
  void push_storage(const Value* id) {
    const auto is = [&](std::size_t i, Kind kind) { return id->items[i]->kind == kind; };
    const bool good = id->kind == Kind::Tuple && (id->items.size() == 5 || id->items.size() == 6) &&
                      is(0, Kind::Text) && id->items[0]->text == "storage" && is(1, Kind::Global) &&
                      id->items[1]->global->role == GlobalRole::Storage && is(2, Kind::Text) &&
                      is(3, Kind::Text) && is_size(id->items[4]);
    if (!good) refuse("refers to something outside that is not a storage");
    if (id->items.size() == 6 && !is(5, Kind::None)) {
      refuse("views of storages, as PyTorch before 0.4 wrote them, are not supported");
    }
    Value* const storage = stack_.push_new(Kind::Storage);
    storage->dtype = id->items[1]->dtype;
    storage->text = id->items[2]->text;
    storage->integer = id->items[4]->integer;
    pickle_.storages_.push_back(storage);
  }

  void push_tensor(const std::vector<const Value*>& arguments) {
    const bool good = arguments.size() >= 6 && arguments.size() <= 7 &&
                      arguments[0]->kind == Kind::Storage && is_size(arguments[1]) &&
                      are_sizes(arguments[2]) && are_sizes(arguments[3]) &&
                      arguments[2]->items.size() == arguments[3]->items.size();
    if (!good) {
      refuse(
          "a tensor wants storage, offset, size and stride, none negative, at most {} dimensions",
          kMaxDimensions);
    }
    Value* const tensor = stack_.push_new(Kind::Tensor);
    tensor->dtype = arguments[0]->dtype;
    tensor->items.assign(arguments.begin(), arguments.begin() + 4);
  }

  /** An OrderedDict: empty, or made of a list of pairs, as Python 2 wrote it. */
  void push_ordered_dict(const std::vector<const Value*>& arguments) {
    std::vector<const Value*> items;
    if (!arguments.empty()) {
      if (arguments.size() != 1 || arguments[0]->kind != Kind::List) {
        refuse("an OrderedDict wants a list of pairs");
      }
      for (const Value* pair : arguments[0]->items) {
        const bool is_pair = pair->kind == Kind::List || pair->kind == Kind::Tuple;
        if (!is_pair || pair->items.size() != 2) refuse("an OrderedDict wants a list of pairs");
        items.insert(items.end(), pair->items.begin(), pair->items.end());
      }
    }
    push_items(Kind::Dict, std::move(items));
  }

  /** A parameter with attributes is read as the tensor that it wraps. */
  void push_typed(const std::vector<const Value*>& arguments) {
    const bool good = arguments.size() >= 3 && arguments[0]->kind == Kind::Global &&
                      arguments[0]->global->role != GlobalRole::Typed &&
                      arguments[2]->kind == Kind::Tuple;
    if (!good) refuse("a typed tensor wants a function, a class and arguments");
    apply(arguments[0], arguments[2]);
  }

  void apply(const Value* callable, const Value* arguments) {
    const bool closed = callable->kind == Kind::Record;  // the result of calling what is closed
    if (callable->kind != Kind::Global && !closed) refuse("applies what is not a name");
    if (arguments->kind != Kind::Tuple) refuse("applies a name to what is not a tuple");
    const PickleGlobal& global = *callable->global;
    const auto& items = arguments->items;
    if (closed) {
      push_items(Kind::Record, items);
      stack_.top()->global = &global;
      return;
    }
    switch (global.role) {
      case GlobalRole::OrderedDict:
        return push_ordered_dict(items);
      case GlobalRole::Tensor:
        return push_tensor(items);
      case GlobalRole::Parameter:
      case GlobalRole::ParameterWithState:
        if (items.empty() || items[0]->kind != Kind::Tensor) refuse("a parameter wants a tensor");
        stack_.push_new(Kind::Tensor);
        *stack_.top() = *items[0];
        return;
      case GlobalRole::Size:
        if (items.size() != 1 || !are_sizes(items[0])) refuse("torch.Size wants sizes");
        return push_items(Kind::Tuple, items[0]->items);
      case GlobalRole::Storage:
        refuse("{} within the pickle", global.full);
      case GlobalRole::Typed:
        return push_typed(items);
      case GlobalRole::Record:
      case GlobalRole::Closed:
        break;
    }
    push_items(Kind::Record, items);
    stack_.top()->global = &global;
  }

  void build() {
    const Value* const state = stack_.pop();
    Value* const target = stack_.top();
    if (target->kind != Kind::Dict && target->kind != Kind::Record) {
      refuse("gives attributes to what has none");
    }
    target->state = state;
  }

  bool run_object(unsigned char opcode) {
    switch (opcode) {
      case 'c': {
        const std::string_view module = input_.take_line();
        push_global(module, input_.take_line());
        return true;
      }
      case 0x93:
        push_stack_global();
        return true;
      case 'R':
      case 0x81: {
        const auto operands = stack_.pop_last(2);
        apply(operands[0], operands[1]);
        return true;
      }
      case 0x92: {
        const auto operands = stack_.pop_last(3);
        const bool closed =
            operands[0]->kind == Kind::Global && operands[0]->global->role == GlobalRole::Closed;
        if (operands[2]->kind != Kind::Dict || !(closed || operands[2]->items.empty())) {
          refuse("keyword arguments are not supported");
        }
        apply(operands[0], operands[1]);
        return true;
      }
      case 'b':
        build();
        return true;
      case 'Q':
        push_storage(stack_.pop());
        return true;
      default:
        return false;
    }
  }

  PickleInput input_;
  Pickle& pickle_;
  PickleStack stack_;
};

Pickle::Pickle(std::span<const std::byte> bytes, std::string_view name) {
  PickleMachine(bytes, name, *this).run();
}

}  // namespace dino::format
