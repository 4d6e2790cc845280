"""A small library that is loaded before the system's: it tells what is synced, and holds it back as long as a file exists."""
import shutil
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_at_gate(void) {
  const char *gate = getenv("FSYNC_GATE");
  while (gate && access(gate, F_OK) == 0) usleep(1000);
}

static void tell(int fd) {
  const char *path = getenv("FSYNC_LOG");
  char link[64], target[4097];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  int log = path && length > 0 ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (log < 0) return;
  target[length++] = '\n';
  if (write(log, target, length) < 0) abort();
  close(log);
}

int fsync(int fd) {
  wait_at_gate();
  tell(fd);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  wait_at_gate();
  tell(fd);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


def fsync_gate(directory):
    """The environment of a process whose fsync waits while `gate` exists; the gate; and the log of what was synced."""
    compiler = next(name for name in ["cc", "gcc", "clang"] if shutil.which(name))
    library, source, gate, log = [directory / name for name in ["gate.so", "gate.c", "gate", "synced"]]
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "FSYNC_GATE": str(gate), "FSYNC_LOG": str(log)}, gate, log
