import Testing

@testable import Utopia

@Suite struct DistributionTests {
  private func slides(size: Int = 1_000_000_000) -> Distribution {
    Distribution(
      size: DataSize(octets: size), serverUp: DataRate(bitsPerSecond: 80e6), peerUp: DataRate(bitsPerSecond: 8e6),
      peerDown: DataRate(bitsPerSecond: 20e6))
  }

  @Test func theSlidesExampleHasTheSlidesBounds() {
    #expect(slides().bound(.clientServer, peers: 10) == 1000)
    #expect(slides().bound(.peerToPeer, peers: 10) == 500)
  }

  @Test func oneSlowLinkBindsBoth() {
    // A single client takes F/dmin whatever the server can.
    #expect(slides().bound(.clientServer, peers: 1) == 400)
    #expect(slides().bound(.peerToPeer, peers: 1) == 400)
  }

  @Test func whoGivesNothingIsNotCounted() {
    #expect(slides().bound(.peerToPeer, peers: 10, givers: 0) == 1000)
    #expect(slides().bound(.peerToPeer, peers: 10, givers: 10) == 500)
  }

  @Test func theSlidesCurveGrowsWithoutEndForOneAndNearsAnHourForTheOther() {
    let up = 2e6
    let curve = Distribution(
      size: DataSize(octets: Int(up * 3600 / 8)), serverUp: DataRate(bitsPerSecond: 10 * up),
      peerUp: DataRate(bitsPerSecond: up), peerDown: DataRate(bitsPerSecond: 10 * up))
    #expect(curve.bound(.clientServer, peers: 35) == 3.5 * 3600)
    #expect(curve.bound(.peerToPeer, peers: 35) == 2800)
    #expect(curve.bound(.peerToPeer, peers: 1000) < 3600)
  }
}

@Suite struct QuantityTests {
  @Test(arguments: [
    ("64MiB", 67_108_864), ("1GB", 1_000_000_000), ("1.5 kB", 1500), ("512", 512), ("16KiB", 16_384), ("7B", 7),
  ])
  func aSizeIsReadAsAPersonWritesIt(text: String, octets: Int) {
    #expect(DataSize(argument: text)?.octets == octets)
  }

  @Test(arguments: ["", "MiB", "-1MB", "0", "1e99GB", "nanMB", "12 apples", "infGB", "1MBps"])
  func whatIsNoSizeIsRefused(text: String) { #expect(DataSize(argument: text) == nil) }

  @Test(arguments: [("80Mbps", 80e6), ("1.5Gbps", 1.5e9), ("500kbps", 5e5), ("8 Mbit/s", 8e6), ("20000bps", 2e4)])
  func aRateIsReadLikewise(text: String, bits: Double) {
    #expect(DataRate(argument: text)?.bitsPerSecond == bits)
  }

  @Test(arguments: ["80", "80MB", "-8Mbps", "0Mbps", "1bps", "infMbps"])
  func whatIsNoRateIsRefused(text: String) { #expect(DataRate(argument: text) == nil) }

  @Test func amountsAreToldAsTheyWereMeant() {
    #expect("\(DataSize(octets: 64 << 20))" == "64 MiB")
    #expect("\(DataSize(octets: 25_000_000))" == "25 MB")
    #expect("\(DataSize(octets: 12))" == "12 B")
    #expect("\(DataRate(bitsPerSecond: 8e6))" == "8 Mbps")
    #expect("\(DataRate(bitsPerSecond: 1.25e9))" == "1.25 Gbps")
  }
}

@Suite struct ChartTests {
  @Test func bothWaysAreDrawnWithTheirBoundsAndPoints() {
    let distribution = Distribution(
      size: DataSize(octets: 1_000_000), serverUp: DataRate(bitsPerSecond: 8e6), peerUp: DataRate(bitsPerSecond: 8e5),
      peerDown: DataRate(bitsPerSecond: 8e6))
    let results = Distribution.Way.allCases.flatMap { way in
      [1, 5, 35].map { peers in
        DistributionResult(
          way: way, peers: peers, bound: distribution.bound(way, peers: peers),
          measured: distribution.bound(way, peers: peers) * 1.1, times: [1], serverSent: 1)
      }
    }
    let svg = Chart(distribution: distribution, results: results, title: "a < b & c").svg
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    #expect(svg.split(separator: "<polyline").count == 3)
    #expect(svg.split(separator: "<circle").count == 1 + 6 + 2)
    #expect(svg.contains("a &lt; b &amp; c"))
    #expect(svg.contains("client-server, 35 peers: 38.5 s of at least 35 s"))
  }

  @Test func theLineOfTheBoundKnowsOfThoseWhoGiveNothing() throws {
    let distribution = Distribution(
      size: DataSize(octets: 1_000_000), serverUp: DataRate(bitsPerSecond: 8e6), peerUp: DataRate(bitsPerSecond: 8e6),
      peerDown: DataRate(bitsPerSecond: 8e7))
    let bound = distribution.bound(.peerToPeer, peers: 10, givers: 2)
    let result = DistributionResult(
      way: .peerToPeer, peers: 10, bound: bound, measured: bound, times: [1], serverSent: 1)
    let svg = Chart(distribution: distribution, results: [result], title: "", freeRiders: 8).svg
    // The point lies on the line's end.
    let circle = try #require(svg.firstMatch(of: /<circle cx="([0-9.]+)" cy="([0-9.]+)" r="5"/))
    #expect(svg.contains("\(circle.1),\(circle.2)\" fill=\"none\""))
  }
}
