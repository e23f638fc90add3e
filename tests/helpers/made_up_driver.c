/* A CUDA driver of a GPU that there is not: programs list it, and fail to compute on it.

     for name in libcuda.so.1 libnvidia-ml.so.1; do
       gcc -shared -fPIC -w -Wl,-soname,$name -o $name made_up_driver.c
     done
     LD_PRELOAD=$PWD/libcuda.so.1:$PWD/libnvidia-ml.so.1 MADE_UP_CAPABILITY=80 python ...

   The second one is its management library. MADE_UP_CAPABILITY is the GPU's compute capability, MADE_UP_CUDA the newest CUDA that the
   driver runs. With CUDA_VISIBLE_DEVICES other than 0 it has no GPU. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int setting(const char *name, int otherwise) {
  const char *value = getenv(name);
  return value && *value ? atoi(value) : otherwise;
}

/* TensorFlow asks for the device files before it asks the driver. */
int access(const char *path, int mode) {
  if (!strncmp(path, "/dev/nvidia", 11)) return 0;
  return syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int cuInit(unsigned flags) {
  return setting("CUDA_VISIBLE_DEVICES", 0) ? 100 /* no device */ : 0;
}
int cuDriverGetVersion(int *version) { *version = setting("MADE_UP_CUDA", 12080); return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int number) { *device = number; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
  snprintf(name, size, "made up");
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  int capability = setting("MADE_UP_CAPABILITY", 80);
  switch (attribute) {
    case 1: *value = 1024; break;      /* threads in a block */
    case 8: *value = 49152; break;     /* bytes of shared memory in a block */
    case 10: *value = 32; break;       /* threads in a warp */
    case 13: *value = 1410000; break;  /* kHz */
    case 16: *value = 108; break;      /* multiprocessors */
    case 20: case 33: *value = 0; break;
    case 39: *value = 2048; break;     /* threads of a multiprocessor */
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    default: *value = 1024;
  }
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)40 << 30; return 0; }
int cuDeviceGetPCIBusId(char *id, int size, int device) {
  snprintf(id, size, "0000:00:04.0");
  return 0;
}
int cuDeviceGetUuid(void *id, int device) { memset(id, 1, 16); return 0; }
int cuDeviceGetUuid_v2(void *id, int device) { memset(id, 1, 16); return 0; }

static void *current;
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = &current;
  return 0;
}
int cuDevicePrimaryCtxRelease(int device) { return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuDevicePrimaryCtxSetFlags(int device, unsigned flags) { return 0; }
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { return 0; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  *flags = 0;
  *active = 1;
  return 0;
}
int cuCtxGetCurrent(void **context) { *context = current; return 0; }
int cuCtxSetCurrent(void *context) { current = context; return 0; }
int cuCtxGetDevice(int *device) { *device = 0; return 0; }
int cuCtxSynchronize(void) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = *total = (size_t)40 << 30;
  return 0;
}
int cuDeviceCanAccessPeer(int *can, int device, int other) { *can = 1; return 0; }
int cuGetErrorName(int error, const char **name) { *name = "CUDA_MADE_UP"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "made up"; return 0; }

int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return "made up"; }
