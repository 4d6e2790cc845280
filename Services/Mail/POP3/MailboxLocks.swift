import EventLoop

/// Which mailboxes a POP3 session holds (RFC 1939 §4: exclusively).
final class MailboxLocks: Sendable {
  private let held = Lock(Set<Int64>())

  /// Holds the mailbox for as long as the lease lives; nil where another session has it.
  func lease(_ mailbox: Int64) -> MailboxLease? {
    held.withLock { $0.insert(mailbox).inserted } ? MailboxLease(mailbox, self) : nil
  }

  fileprivate func unlock(_ mailbox: Int64) { held.withLock { _ = $0.remove(mailbox) } }
}

/// The right to be the only session of a mailbox. Whatever ends the session, letting go of this unlocks.
final class MailboxLease: Sendable {
  let mailbox: Int64
  private let locks: MailboxLocks

  fileprivate init(_ mailbox: Int64, _ locks: MailboxLocks) {
    self.mailbox = mailbox
    self.locks = locks
  }

  deinit { locks.unlock(mailbox) }
}
