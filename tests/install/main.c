/* The C interface from C: what cannot be loaded says why. */
#include <dino/capi.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  dino_model* model = NULL;
  dino_features features;
  if (dino_load("no such file.pth", DINO_FP32, &model) != DINO_IO) return 1;
  if (strstr(dino_last_error(), "no such file.pth") == NULL) return 2;
  if (dino_load("toy.safetensors", DINO_FP32, &model) != DINO_OK) return 3;
  static float pixels[3 * 28 * 42];
  if (dino_forward(model, pixels, 1, 3, 28, 42, &features) != DINO_OK) return 4;
  printf("%s\n%d x %d patches\n", dino_describe(model), (int)features.grid_width, (int)features.grid_height);
  if (features.grid_width != 3 || features.grid_height != 2 || features.registers != 4) return 5;
  dino_free_features(&features);
  if (dino_forward(model, pixels, 1, 1, 28, 42, &features) != DINO_USAGE) return 6;
  printf("%s\n", dino_computed(model));
  if (strncmp(dino_computed(model), "fp32 (dino ", 11) != 0) return 7;
  dino_free(model);
  return 0;
}
