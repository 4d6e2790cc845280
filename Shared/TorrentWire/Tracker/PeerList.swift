public import Octets

/// Peers as a tracker tells of them, in as few words as they have: an answer may bring hundreds of them, and most go from a tracker's
/// memory to a datagram and are nothing else in between.
public struct PeerList: Sendable, Equatable {
  struct V6: Sendable, Equatable {
    var high: UInt64
    var low: UInt64
    var port: UInt16
  }

  /// Address and port in the low 48 bits.
  private(set) var v4: [UInt64] = []
  private(set) var v6: [V6] = []
  /// Beside them as far as there are any: most answers bring none.
  private var v4IDs: [PeerID?] = []
  private var v6IDs: [PeerID?] = []

  public init() {}

  public var count: Int { v4.count + v6.count }
  public var isEmpty: Bool { count == 0 }

  public mutating func reserveCapacity(_ count: Int) { v4.reserveCapacity(count) }

  public mutating func append(v4 address: UInt32, port: UInt16) { v4.append(UInt64(address) << 16 | UInt64(port)) }

  public mutating func append(v6 high: UInt64, _ low: UInt64, port: UInt16) {
    v6.append(V6(high: high, low: low, port: port))
  }

  public mutating func append(_ address: SocketAddress, id: PeerID? = nil) {
    if let number = address.ip.v4 {
      append(v4: number, port: address.port)
      if let id { v4IDs += Array(repeating: nil, count: v4.count - 1 - v4IDs.count) + [id] }
    } else if let (high, low) = address.ip.v6 {
      append(v6: high, low, port: address.port)
      if let id { v6IDs += Array(repeating: nil, count: v6.count - 1 - v6IDs.count) + [id] }
    }
  }
}

extension PeerList: Sequence {
  /// A peer as it is told: its id only where it was asked for.
  public struct Element: Sendable, Equatable {
    public var address: SocketAddress
    public var id: PeerID?

    public init(address: SocketAddress, id: PeerID? = nil) {
      self.address = address
      self.id = id
    }
  }

  /// Those of IPv4 first.
  public func makeIterator() -> AnyIterator<Element> {
    var place = 0
    return AnyIterator {
      defer { place += 1 }
      return place < count ? self[place] : nil
    }
  }

  private subscript(place: Int) -> Element {
    if place < v4.count {
      let ip = IPAddress(v4: UInt32(truncatingIfNeeded: v4[place] >> 16))
      return Element(
        address: SocketAddress(ip: ip, port: UInt16(truncatingIfNeeded: v4[place])),
        id: place < v4IDs.count ? v4IDs[place] : nil)
    }
    let place = place - v4.count
    let address = SocketAddress(ip: IPAddress(v6: v6[place].high, v6[place].low), port: v6[place].port)
    return Element(address: address, id: place < v6IDs.count ? v6IDs[place] : nil)
  }
}

extension PeerList: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Element...) { self.init(elements) }

  public init(_ peers: some Sequence<Element>) {
    for peer in peers { append(peer.address, id: peer.id) }
  }
}

extension PeerList {
  /// Appends those of one family to an answer, in network order, without a word between them (BEP 23, BEP 7).
  func append(isV6: Bool, to output: inout [UInt8]) {
    let size = isV6 ? CompactPeers.v6Size : CompactPeers.v4Size
    output.append(addingCapacity: (isV6 ? v6.count : v4.count) * size) { octets in
      unsafe octets.withUnsafeMutableBufferPointer { free, count in
        let memory = UnsafeMutableRawBufferPointer(free)
        func write<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
          unsafe memory.storeBytes(of: number.bigEndian, toByteOffset: count, as: Number.self)
          count += MemoryLayout<Number>.size
        }
        if isV6 {
          for peer in v6 {
            write(peer.high)
            write(peer.low)
            write(peer.port)
          }
        } else {
          for peer in v4 {
            write(UInt32(truncatingIfNeeded: peer >> 16))
            write(UInt16(truncatingIfNeeded: peer))
          }
        }
      }
    }
  }
}
