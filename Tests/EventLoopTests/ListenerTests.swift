import CLinux
import Glibc
import Octets
import Testing

@testable import EventLoop

@Test("Out of descriptors and without its reserve, a listener pauses, and accepts once it can", .timeLimit(.minutes(1)))
func listenersOutliveShortage() async {
  // In a process of its own, whose limit it is.
  await #expect(processExitsWith: .success) {
    try await withLoop { loop in
      let first = try TCPListener(anyPort, on: loop) { $0.close() }
      let address = first.address
      await first.drain()
      // Bound here, so that the listener finds no descriptor left for its reserve.
      let descriptor = try openSocket(address, type: CLINUX_SOCK_STREAM)
      try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
      try bindSocket(descriptor, to: address)
      try #require(listen(descriptor, 8) == 0)
      let client = socket(AF_INET, CLINUX_SOCK_STREAM, 0)
      try limitDescriptors(to: 200)
      var taken: [Int32] = []
      while case let next = unsafe open("/dev/null", O_RDONLY), next >= 0 { taken.append(next) }
      let accepted = Lock(0)
      let listener = try TCPListener(adopting: descriptor, on: loop) { socket in
        accepted.withLock { $0 += 1 }
        socket.close()
      }
      try #require(unsafe withSystemAddress(address) { unsafe connect(client, $0, $1) } == 0)
      await loop.sleep(for: .milliseconds(20))
      let turns = loop.turns
      await loop.sleep(for: .milliseconds(300))
      #expect(loop.turns - turns < 50)
      #expect(accepted.withLock { $0 } == 0)
      for descriptor in taken { close(descriptor) }
      while accepted.withLock({ $0 }) == 0, !Task.isCancelled { await loop.sleep(for: .milliseconds(5)) }
      await listener.drain()
    }
  }
}

@Test("Out of descriptors, a listener with its reserve turns a client away at once", .timeLimit(.minutes(1)))
func listenersTurnAway() async {
  await #expect(processExitsWith: .success) {
    try await withLoop { loop in
      let listener = try TCPListener(anyPort, on: loop) { $0.close() }
      let client = socket(AF_INET, CLINUX_SOCK_STREAM, 0)
      try limitDescriptors(to: 200)
      var taken: [Int32] = []
      while case let next = unsafe open("/dev/null", O_RDONLY), next >= 0 { taken.append(next) }
      try #require(unsafe withSystemAddress(listener.address) { unsafe connect(client, $0, $1) } == 0)
      var octet: UInt8 = 0
      #expect(unsafe recv(client, &octet, 1, 0) == 0)
      for descriptor in taken { close(descriptor) }
      await listener.drain()
    }
  }
}

@Test("An error of accept that stays makes a listener pause, not spin")
func listenersDoNotSpin() async throws {
  try await withLoop { loop in
    // A datagram socket is readable but can't accept.
    let descriptor = try openSocket(anyPort, type: CLINUX_SOCK_DGRAM)
    try bindSocket(descriptor, to: anyPort)
    let listener = try TCPListener(adopting: descriptor, on: loop) { $0.close() }
    let client = try UDPSocket(anyPort, on: loop)
    try client.send([1], to: listener.address)
    await loop.sleep(for: .milliseconds(20))
    let turns = loop.turns
    await loop.sleep(for: .milliseconds(300))
    #expect(loop.turns - turns < 50)
    await listener.drain()
    await onLoop(loop) { client.close() }
  }
}

@Test("A listener that drains accepts all whom the kernel has let in already")
func drainingListenersAccept() async throws {
  try await withLoop { loop in
    let accepted = Lock(0)
    let listener = try TCPListener(anyPort, on: loop) { socket in
      accepted.withLock { $0 += 1 }
      socket.close()
    }
    let clients = await onLoop(loop) {
      // The loop is busy here, so that none is accepted before the end.
      let clients = (0..<100).map { _ in socket(AF_INET, CLINUX_SOCK_STREAM, 0) }
      for client in clients {
        let connected = unsafe withSystemAddress(listener.address) { unsafe connect(client, $0, $1) }
        #expect(connected == 0)
      }
      #expect(accepted.withLock { $0 } == 0)
      loop.spawn { await listener.drain() }
      return clients
    }
    await listener.drain()
    #expect(accepted.withLock { $0 } == 100)
    for client in clients { close(client) }
  }
}

@Test("The process may have as many descriptors as its hard limit says")
func descriptorLimit() async {
  await #expect(processExitsWith: .success) {
    try limitDescriptors(to: 100)
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    try #require(limit.rlim_max > 100)
    #expect(DescriptorLimit.raise() == Int(limit.rlim_max))
    var descriptors: [Int32] = []
    for _ in 0..<200 { descriptors.append(unsafe open("/dev/null", O_RDONLY)) }
    #expect(descriptors.allSatisfy { $0 >= 0 })
  }
}

/// Lowers the soft limit.
private func limitDescriptors(to count: UInt) throws {
  var limit = rlimit()
  unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  limit.rlim_cur = count
  try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
}
