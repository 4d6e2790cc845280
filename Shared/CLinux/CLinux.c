#define _GNU_SOURCE
#include "CLinux.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

const uint32_t CLINUX_EPOLLIN = EPOLLIN, CLINUX_EPOLLOUT = EPOLLOUT, CLINUX_EPOLLHUP = EPOLLHUP, CLINUX_EPOLLERR = EPOLLERR;
const int CLINUX_EPOLL_CTL_ADD = EPOLL_CTL_ADD, CLINUX_EPOLL_CTL_MOD = EPOLL_CTL_MOD, CLINUX_EPOLL_CTL_DEL = EPOLL_CTL_DEL;
const int CLINUX_SOCK_STREAM = SOCK_STREAM, CLINUX_SOCK_DGRAM = SOCK_DGRAM, CLINUX_SOCK_NONBLOCK = SOCK_NONBLOCK,
          CLINUX_SOCK_CLOEXEC = SOCK_CLOEXEC;
const int CLINUX_MSG_NOSIGNAL = MSG_NOSIGNAL, CLINUX_IPV6_RECVPKTINFO = IPV6_RECVPKTINFO;

static_assert(sizeof(struct epoll_event) <= sizeof(clinux_event), "an event fits");
static_assert(sizeof(struct mmsghdr) <= sizeof(clinux_message), "a message fits");

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data = {.u64 = data}};
  return epoll_ctl(epfd, op, fd, &event);
}

int clinux_epoll_wait(int epfd, clinux_event *events, int max, int timeout_ms) {
  struct epoll_event buffer[256];
  int count = epoll_wait(epfd, buffer, max < 256 ? max : 256, timeout_ms);
  for (int i = 0; i < count; i++) memcpy(&events[i], &buffer[i], sizeof buffer[i]);
  return count;
}

uint32_t clinux_event_mask(const clinux_event *event) {
  struct epoll_event e;
  memcpy(&e, event, sizeof e);
  return e.events;
}

uint64_t clinux_event_data(const clinux_event *event) {
  struct epoll_event e;
  memcpy(&e, event, sizeof e);
  return e.data.u64;
}

int clinux_accept(int fd, struct sockaddr_storage *address, socklen_t *length) {
  return accept4(fd, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int clinux_signalfd(const int *signals, int count) {
  sigset_t mask;
  sigemptyset(&mask);
  for (int i = 0; i < count; i++) sigaddset(&mask, signals[i]);
  return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

int clinux_signalfd_read(int fd) {
  struct signalfd_siginfo info;
  return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static int open_beneath(int directory, const char *path, int flags, mode_t mode, uint64_t resolve) {
  struct open_how how = {
      .flags = (unsigned)flags | O_CLOEXEC | O_NONBLOCK, .mode = flags & O_CREAT ? mode : 0,
      .resolve = RESOLVE_BENEATH | resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int clinux_open_beneath(int directory, const char *path) {
  return open_beneath(directory, path, O_RDONLY, 0, RESOLVE_NO_MAGICLINKS);
}

int clinux_open_beneath_for(int directory, const char *path, int flags, mode_t mode) {
  return open_beneath(directory, path, flags, mode, RESOLVE_NO_SYMLINKS);
}

off_t clinux_next_data(int fd, off_t offset) { return lseek(fd, offset, SEEK_DATA); }

ssize_t clinux_sendfile(int out, int in, off_t *offset, size_t count) { return sendfile(out, in, offset, count); }

int clinux_is_resident(int fd, off_t offset) {
  char octet;
  struct iovec vector = {&octet, 1};
  return preadv2(fd, &vector, 1, offset, RWF_NOWAIT) >= 0;
}

ssize_t clinux_read_resident(int fd, void *octets, size_t count, off_t offset) {
  struct iovec vector = {octets, count};
  return preadv2(fd, &vector, 1, offset, RWF_NOWAIT);
}

void clinux_message_set(
    clinux_message *m, struct iovec *vector, void *name, socklen_t name_length, void *control, size_t control_length) {
  struct mmsghdr *header = (struct mmsghdr *)m;
  *header = (struct mmsghdr){.msg_hdr = {.msg_name = name, .msg_namelen = name_length, .msg_iov = vector, .msg_iovlen = 1,
      .msg_control = control, .msg_controllen = control_length}};
}

uint32_t clinux_message_length(const clinux_message *m) { return ((const struct mmsghdr *)m)->msg_len; }
socklen_t clinux_message_name_length(const clinux_message *m) { return ((const struct mmsghdr *)m)->msg_hdr.msg_namelen; }
size_t clinux_message_control_length(const clinux_message *m) { return ((const struct mmsghdr *)m)->msg_hdr.msg_controllen; }
int clinux_message_truncated(const clinux_message *m) { return ((const struct mmsghdr *)m)->msg_hdr.msg_flags & MSG_TRUNC; }

void clinux_message_any_interface(clinux_message *m) {
  struct msghdr *header = &((struct mmsghdr *)m)->msg_hdr;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      ((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);
      if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
    }
  }
}

int clinux_recvmmsg(int fd, clinux_message *messages, unsigned count) {
  return recvmmsg(fd, (struct mmsghdr *)messages, count, MSG_DONTWAIT, NULL);
}

int clinux_sendmmsg(int fd, clinux_message *messages, unsigned count) {
  return sendmmsg(fd, (struct mmsghdr *)messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

uint64_t clinux_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

int clinux_affinity_count(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void clinux_name_thread(const char *name) {
  char cut[16];
  snprintf(cut, sizeof cut, "%s", name);
  pthread_setname_np(pthread_self(), cut);
}

int clinux_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL); }

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
char **clinux_environment(void) { return environ; }
const short CLINUX_POSIX_SPAWN_SETSID = POSIX_SPAWN_SETSID;
