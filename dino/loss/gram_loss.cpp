#include "dino/loss/gram_loss.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/functional/normalization.h>
#include <torch/types.h>

#include <cmath>

#include "dino/base/error.h"

namespace dino::loss {
namespace {

/** With G = x x^T, F = y y^T and n entries of all matrices: the loss is sum (G - F)^2 / n, its
 * gradient in x is 4 (G - F) x / n, as G - F is symmetric; entries that were cut off give none. */
class GramDistance : public torch::autograd::Function<GramDistance> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& y, bool cut_student, bool cut_teacher) {
    const std::int64_t crops = x.size(0), rows = x.size(1);
    const double entries = static_cast<double>(crops) * static_cast<double>(rows * rows);
    torch::Tensor total = torch::zeros({}, x.options().dtype(torch::kFloat64));
    torch::Tensor gradient = torch::empty_like(x);
    for (std::int64_t c = 0; c < crops; ++c) {
      torch::Tensor difference = torch::mm(x[c], x[c].t());
      torch::Tensor kept;
      if (cut_student) {
        kept = difference > 0;
        difference.clamp_min_(0);
      }
      const torch::Tensor of_teacher = torch::mm(y[c], y[c].t());
      difference.sub_(cut_teacher ? of_teacher.clamp_min(0) : of_teacher);
      total += difference.square().sum(torch::kFloat64);
      if (cut_student) difference.mul_(kept);
      torch::Tensor of_crop = gradient[c];
      at::mm_out(of_crop, difference, x[c]);
    }
    context->save_for_backward({gradient.mul_(4 / entries)});
    return (total / entries).to(torch::kFloat32);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output) {
    return {context->get_saved_variables()[0] * output[0], {}, {}, {}};
  }
};

torch::Tensor rows_of(const torch::Tensor& features, const GramOptions& options) {
  namespace F = torch::nn::functional;
  torch::Tensor x = features.to(torch::kFloat32);
  if (options.normalize) x = F::normalize(x, F::NormalizeFuncOptions().p(2).dim(-1));
  return options.per_image ? x.contiguous() : x.reshape({1, -1, x.size(2)});
}

std::int64_t side_of(std::int64_t patches) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(patches))));
  if (side * side != patches)
    fail(ErrorKind::Usage, "[gram_loss] {} patches do not make a square grid", patches);
  return side;
}

}  // namespace

torch::Tensor gram_loss(const torch::Tensor& student, const torch::Tensor& teacher,
                        const GramOptions& options) {
  if (student.dim() != 3 || teacher.dim() != 3 || student.size(0) != teacher.size(0) ||
      student.size(1) != teacher.size(1))
    fail(ErrorKind::Usage,
         "[gram_loss] features {} of the student and {} of the teacher: expected [C, P, D] with "
         "the same crops and patches",
         fmt::join(student.sizes().vec(), " x "), fmt::join(teacher.sizes().vec(), " x "));
  const bool cut_student = options.remove_negatives;
  return GramDistance::apply(rows_of(student, options), rows_of(teacher, options).detach(),
                             cut_student, cut_student || options.remove_teacher_negatives);
}

torch::Tensor to_grid(const torch::Tensor& features, std::int64_t patches) {
  if (features.size(1) == patches) return features;
  const std::int64_t from = side_of(features.size(1)), to = side_of(patches);
  const torch::Tensor maps =
      features.to(torch::kFloat32).view({-1, from, from, features.size(2)}).permute({0, 3, 1, 2});
  return at::upsample_bicubic2d(maps, {to, to}, /*align_corners=*/false).flatten(2).transpose(1, 2);
}

}  // namespace dino::loss
