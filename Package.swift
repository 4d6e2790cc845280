// swift-tools-version: 6.2
import PackageDescription

/// Every target obeys the same laws: strict memory safety, no warning, imports that are internal unless said otherwise.
let laws: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")

func shared(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: laws)
}

func service(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: "Services/\(name)", swiftSettings: laws)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, path: "Tests/\(name)Tests",
    swiftSettings: laws)
}

func library(_ name: String, _ package: String, header: String) -> Target {
  .systemLibrary(name: name, path: "Shared/\(name)", pkgConfig: header, providers: [.apt([package])])
}

let package = Package(
  name: "NetworkUtopia",
  products: [
    .library(name: "Octets", targets: ["Octets"]),
    .library(name: "EventLoop", targets: ["EventLoop"]),
    .library(name: "HTTPWire", targets: ["HTTPWire"]),
    .library(name: "HTTPServer", targets: ["HTTPServer"]),
    .executable(name: "utopia", targets: ["Utopia"]),
    .executable(name: "utopia-mail", targets: ["Mail"]),
    .executable(name: "utopia-nameserver", targets: ["Nameserver"]),
    .executable(name: "utopia-resolver", targets: ["Resolver"]),
    .executable(name: "utopia-registrar", targets: ["Registrar"]),
    .executable(name: "utopia-tracker", targets: ["Tracker"]),
    .executable(name: "utopia-peer", targets: ["Peer"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // System libraries
    .target(name: "CLinux", path: "Shared/CLinux"),
    library("CCurl", "libcurl4-openssl-dev", header: "libcurl"),
    library("CSQLite", "libsqlite3-dev", header: "sqlite3"),
    library("COpenSSL", "libssl-dev", header: "libcrypto"),

    // Bytes in, values out
    shared("Octets"),
    shared("HTTPWire", ["Octets"]),
    shared("DNSWire", ["Octets"]),
    shared("MailWire", ["Octets"]),
    shared("TorrentWire", ["Octets"]),

    // Input, output and engines
    shared("EventLoop", ["CLinux", "Octets"]),
    shared("HTTPServer", ["CLinux", "EventLoop", "HTTPWire", "Octets"]),
    shared("HTTPClient", ["CCurl", "EventLoop", "HTTPWire", "Octets"]),
    shared("SQL", ["CSQLite", "EventLoop", "Octets"]),
    shared(
      "ServiceKit",
      ["COpenSSL", "EventLoop", "HTTPServer", "HTTPClient", "HTTPWire", "Octets", "SQL", log, arguments]),

    // Services
    service(
      "Nameserver", ["ServiceKit", "SQL", "DNSWire", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments]),
    service(
      "Resolver",
      ["ServiceKit", "HTTPClient", "DNSWire", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments]),
    service(
      "Registrar",
      ["ServiceKit", "SQL", "HTTPClient", "DNSWire", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments]),
    service(
      "Tracker",
      ["ServiceKit", "SQL", "TorrentWire", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments]),
    service(
      "Peer",
      [
        "ServiceKit", "SQL", "HTTPClient", "TorrentWire", "HTTPServer", "HTTPWire", "EventLoop", "CLinux", "Octets",
        log,
        arguments,
      ]),
    service(
      "Mail",
      ["ServiceKit", "SQL", "HTTPClient", "MailWire", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments]),
    service(
      "Utopia",
      ["CLinux", "ServiceKit", "HTTPClient", "HTTPServer", "HTTPWire", "EventLoop", "Octets", log, arguments, yaml]),

    // The server as a library, without any of the services
    .executableTarget(
      name: "Hello", dependencies: ["HTTPServer", "EventLoop", "Octets"], path: "Tests/Hello", swiftSettings: laws),

    // Tests
    tests("Octets"),
    tests("HTTPWire"),
    tests("DNSWire"),
    tests("MailWire"),
    tests("TorrentWire"),
    tests("EventLoop", ["CLinux", "Octets"]),
    tests("HTTPServer", ["EventLoop", "HTTPWire", "Octets", "CLinux"]),
    tests("HTTPClient", ["EventLoop", "HTTPServer", "HTTPWire", "Octets"]),
    tests("SQL", ["CSQLite", "EventLoop", "Octets"]),
    tests("ServiceKit", [arguments, log, "EventLoop", "HTTPClient", "HTTPServer", "HTTPWire", "Octets", "SQL"]),
    tests("Nameserver", ["DNSWire", "EventLoop", "HTTPWire", "Octets", "ServiceKit"]),
    tests("Resolver", ["DNSWire", "EventLoop", "Octets"]),
    tests(
      "Registrar",
      ["EventLoop", "HTTPClient", "HTTPServer", "HTTPWire", "Octets", "ServiceKit", "SQL", log]),
    tests("Utopia", ["EventLoop", "HTTPClient", "HTTPServer", "HTTPWire", "Octets"]),
    tests("Tracker", ["EventLoop", "HTTPServer", "Octets", "SQL", "ServiceKit", "TorrentWire", log]),
    tests(
      "Peer",
      ["EventLoop", "HTTPClient", "HTTPServer", "HTTPWire", "Octets", "SQL", "ServiceKit", "TorrentWire", log]),
    tests("Mail", ["MailWire", "EventLoop", "HTTPClient", "HTTPServer", "Octets", "ServiceKit", "SQL", log]),
  ],
  swiftLanguageModes: [.v6]
)
