/// Names a timer so that it can be cancelled.
public struct TimerID: Hashable, Sendable {
  let number: UInt64
}

/// Timers in order of their deadline, equals in the order they were set: a binary heap, from which cancelled entries fall when they surface.
struct TimerQueue {
  private struct Entry {
    var deadline: Instant
    var number: UInt64

    func isBefore(_ other: Entry) -> Bool {
      deadline == other.deadline ? number < other.number : deadline < other.deadline
    }
  }

  private var heap: [Entry] = []
  private var actions: [UInt64: @Sendable () -> Void] = [:]
  private var last: UInt64 = 0

  var count: Int { actions.count }

  mutating func add(at deadline: Instant, _ action: @escaping @Sendable () -> Void) -> TimerID {
    last += 1
    actions[last] = action
    heap.append(Entry(deadline: deadline, number: last))
    siftUp(heap.count - 1)
    return TimerID(number: last)
  }

  mutating func cancel(_ id: TimerID) {
    guard actions.removeValue(forKey: id.number) != nil else { return }
    // Cancelled entries may not outnumber the living for long: else a busy server's heap only grows.
    if heap.count > 64, heap.count > 2 * actions.count { rebuild() }
  }

  /// The earliest deadline of a timer that still counts.
  mutating func next() -> Instant? {
    while let first = heap.first {
      if actions[first.number] != nil { return first.deadline }
      removeFirst()
    }
    return nil
  }

  /// Takes the first timer due at `now`.
  mutating func popDue(_ now: Instant) -> (@Sendable () -> Void)? {
    guard let deadline = next(), deadline <= now else { return nil }
    let action = heap.first.flatMap { actions.removeValue(forKey: $0.number) }
    removeFirst()
    return action
  }

  private mutating func rebuild() {
    heap.removeAll { actions[$0.number] == nil }
    heap.sort { $0.isBefore($1) }
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
      guard heap[child].isBefore(heap[parent]) else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }

  private mutating func siftUp(_ index: Int) {
    var child = index
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].isBefore(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }
}
