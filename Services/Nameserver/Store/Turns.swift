import DNSWire

/// Who may change the zones now: one change of each zone at a time, or one reset and nothing beside it. Each waits its
/// turn, in the order they came; what comes while a reset waits waits behind it.
struct Turns {
  typealias Turn = CheckedContinuation<Void, Never>

  private enum Wish {
    case zone(Name, Turn)
    case alone(Turn)
  }

  private var busy: Set<Name> = []
  private var isAlone = false
  private var waiting: [Wish] = []

  /// Resumes `turn` when the zone may be changed.
  mutating func enter(_ name: Name, _ turn: Turn) {
    waiting.append(.zone(name, turn))
    admit()
  }

  mutating func leave(_ name: Name) {
    busy.remove(name)
    admit()
  }

  /// Resumes `turn` when nobody else changes anything.
  mutating func enterAlone(_ turn: Turn) {
    waiting.append(.alone(turn))
    admit()
  }

  mutating func leaveAlone() {
    isAlone = false
    admit()
  }

  /// Lets in all whose turn it is. A zone that is busy holds up only those who wait for it.
  private mutating func admit() {
    var left: [Wish] = []
    for (index, wish) in waiting.enumerated() {
      switch wish {
      case .zone(let name, let turn) where !isAlone && busy.insert(name).inserted: turn.resume()
      case .zone: left.append(wish)
      case .alone(let turn) where !isAlone && busy.isEmpty && left.isEmpty:
        isAlone = true
        turn.resume()
      case .alone:
        waiting = left + waiting[index...]
        return
      }
    }
    waiting = left
  }
}
