import ServiceKit

/// The store's changes as events. What was before a reset is gone, and its numbers mean something else.
extension EventHub where Content == Change {
  convenience init(feed: ChangeFeed, start: Int64 = EventHub.systemMicroseconds(), limits: MailLimits = MailLimits()) {
    self.init(start: start, kept: limits.events, places: limits.listeners) { change in
      if case .reset = change { true } else { false }
    }
    _ = feed.subscribe { [weak self] in self?.publish($0) }
  }

  /// - Parameter mailbox: whose events are told; nil for all.
  func listen(after last: String?, mailbox: Int64?) -> Listener? {
    listen(after: last) { $0.concerns(mailbox) }
  }
}

extension Change {
  /// Whether it is told to who listens to this mailbox; nil listens to everything.
  fileprivate func concerns(_ listener: Int64?) -> Bool {
    guard let listener else { return true }
    return switch self {
    case .delivered(let mailbox, _), .changed(let mailbox, _), .deleted(let mailbox, _): mailbox == listener
    case .queue: false
    case .reset: true
    }
  }
}
