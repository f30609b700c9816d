// Softmax attention of one head of one sequence, forward and backward, for the short sequences of
// crops: queries in blocks that stay in cache, never a full N x N matrix in memory. Dao et al. 2022
// (recomputation from the log-sum-exp), without Torch.
#pragma once
#include <cstdint>

#include "dino/cpu/kernels.h"

namespace dino::cpu {

/** O = softmax(Q K^T * scale) V. Matrices are [tokens, head_dim] of `type`, rows `..._stride`
 * elements apart. head_dim is even. */
struct Attention {
  Type type = Type::F32;
  std::int64_t queries = 0, keys = 0, head_dim = 0;
  float scale = 1;
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t q_stride = 0, kv_stride = 0;
  void* out = nullptr;
  std::int64_t out_stride = 0;
  bool int8 = false;           ///< round Q and K to bytes, V and the weights to 11 and 14 bits
  float* logsumexp = nullptr;  ///< [queries], for backward; null = not wanted, as with int8
  void* scratch = nullptr;     ///< attention_scratch_bytes(), 64-byte aligned; one per thread
};

/** Gradients of the above; dq, dk, dv have the strides of q and k, v. */
struct AttentionBackward {
  Attention forward;           ///< out and logsumexp as forward left them
  const void* dout = nullptr;  ///< [queries, head_dim], out_stride
  void *dq = nullptr, *dk = nullptr, *dv = nullptr;
};

/** Enough for forward or backward with these sizes. */
std::int64_t attention_scratch_bytes(std::int64_t keys, std::int64_t head_dim);

}  // namespace dino::cpu
