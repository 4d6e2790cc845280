import EventLoop
import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
  private let value = Atomic<UInt64>(0)
  @inline(__always) public func add(_ amount: UInt64 = 1) { value.wrappingAdd(amount, ordering: .relaxed) }
  public var current: UInt64 { value.load(ordering: .relaxed) }
}

/// The metrics of a process, in Prometheus's text format 0.0.4.
public final class Metrics: Sendable {
  private struct Family {
    var help: String
    var kind: String
    var samples: [(labels: String, read: @Sendable () -> Double)] = []
  }

  private let families = Lock<[String: Family]>([:])

  public init() {}

  /// A counter of this name and these labels; give each loop one of its own with a `loop` label where it is hot.
  public func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
    let counter = Counter()
    add(name, help, "counter", labels) { Double(counter.current) }
    return counter
  }

  /// A counter that somebody else keeps and that is read when somebody asks.
  public func counter(
    _ name: String, help: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> UInt64
  ) {
    add(name, help, "counter", labels) { Double(read()) }
  }

  /// A value that is read when somebody asks.
  public func gauge(
    _ name: String, help: String, labels: [(String, String)] = [], _ read: @escaping @Sendable () -> Double
  ) {
    add(name, help, "gauge", labels, read)
  }

  private func add(
    _ name: String, _ help: String, _ kind: String, _ labels: [(String, String)],
    _ read: @escaping @Sendable () -> Double
  ) {
    let text = labels.map { #"\#($0)="\#(Self.escaped($1))""# }.joined(separator: ",")
    families.withLock { $0[name, default: Family(help: help, kind: kind)].samples.append((text, read)) }
  }

  private static func escaped(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
  }

  /// All of them, sorted by name.
  public func render() -> String {
    var text = ""
    for (name, family) in families.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind)\n"
      for sample in family.samples {
        let value = sample.read()
        let number = value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
        text += sample.labels.isEmpty ? "\(name) \(number)\n" : "\(name){\(sample.labels)} \(number)\n"
      }
    }
    return text
  }
}
