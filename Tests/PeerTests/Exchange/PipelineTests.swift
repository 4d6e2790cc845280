import Testing
import TorrentWire

@testable import Peer

@Suite struct PipelineTests {
  @Test func aPeerThatGaveNothingIsAskedForFew() {
    #expect(Pipeline().depth(rate: 0, limit: 250) == 4)
  }

  @Test func whatTheLinkHoldsIsAskedFor() {
    var pipeline = Pipeline()
    let rate = Double(100 * Block.size)
    // Two seconds until something is known of the delay.
    #expect(pipeline.depth(rate: rate, limit: 250) == 202)
    pipeline.blockTook(.milliseconds(500))
    #expect(pipeline.depth(rate: rate, limit: 250) == 102)
    // The shortest counts, and never less than a loop may be busy.
    pipeline.blockTook(.milliseconds(10))
    pipeline.blockTook(.seconds(1))
    #expect(pipeline.depth(rate: rate, limit: 250) == 27)
  }

  @Test func noMoreThanThePeerLetsWait() {
    let pipeline = Pipeline()
    #expect(pipeline.depth(rate: 1e9, limit: 250) == 250)
    #expect(pipeline.depth(rate: 1e9, limit: 100_000) == 500)
    #expect(pipeline.depth(rate: 0, limit: 1) == 1)
  }
}
