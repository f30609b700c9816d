// Reads a JSON object of settings of another program key by key, so that each key is used, rejected
// or reported as unknown.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dino/base/error.h"

namespace dino::weights {

class ConfigKeys {
 public:
  /** `origin` names the file in messages. Borrows `json`; throws Error{Format} if it is not an
   * object. */
  ConfigKeys(const nlohmann::json& json, std::string origin)
      : json_(json), origin_(std::move(origin)) {
    if (!json.is_object()) fail(ErrorKind::Format, "[weights] {}: is not a JSON object", origin_);
  }

  /** The key's value, or nullptr if it is missing or null. Marks the key as known. */
  const nlohmann::json* find(const std::string& key) {
    known_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  /** Sets `value` and returns true if the key is present. Throws Error{Format} on another type. */
  template <typename T>
  bool take(const std::string& key, T& value) {
    const nlohmann::json* const found = find(key);
    if (found == nullptr) return false;
    if (found->is_boolean() != std::is_same_v<T, bool>) refuse(key, "has the wrong type");
    constexpr bool kInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;
    if (kInteger && !found->is_number_integer()) refuse(key, "is no whole number");
    try {
      found->get_to(value);
      if (kInteger && nlohmann::json(value) != *found) refuse(key, "is too large");
    } catch (const nlohmann::json::exception&) {
      refuse(key, "has the wrong type");
    }
    return true;
  }
  /** Marks keys as known that do not affect the network's results. */
  void neutral(std::initializer_list<const char*> keys) { known_.insert(keys.begin(), keys.end()); }
  /** Throws Error{Format}: "origin: key = value why". */
  [[noreturn]] void refuse(const std::string& key, std::string_view why) const {
    fail(ErrorKind::Format, "[weights] {}: {} = {} {}", origin_, key,
         json_.contains(key) ? json_.at(key).dump() : "(none)", why);
  }
  /** The keys that were not read. */
  std::vector<std::string> unknown() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : json_.items())
      if (!known_.contains(key) && !value.is_null()) keys.push_back(key);
    return keys;
  }
  /** Adds a note that lists the unknown keys, if there are any. */
  void note_unknown(std::vector<std::string>& notes) const {
    if (const auto keys = unknown(); !keys.empty())
      notes.push_back(
          fmt::format("{}: not known and not used: {}", origin_, fmt::join(keys, ", ")));
  }
  const std::string& origin() const { return origin_; }

 private:
  const nlohmann::json& json_;
  std::string origin_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace dino::weights
