/* The C interface from C: what cannot be loaded says why. */
#include <dino/capi.h>
#include <stdio.h>
#include <string.h>

/* An image file gives what it gave main.cpp, in one call and in two. */
static int is_as_in_cpp(const dino_model* model, const char* image) {
  float expected[384];
  FILE* file = fopen("features.bin", "rb");
  if (file == NULL || fread(expected, sizeof(float), 384, file) != 384) return 0;
  fclose(file);
  dino_features at_once, in_steps;
  dino_input input;
  if (dino_image_features(model, image, &at_once) != DINO_OK) return 0;
  if (dino_prepare(model, image, &input) != DINO_OK) return 0;
  if (dino_forward(model, input.pixels, 1, input.channels, input.height, input.width, &in_steps) != DINO_OK) return 0;
  const int same = at_once.dim == 384 && memcmp(at_once.cls, expected, sizeof(expected)) == 0 &&
                   memcmp(in_steps.cls, expected, sizeof(expected)) == 0;
  dino_free_features(&at_once);
  dino_free_features(&in_steps);
  dino_free_input(&input);
  return same;
}

int main(int count, char** arguments) {
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
  if (count != 2 || !is_as_in_cpp(model, arguments[1])) return 8;
  if (dino_image_features(model, "no such file.jpg", &features) != DINO_IO) return 9;
  dino_free(model);
  return 0;
}
