#include "dino/objectives/registry.h"

#include <array>
#include <string_view>
#include <utility>

#include "dino/base/error.h"

namespace dino::objectives {

// DINO_OBJECTIVES is X(a) X(b) ... for the files a.cpp, b.cpp of this folder (CMakeLists.txt).
#define X(name) std::unique_ptr<Objective> make_##name(const recipe::Recipe& recipe);
DINO_OBJECTIVES
#undef X

namespace {

using Make = std::unique_ptr<Objective> (*)(const recipe::Recipe&);
#define X(name) std::pair<std::string_view, Make>{#name, make_##name},
constexpr std::array kObjectives = {DINO_OBJECTIVES};
#undef X

Make find(std::string_view name) {
  for (const auto& [known, make] : kObjectives)
    if (known == name) return make;
  fail(ErrorKind::Config, "[recipe] objectives: this build has no objective '{}'", name);
}

}  // namespace

Needs operator|(const Needs& a, const Needs& b) {
  const auto more = [](model::Tokens x, model::Tokens y) {
    return x == model::Tokens::Cls ? y : x;
  };
  return {.teacher = a.teacher || b.teacher,
          .student_tokens = more(a.student_tokens, b.student_tokens),
          .teacher_tokens = more(a.teacher_tokens, b.teacher_tokens),
          .masks = a.masks || b.masks,
          .gram = a.gram || b.gram};
}

std::vector<Weighted> make_objectives(const recipe::Recipe& recipe, const RunLength& length) {
  std::vector<Weighted> objectives;
  for (const std::string& name : recipe.objectives)
    objectives.push_back({find(name)(recipe), recipe::objective_weight(recipe, name, length)});
  return objectives;
}

Needs needs_of(const std::vector<Weighted>& objectives) {
  Needs needs;
  for (const Weighted& weighted : objectives) needs = needs | weighted.objective->needs();
  return needs;
}

}  // namespace dino::objectives
