/* dino.cpp for other languages: load weights, prepare an image, run the network, get features.
 * Library libdino_c. Plain C.
 *
 * Functions return 0 on success; otherwise a dino_status, and dino_last_error() says what is wrong.
 * A dino_model may be used by any number of threads at once; dino_last_error() belongs to the
 * calling thread. Whatever is handed out is freed with the function named beside it. */
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
  DINO_USAGE = 1,   /* an argument cannot be */
  DINO_CONFIG = 2,  /* a setting is out of range */
  DINO_DATA = 3,    /* an image does not fit the network */
  DINO_FORMAT = 4,  /* a file is damaged or of another kind */
  DINO_IO = 5,      /* a file cannot be read */
  DINO_INTERNAL = 6 /* our fault */
} dino_status;

typedef enum { DINO_FP32 = 0, DINO_BF16 = 1, DINO_INT8 = 2 } dino_precision;

/* Features of a batch: row-major fp32, final-normed. */
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

/* Network input: row-major fp32, normalized. */
typedef struct {
  int64_t channels;
  int64_t height; /* px */
  int64_t width;  /* px */
  float* pixels;  /* [channels, height, width] */
} dino_input;

/* Why the last call of this thread failed; "" if it did not. Valid until its next call. */
DINO_API const char* dino_last_error(void);

/* 1. Loads weights of any published form, or of a run. A precision that the network has no way to
 * compute in (int8 is for ViTs) is DINO_USAGE. Free with dino_free. */
DINO_API int dino_load(const char* path, dino_precision precision, dino_model** model);
DINO_API void dino_free(dino_model* model);

/* 2. Decodes an image file and prepares it as the network wants it. Free with dino_free_input. */
DINO_API int dino_prepare(const dino_model* model, const char* image_path, dino_input* input);
DINO_API void dino_free_input(dino_input* input);

/* 3. Runs the network on `batch` inputs of one size, [batch, channels, height, width]. Free with
 * dino_free_features. */
DINO_API int dino_forward(const dino_model* model, const float* pixels, int64_t batch,
                          int64_t channels, int64_t height, int64_t width, dino_features* features);
DINO_API void dino_free_features(dino_features* features);

/* 4. dino_prepare and dino_forward of one image file: the features that `dino embed` gives it. */
DINO_API int dino_image_features(const dino_model* model, const char* image_path,
                                 dino_features* features);

/* 5. The network as JSON: architecture and preprocessing. Valid as long as the model. */
DINO_API const char* dino_describe(const dino_model* model);

/* 6. What features are computed in, and by what: "fp32 (dino avx512)". It is not always what
 * dino_load was asked for: where bf16 is the slower way, fp32 is computed. Valid as long as the
 * model. */
DINO_API const char* dino_computed(const dino_model* model);

#ifdef __cplusplus
}
#endif

#endif /* DINO_CAPI_H_ */
