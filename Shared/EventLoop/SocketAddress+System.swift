import CLinux
import Glibc
import Octets

extension SocketAddress {
  /// From the kernel's form; nil for a family other than IPv4 and IPv6. IPv4-mapped addresses come as IPv4.
  init?(_ storage: borrowing sockaddr_storage) {
    let copy = copy storage
    switch Int32(copy.ss_family) {
    case AF_INET:
      let v4 = unsafe withUnsafeBytes(of: copy) { unsafe $0.loadUnaligned(as: sockaddr_in.self) }
      self.init(ip: IPAddress(v4: UInt32(bigEndian: v4.sin_addr.s_addr)), port: UInt16(bigEndian: v4.sin_port))
    case AF_INET6:
      let (port, high, low) = unsafe withUnsafeBytes(of: copy) { raw in
        unsafe (
          raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
          raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        )
      }
      let address = IPAddress(v6: UInt64(bigEndian: high), UInt64(bigEndian: low))
      self.init(ip: address.unmapped, port: UInt16(bigEndian: port))
    default: return nil
    }
  }

  /// The kernel's form and its length in octets.
  var system: (storage: sockaddr_storage, length: socklen_t) {
    var storage = sockaddr_storage()
    if let v4 = ip.v4 {
      unsafe withUnsafeMutableBytes(of: &storage) { raw in
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = v4.bigEndian
        unsafe raw.storeBytes(of: address, as: sockaddr_in.self)
      }
      return (storage, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
    let (high, low) = ip.v6 ?? (0, 0)
    unsafe withUnsafeMutableBytes(of: &storage) { raw in
      unsafe raw.storeBytes(of: sa_family_t(AF_INET6), toByteOffset: 0, as: sa_family_t.self)
      unsafe raw.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
      unsafe raw.storeBytes(of: high.bigEndian, toByteOffset: 8, as: UInt64.self)
      unsafe raw.storeBytes(of: low.bigEndian, toByteOffset: 16, as: UInt64.self)
    }
    return (storage, socklen_t(MemoryLayout<sockaddr_in6>.size))
  }
}

/// Calls `body` with the address as the socket calls want it.
func withSystemAddress<Result>(
  _ address: SocketAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
  var (storage, length) = address.system
  return unsafe withUnsafePointer(to: &storage) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
  }
}

/// The address that a socket is bound to.
func boundAddress(of descriptor: Int32) throws(IOError) -> SocketAddress {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &length) }
  }
  guard result == 0 else { throw .system(call: "getsockname", errno: errno) }
  guard let address = SocketAddress(storage) else { throw .system(call: "getsockname", errno: EAFNOSUPPORT) }
  return address
}

/// A non-blocking socket of the address's family.
func openSocket(_ address: SocketAddress, type: Int32) throws(IOError) -> Int32 {
  try checked("socket") {
    socket(address.ip.isV4 ? AF_INET : AF_INET6, type | CLINUX_SOCK_NONBLOCK | CLINUX_SOCK_CLOEXEC, 0)
  }
}

func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32 = 1) throws(IOError) {
  var value = value
  _ = try checked("setsockopt") {
    unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}

func bindSocket(_ descriptor: Int32, to address: SocketAddress) throws(IOError) {
  _ = try checked("bind \(address)") { unsafe withSystemAddress(address) { unsafe bind(descriptor, $0, $1) } }
}
