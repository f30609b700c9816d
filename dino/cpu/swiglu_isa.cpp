// The gate of SwiGLU, forward and backward. Compiled once per instruction set like kernels_isa.cpp.
#include "dino/cpu/isa_kernels.h"
#include "dino/cpu/vec.h"

namespace dino::cpu::DINO_ISA {
namespace {

vf sigmoid(vf x) {
  return 1.0F / (1.0F + exp(-x));
}

template <typename T>
void forward(const T* u, T* out, std::int64_t rows, std::int64_t hidden) {
  for (std::int64_t r = 0; r < rows; ++r, u += 2 * hidden, out += hidden) {
    const T* values = u + hidden;
    for_lanes(hidden, [&](int, auto get, auto put) {
      const vf gate = get(u);
      put(out, gate * sigmoid(gate) * get(values));
    });
  }
}

template <typename T>
void backward(T* u, T* g, float* dbias, std::int64_t rows, std::int64_t hidden) {
  for (std::int64_t r = 0; r < rows; ++r, u += 2 * hidden, g += hidden) {
    T* values = u + hidden;
    for_lanes(hidden, [&](int, auto get, auto put) {
      const vf gate = get(u), value = get(values), d = get(g);
      const vf share = sigmoid(gate), silu = gate * share;
      const vf dgate = d * value * (share + silu * (1.0F - share)), dvalue = d * silu;
      put(g, silu * value);
      put(u, dgate);
      put(values, dvalue);
      put(dbias, get(dbias) + dgate);
      put(dbias + hidden, get(dbias + hidden) + dvalue);
    });
  }
}

}  // namespace

void swiglu_forward(Type type, const void* u, void* out, std::int64_t rows, std::int64_t hidden) {
  if (type == Type::BF16)
    forward(static_cast<const bf16*>(u), static_cast<bf16*>(out), rows, hidden);
  else
    forward(static_cast<const float*>(u), static_cast<float*>(out), rows, hidden);
}

void swiglu_backward(Type type, void* u, void* g, float* dbias, std::int64_t rows,
                     std::int64_t hidden) {
  if (type == Type::BF16)
    backward(static_cast<bf16*>(u), static_cast<bf16*>(g), dbias, rows, hidden);
  else
    backward(static_cast<float*>(u), static_cast<float*>(g), dbias, rows, hidden);
}

}  // namespace dino::cpu::DINO_ISA
