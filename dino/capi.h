/* The C interface of dino.cpp (library libdino_c): loads weights, prepares images, computes
 * features.
 *
 * Functions that return int give DINO_OK or another dino_status; then dino_last_error() has the
 * message, and outputs are unchanged. Any number of threads may use one dino_model at a time, but
 * dino_free may be called only when no other call on that model runs. The caller owns every output
 * and frees it with the function named beside it. */
#ifndef DINO_CAPI_H_
#define DINO_CAPI_H_

#include <stdint.h>

#if defined(__GNUC__)
#define DINO_API __attribute__((visibility("default")))
#else
#define DINO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dino_model dino_model;

typedef enum {
  DINO_OK = 0,
  DINO_USAGE = 1,   /* an argument is invalid */
  DINO_CONFIG = 2,  /* a setting is out of range */
  DINO_DATA = 3,    /* an image does not fit the network */
  DINO_FORMAT = 4,  /* a file is damaged or of another kind */
  DINO_IO = 5,      /* a file cannot be read */
  DINO_INTERNAL = 6 /* a bug in this library */
} dino_status;

typedef enum { DINO_FP32 = 0, DINO_BF16 = 1, DINO_INT8 = 2 } dino_precision;

/* Features of a batch: row-major fp32, after the network's final norm. */
typedef struct {
  int64_t batch;
  int64_t dim;         /* D */
  int64_t registers;   /* R */
  int64_t grid_height; /* patch index = y * grid_width + x */
  int64_t grid_width;
  float* cls;             /* [batch, D] */
  float* register_tokens; /* [batch, R, D], NULL if R is 0 */
  float* patches;         /* [batch, grid_height * grid_width, D] */
} dino_features;

/* An image as network input: row-major fp32, normalized. */
typedef struct {
  int64_t channels;
  int64_t height; /* px */
  int64_t width;  /* px */
  float* pixels;  /* [channels, height, width] */
} dino_input;

/* The message of this thread's last call if that failed, else "". Valid until its next call. */
DINO_API const char* dino_last_error(void);

/* 1. Loads weights of any published form, or of a run of `dino train`. A precision that the network
 * does not support (int8 is for ViTs) is DINO_USAGE. Free with dino_free, which accepts NULL. */
DINO_API int dino_load(const char* path, dino_precision precision, dino_model** model);
DINO_API void dino_free(dino_model* model);

/* 2. Decodes an image file, resizes and normalizes it as the network expects. Free with
 * dino_free_input, which accepts NULL and may be called twice. */
DINO_API int dino_prepare(const dino_model* model, const char* image_path, dino_input* input);
DINO_API void dino_free_input(dino_input* input);

/* 3. Runs the network on `batch` inputs of one size: row-major fp32 [batch, channels, height,
 * width], only read. Free with dino_free_features, which accepts NULL and may be called twice. */
DINO_API int dino_forward(const dino_model* model, const float* pixels, int64_t batch,
                          int64_t channels, int64_t height, int64_t width, dino_features* features);
DINO_API void dino_free_features(dino_features* features);

/* 4. dino_prepare and dino_forward of one image file; gives the same features as `dino embed`. Free
 * with dino_free_features. */
DINO_API int dino_image_features(const dino_model* model, const char* image_path,
                                 dino_features* features);

/* 5. The network's architecture and preprocessing as JSON. Valid as long as the model. */
DINO_API const char* dino_describe(const dino_model* model);

/* 6. The precision and the kernels that compute the features: "fp32 (dino avx512)". It is fp32
 * instead of the requested bf16 where bf16 would be slower. Valid as long as the model. */
DINO_API const char* dino_computed(const dino_model* model);

#ifdef __cplusplus
}
#endif

#endif /* DINO_CAPI_H_ */
