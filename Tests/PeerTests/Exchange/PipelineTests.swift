import Testing
import TorrentWire

@testable import Peer

@Suite struct PipelineTests {
  @Test func aPeerThatGaveNothingIsAskedForFew() {
    #expect(Pipeline().depth(limit: 250) == 4)
  }

  @Test func eachBlockThatComesIsAnsweredWithOneMoreAtFirst() {
    var pipeline = Pipeline()
    for _ in 0..<4 { pipeline.blockCame(after: .milliseconds(100)) }
    #expect(pipeline.depth(limit: 250) == 8)
    for _ in 0..<8 { pipeline.blockCame(after: .milliseconds(100)) }
    #expect(pipeline.depth(limit: 250) == 16)
  }

  @Test func whatTheLinkHoldsIsAskedForOnceItBringsNoMore() {
    var pipeline = Pipeline()
    for count in [50, 100, 100] {
      for _ in 0..<count { pipeline.blockCame(after: .milliseconds(500)) }
      pipeline.second()
    }
    // A hundred blocks a second, over twice the way there and back.
    #expect(pipeline.depth(limit: 250) == 102)
    // The shortest way counts, and never less than a loop may be busy.
    pipeline.blockCame(after: .milliseconds(10))
    pipeline.blockCame(after: .seconds(1))
    #expect(pipeline.depth(limit: 250) == 27)
  }

  @Test func aLinkThatIsFarAwayIsFilledInAFewWays() {
    // 200 ms there and back, 100 Mbps: 760 blocks a second, of which 152 are on their way.
    var pipeline = Pipeline()
    var depths: [Int] = []
    for _ in 0..<6 {
      let depth = pipeline.depth(limit: 500)
      depths.append(depth)
      for _ in 0..<min(depth, 152) { pipeline.blockCame(after: .milliseconds(200)) }
    }
    #expect(depths == [4, 8, 16, 32, 64, 128])
    #expect(pipeline.depth(limit: 500) >= 152)
  }

  @Test func afterAPauseItFindsOutAnew() {
    var pipeline = Pipeline()
    for _ in 0..<100 { pipeline.blockCame(after: .milliseconds(10)) }
    pipeline.restart()
    #expect(pipeline.depth(limit: 500) == 52)
    pipeline.second()
    pipeline.second()
    #expect(pipeline.depth(limit: 500) == 52)
  }

  @Test func noMoreThanThePeerLetsWait() {
    var pipeline = Pipeline()
    for _ in 0..<10_000 { pipeline.blockCame(after: .milliseconds(1)) }
    #expect(pipeline.depth(limit: 250) == 250)
    #expect(pipeline.depth(limit: 100_000) == 500)
    #expect(Pipeline().depth(limit: 1) == 1)
  }
}
