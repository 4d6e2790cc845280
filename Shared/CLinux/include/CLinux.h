// System calls that Swift's Glibc module doesn't show: each wrapper is one call, named after it.
//
// They are not inline: the definitions need _GNU_SOURCE, and a header that set it would show Swift a second, different Glibc.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

extern const uint32_t CLINUX_EPOLLIN, CLINUX_EPOLLOUT, CLINUX_EPOLLHUP, CLINUX_EPOLLERR;
extern const int CLINUX_EPOLL_CTL_ADD, CLINUX_EPOLL_CTL_MOD, CLINUX_EPOLL_CTL_DEL;
extern const int CLINUX_SOCK_STREAM, CLINUX_SOCK_DGRAM, CLINUX_SOCK_NONBLOCK, CLINUX_SOCK_CLOEXEC;
extern const int CLINUX_MSG_NOSIGNAL, CLINUX_IPV6_RECVPKTINFO;

/// epoll_event, which is packed on x86-64 and not elsewhere.
typedef struct { uint32_t words[4]; } clinux_event;

int clinux_epoll_create(void);
int clinux_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
/// Fetches up to `max` (at most 256) events.
int clinux_epoll_wait(int epfd, clinux_event *events, int max, int timeout_ms);
uint32_t clinux_event_mask(const clinux_event *event);
uint64_t clinux_event_data(const clinux_event *event);

/// A non-blocking connection that closes on exec.
int clinux_accept(int fd, struct sockaddr_storage *address, socklen_t *length);
int clinux_eventfd(void);
/// Blocks nothing by itself: the signals must be blocked already.
int clinux_signalfd(const int *signals, int count);
/// The number of the next signal that has come, 0 where there is none.
int clinux_signalfd_read(int fd);
/// Opens a file for reading below a directory; a path that leads out of it, by `..`, a symbolic link or a leading slash, is EXDEV.
int clinux_open_beneath(int directory, const char *path);
/// The same for any purpose, and for a path of no symbolic link at all: one is ELOOP. `flags` are open's; the mode is for O_CREAT.
int clinux_open_beneath_for(int directory, const char *path, int flags, mode_t mode);
/// Where the next octet lies that is not in a hole; -1 and ENXIO where none comes. It moves the descriptor's own position.
off_t clinux_next_data(int fd, off_t offset);
ssize_t clinux_sendfile(int out, int in, off_t *offset, size_t count);
/// 1 where the octet can be read without waiting for a disk (or lies behind the end), 0 where not or where nobody can tell.
int clinux_is_resident(int fd, off_t offset);
/// pread of what needs no disk: EAGAIN, or fewer octets, where the next one does.
ssize_t clinux_read_resident(int fd, void *octets, size_t count, off_t offset);

/// One datagram of a batch: mmsghdr.
typedef struct { _Alignas(8) unsigned char octets[64]; } clinux_message;
void clinux_message_set(
    clinux_message *m, struct iovec *vector, void *name, socklen_t name_length, void *control, size_t control_length);
uint32_t clinux_message_length(const clinux_message *m);
socklen_t clinux_message_name_length(const clinux_message *m);
size_t clinux_message_control_length(const clinux_message *m);
int clinux_message_truncated(const clinux_message *m);
/// Replaces the interface of a received IP_PKTINFO or IPV6_PKTINFO by any, so that an answer with it takes the way its routes say.
/// A link-local address keeps its interface: it means nothing without.
void clinux_message_any_interface(clinux_message *m);
int clinux_recvmmsg(int fd, clinux_message *messages, unsigned count);
int clinux_sendmmsg(int fd, clinux_message *messages, unsigned count);

/// Raises RLIMIT_NOFILE's soft limit to the hard one; the limit then, 0 where it can't be read.
uint64_t clinux_raise_descriptor_limit(void);
/// Processors in this thread's affinity mask; 1 where it can't be read.
int clinux_affinity_count(void);
/// Names the calling thread; the name is cut to 15 octets.
void clinux_name_thread(const char *name);
/// SIGKILL for this process when the thread that made it ends.
int clinux_die_with_parent(void);
/// A pipe whose ends close on exec: the reading end, then the writing one.
int clinux_pipe(int ends[2]);
/// What a started program gets as its environment: this process's own.
char **clinux_environment(void);
extern const short CLINUX_POSIX_SPAWN_SETSID;
