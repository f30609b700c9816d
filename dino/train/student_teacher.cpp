#include "dino/train/student_teacher.h"

#include <torch/types.h>

#include <utility>

#include "dino/base/error.h"
#include "dino/optim/flat_ops.h"

namespace dino::train {
namespace {

void check_same_parameters(const Branch& student, const Branch& teacher) {
  const auto& ours = student.arena.slices();
  const auto& theirs = teacher.arena.slices();
  const std::size_t count = std::max(ours.size(), theirs.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (i < ours.size() && i < theirs.size() && ours[i].name == theirs[i].name &&
        ours[i].shape == theirs[i].shape)
      continue;
    fail(ErrorKind::Config,
         "[student_teacher] a teacher that follows the student needs its parameters: the student's "
         "{} is not the teacher's {}",
         i < ours.size() ? ours[i].name : "end", i < theirs.size() ? theirs[i].name : "end");
  }
}

}  // namespace

StudentTeacher::StudentTeacher(TeacherKind kind, Branch student, std::optional<Branch> teacher)
    : kind_(kind), student_(std::move(student)), teacher_(std::move(teacher)) {
  DINO_ASSERT(teacher_.has_value() == (kind_ != TeacherKind::None));
  student_.module->train();
  if (kind_ == TeacherKind::Frozen) teacher_->module->eval();
  if (kind_ == TeacherKind::Ema) {
    check_same_parameters(student_, *teacher_);
    const torch::NoGradGuard no_grad;
    teacher_->arena.values().copy_(student_.arena.values());
    const auto from = student_.module->named_buffers();
    for (auto& item : teacher_->module->named_buffers()) item.value().copy_(from[item.key()]);
    teacher_->module->train();
  }
  const auto note = [this](const Branch& branch) {
    for (const auto& item : branch.module->named_buffers()) {
      statistics_.push_back(item.value());
      remembered_.push_back(item.value().clone());
    }
  };
  note(student_);
  if (kind_ == TeacherKind::Ema) note(*teacher_);
}

Branch& StudentTeacher::teacher() {
  if (!teacher_) fail(ErrorKind::Usage, "[student_teacher] this run has no teacher");
  return *teacher_;
}

void StudentTeacher::follow(double momentum) {
  if (kind_ == TeacherKind::Ema)
    optim::moving_average(teacher_->arena.values(), student_.arena.values(), momentum);
}

void StudentTeacher::remember_statistics() {
  for (std::size_t i = 0; i < statistics_.size(); ++i) remembered_[i].copy_(statistics_[i]);
}

void StudentTeacher::restore_statistics() {
  for (std::size_t i = 0; i < statistics_.size(); ++i) statistics_[i].copy_(remembered_[i]);
}

std::vector<model::NamedTensor> StudentTeacher::state() const {
  std::vector<model::NamedTensor> state;
  const auto add = [&](const std::string& prefix, const Branch& branch) {
    for (const auto& item : branch.module->named_parameters())
      state.push_back({prefix + item.key(), item.value()});
    for (const auto& item : branch.module->named_buffers())
      state.push_back({prefix + item.key(), item.value()});
  };
  add("student.", student_);
  if (kind_ == TeacherKind::Ema) add("teacher.", *teacher_);
  return state;
}

}  // namespace dino::train
