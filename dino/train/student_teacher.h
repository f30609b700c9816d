// The two networks of self-distillation: a student that learns, and a teacher that gives its
// targets.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "dino/model/backbone.h"
#include "dino/model/param_arena.h"
#include "dino/model/tensor_bridge.h"

namespace dino::train {

/** One of the two: a backbone with the heads of the objectives. Parameter names:
 * backbone.<official>, dino_head.<official>, ... */
struct Branch {
  std::shared_ptr<torch::nn::Module> module;  ///< owner of backbone and heads
  std::shared_ptr<model::Backbone> backbone;
  model::ParamArena arena;  ///< of all its parameters; with gradients if it learns
};

/** What the teacher is to the student. */
enum class TeacherKind {
  Ema,     ///< its moving average, of the same shape: self-distillation
  Frozen,  ///< any network that does not change: distillation, Gram anchoring
  None,    ///< there is none
};

/** Not thread-safe. */
class StudentTeacher {
 public:
  /** An EMA teacher becomes an exact copy of the student, and runs in training mode as the
   * reference does: without effect on a ViT, needed by batch norm. A frozen one runs in eval mode.
   * Throws Error{Config} if an EMA teacher has other parameters than the student. */
  StudentTeacher(TeacherKind kind, Branch student, std::optional<Branch> teacher);

  TeacherKind kind() const { return kind_; }
  Branch& student() { return student_; }
  /** Throws Error{Usage} if there is none. */
  Branch& teacher();

  /** Ends a step: an EMA teacher becomes momentum * teacher + (1 - momentum) * student (Caron et
   * al. 2021, section 3.1); others stay. Running statistics are each network's own. */
  void follow(double momentum);

  /** The forward passes of a step change the running statistics of batch norm before the step is
   * known to be good: remember() before them, and restore() if it is not. */
  void remember_statistics();
  void restore_statistics();

  /** Parameters and buffers of the student and of an EMA teacher, "student.*" and "teacher.*". A
   * frozen teacher is not state: it comes from its own file. */
  std::vector<model::NamedTensor> state() const;

 private:
  TeacherKind kind_;
  Branch student_;
  std::optional<Branch> teacher_;
  std::vector<torch::Tensor> statistics_, remembered_;
};

}  // namespace dino::train
