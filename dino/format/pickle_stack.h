// The state of the pickle machine: values, the stack with its marks, and the memo. Their total size
// is limited.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "dino/format/pickle.h"
#include "dino/format/pickle_input.h"

namespace dino::format {

class PickleStack {
 public:
  using Value = PickleValue;

  /** Appends new values to `values` and reports errors through `input`. Borrows both. */
  PickleStack(std::deque<Value>& values, const PickleInput& input)
      : values_(values), input_(input) {}

  /** Counts values towards the limit, since a few bytes of a pickle may allocate many. */
  void count(std::size_t pushes) {
    pushes_ += pushes;
    if (pushes_ > kMaxPushes) input_.refuse("more than {} values", kMaxPushes);
  }

  void push(Value* value) {
    count(1);
    stack_.push_back(value);
  }

  Value* push_new(PickleKind kind) {
    Value* const value = &values_.emplace_back();
    value->kind = kind;
    push(value);
    return value;
  }

  void mark() {
    if (marks_.size() >= kMaxMarks) input_.refuse("nested deeper than {} levels", kMaxMarks);
    marks_.push_back(stack_.size());
  }

  /** The value on top of the stack; there must be one above the last mark. */
  Value* top() const {
    if (stack_.size() <= bottom()) input_.refuse("wants a value where the stack is empty");
    return stack_.back();
  }

  Value* pop() {
    Value* const value = top();
    stack_.pop_back();
    return value;
  }

  std::vector<const Value*> pop_last(std::size_t count) {
    if (stack_.size() - bottom() < count) {
      input_.refuse("wants {} values, the stack has fewer", count);
    }
    return pop_from(stack_.size() - count);
  }

  std::vector<const Value*> pop_to_mark() {
    if (marks_.empty()) input_.refuse("wants a mark where there is none");
    const std::size_t first = marks_.back();
    marks_.pop_back();
    return pop_from(first);
  }

  bool empty() const { return stack_.empty() && marks_.empty(); }

  void put(std::uint64_t index) {
    count(1);
    memo_[index] = top();
  }
  void put_next() { put(memo_.size()); }

  void get(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) input_.refuse("memo {} was never set", index);
    push(found->second);
  }

 private:
  static constexpr std::size_t kMaxPushes = 4'000'000;
  static constexpr std::size_t kMaxMarks = 1000;

  std::size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }

  std::vector<const Value*> pop_from(std::size_t first) {
    std::vector<const Value*> items(stack_.begin() + static_cast<std::ptrdiff_t>(first),
                                    stack_.end());
    stack_.resize(first);
    return items;
  }

  std::deque<Value>& values_;
  const PickleInput& input_;
  std::size_t pushes_ = 0;
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;                  // stack sizes at the marks
  std::unordered_map<std::uint64_t, Value*> memo_;  // a map, since indices are arbitrary
};

}  // namespace dino::format
