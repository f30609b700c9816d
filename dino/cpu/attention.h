// Softmax attention of one head of one sequence, forward and backward, for the short sequences of
// crops. Queries are processed in blocks that fit the cache, so no N x N matrix is stored; the
// backward pass recomputes the weights from the log-sum-exp (Dao et al. 2022, FlashAttention).
#pragma once
#include <cstdint>

#include "dino/cpu/kernels.h"

namespace dino::cpu {

/** out = softmax(Q K^T * scale) V. q and out are [queries, head_dim], k and v are [keys, head_dim],
 * all of `type`; rows are `..._stride` elements apart. head_dim is even. out must not overlap the
 * inputs. */
struct Attention {
  Type type = Type::F32;
  std::int64_t queries = 0, keys = 0, head_dim = 0;
  float scale = 1;
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t q_stride = 0, kv_stride = 0;
  void* out = nullptr;
  std::int64_t out_stride = 0;
  bool int8 = false;           ///< integer products: Q, K of 8 bits, V of 11, weights of 14
  float* logsumexp = nullptr;  ///< [queries], for backward; null = not stored, nor with int8
  void* scratch = nullptr;     ///< attention_scratch_bytes(), 64-byte aligned; one per thread
};

/** Gradients of Attention. dq has q's stride, dk and dv have that of k and v; they are overwritten.
 */
struct AttentionBackward {
  Attention forward;           ///< the arguments of the forward pass, with its out and logsumexp
  const void* dout = nullptr;  ///< [queries, head_dim], out_stride
  void *dq = nullptr, *dk = nullptr, *dv = nullptr;
};

/** Bytes of scratch that suffice for the forward and the backward pass with these sizes. */
std::int64_t attention_scratch_bytes(std::int64_t keys, std::int64_t head_dim);

}  // namespace dino::cpu
