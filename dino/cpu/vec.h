// Vectors of 16 floats in GCC's portable vector syntax, which the compiler maps to the instruction
// set of the including file. To be included only by *_isa.cpp files: everything here lives in the
// namespace of the instruction set. Loads and stores need no alignment beyond the element type's.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "dino/cpu/kernels.h"

namespace dino::cpu::DINO_ISA {

constexpr int kLanes = 16;
using vf = float __attribute__((vector_size(64)));
using vi = std::int32_t __attribute__((vector_size(64)));
using vu = std::uint32_t __attribute__((vector_size(64)));
using vh = std::uint16_t __attribute__((vector_size(32)));
using vs = std::int16_t __attribute__((vector_size(32)));
using vb = std::uint8_t __attribute__((vector_size(16)));

inline vf broadcast(float x) {
  return vf{} + x;
}
template <typename To, typename From>
inline To bits(From x) {
  To y;
  static_assert(sizeof(To) == sizeof(From));
  std::memcpy(&y, &x, sizeof(y));
  return y;
}

inline vf load(const float* p) {
  vf x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}
inline void store(float* p, vf x) {
  std::memcpy(p, &x, sizeof(x));
}

inline vf load(const bf16* p) {
  vh x;
  std::memcpy(&x, p, sizeof(x));
  return bits<vf>(__builtin_convertvector(x, vu) << 16);
}
/** Rounds to nearest, ties to even, as Torch does. */
inline void store(bf16* p, vf x) {
#if defined(__AVX512BF16__)
  const auto y = _mm512_cvtneps_pbh(bits<__m512>(x));
  std::memcpy(p, &y, sizeof(y));
#else
  const vu u = bits<vu>(x);
  const vu rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  // Rounding would overflow a NaN whose payload is all ones to zero.
  const vh y = __builtin_convertvector(x == x ? rounded : (u >> 16) | 0x40, vh);
  std::memcpy(p, &y, sizeof(y));
#endif
}

/** The first n < 16 elements at p; the other lanes read as `fill`. */
template <typename T>
inline vf load_some(const T* p, std::int64_t n, float fill = 0) {
  T some[kLanes] = {};
  std::memcpy(some, p, static_cast<std::size_t>(n) * sizeof(T));
  vf x = load(some);
  for (int i = static_cast<int>(n); i < kLanes; ++i) x[i] = fill;
  return x;
}
template <typename T>
inline void store_some(T* p, vf x, std::int64_t n) {
  T some[kLanes];
  store(some, x);
  std::memcpy(p, some, static_cast<std::size_t>(n) * sizeof(T));
}

/** Visits n elements in steps of 16, including the tail: calls f(lanes, get, put), where get(p,
 * fill) loads and put(p, x) stores this step's elements of the array p, and lanes <= 16 is their
 * number. */
template <typename F>
inline void for_lanes(std::int64_t n, F&& f) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    f(
        kLanes, [i](const auto* p, float = 0) { return load(p + i); },
        [i](auto* p, vf x) { store(p + i, x); });
  }
  if (i < n) {
    const std::int64_t rest = n - i;
    f(
        static_cast<int>(rest),
        [i, rest](const auto* p, float fill = 0) { return load_some(p + i, rest, fill); },
        [i, rest](auto* p, vf x) { store_some(p + i, x, rest); });
  }
}

/** Zeroes all lanes but the first n. */
inline vf keep_lanes(vf x, int n) {
  for (int i = n; i < kLanes; ++i) x[i] = 0;
  return x;
}

inline float sum(vf x) {
  float s[kLanes];
  std::memcpy(s, &x, sizeof(x));
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) s[i] += s[i + width];
  }
  return s[0];
}
inline vf max(vf a, vf b) {
  return a > b ? a : b;
}
/** The lane-wise maximum of `magnitudes` and |x|. It compares bits, which order like non-negative
 * floats with NaN above infinity, so neither is ever lost. */
inline vf max_magnitude(vf magnitudes, vf x) {
  const vi before = bits<vi>(magnitudes), now = bits<vi>(bits<vu>(x) & 0x7fffffffU);
  return bits<vf>(now > before ? now : before);
}
inline float max_magnitude(vf magnitudes) {
  vi all = bits<vi>(magnitudes);
  std::int32_t top = all[0];
  for (int i = 1; i < kLanes; ++i) top = all[i] > top ? all[i] : top;
  return bits<float>(top);
}
inline float max(vf x) {
  float s[kLanes];
  std::memcpy(s, &x, sizeof(x));
  float m = s[0];
  for (int i = 1; i < kLanes; ++i) m = s[i] > m ? s[i] : m;
  return m;
}
inline vf sqrt(vf x) {
  float s[kLanes];
  std::memcpy(s, &x, sizeof(x));
  for (int i = 0; i < kLanes; ++i) s[i] = __builtin_sqrtf(s[i]);
  return load(s);
}

/** 1.5 * 2^23. Adding it to a float of magnitude below 2^22 rounds that to an integer, which then
 * is in the low bits of the sum. */
inline constexpr float kRounding = 12582912.0F;

/** e^x within 2 ulp for x in [-87, 88]. Smaller x give 0, larger x give e^88, NaN stays NaN. */
inline vf exp(vf x) {
  const vf low = broadcast(-87.0F), high = broadcast(88.0F);
  const vf clamped = x < low ? low : (x > high ? high : x);
  const vf magic = broadcast(kRounding);
  const vf shifted = clamped * 1.44269504088896341F + magic;
  const vf n = shifted - magic;
  const vf r = (clamped - n * 0.693359375F) - n * -2.12194440e-4F;
  vf p = broadcast(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const vu exponent = (bits<vu>(shifted) - bits<vu>(magic)) << 23;
  // Integer addition may turn the bits of a NaN into a number; adding the NaN itself restores it.
  const vf y = bits<vf>(bits<vu>(p) + exponent) + clamped * 0.0F;
  return x < low ? vf{} : y;
}

/** 1 / x for x in [1, 2^20], within 2 ulp: with AVX-512, the hardware's estimate and one Newton
 * step. */
inline vf reciprocal(vf x) {
#if defined(__AVX512F__)
  const vf y = bits<vf>(_mm512_maskz_rcp14_ps(0xffff, bits<__m512>(x)));
  return y * (2.0F - x * y);
#else
  return 1.0F / x;
#endif
}

/** The standard normal distribution function and e^(-x^2/2), for GELU and its derivative
 * (Abramowitz & Stegun 7.1.26; error below 1.5e-7). */
struct NormalCdf {
  vf cdf;
  vf gauss;
};
inline NormalCdf normal_cdf(vf x) {
  const vf z = (x < 0.0F ? -x : x) * 0.70710678118654752F;
  const vf gauss = exp(-z * z);
  const vf t = reciprocal(1.0F + 0.3275911F * z);
  vf p = broadcast(1.061405429F);
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const vf upper = 0.5F * p * t * gauss;  // 1 - cdf(|x|)
  return {x < 0.0F ? upper : 1.0F - upper, gauss};
}

}  // namespace dino::cpu::DINO_ISA
