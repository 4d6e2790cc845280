import EventLoop
import HTTPServer
import HTTPWire
import Octets
import ServiceKit

/// Work that takes longer than a request.
final class Jobs: Sendable {
  final class Job: Sendable {
    enum Outcome: Sendable {
      /// Where the result is.
      case success(String)
      case failure(String)
    }

    let id: Int64
    private let state = Lock((progress: 0.0, outcome: Outcome?.none, isCancelled: false))

    init(id: Int64) { self.id = id }

    var progress: Double { state.withLock { $0.progress } }
    var outcome: Outcome? { state.withLock { $0.outcome } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }
    fileprivate func cancel() { state.withLock { $0.isCancelled = true } }
    func progress(_ done: Double) { state.withLock { $0.progress = done } }

    func finish(_ outcome: Outcome) {
      state.withLock { state in
        state.outcome = outcome
        if case .success = outcome { state.progress = 1 }
      }
    }
  }

  /// Jobs that are remembered, and that are under way, at most.
  private static let limit = 100
  private static let atOnce = 8
  private let state = Lock((last: Int64(0), jobs: [Job]()))

  /// Nil where too many are under way.
  func begin() -> Job? {
    state.withLock { state in
      guard state.jobs.count(where: { $0.outcome == nil }) < Self.atOnce else { return nil }
      state.last += 1
      let job = Job(id: state.last)
      state.jobs.append(job)
      if state.jobs.count > Self.limit, let place = state.jobs.firstIndex(where: { $0.outcome != nil }) {
        state.jobs.remove(at: place)
      }
      return job
    }
  }

  /// Those that are under way end, and all are forgotten.
  func reset() {
    state.withLock { state in
      for job in state.jobs { job.cancel() }
      state.jobs = []
    }
  }

  subscript(_ id: Int64) -> Job? { state.withLock { state in state.jobs.first { $0.id == id } } }
}

/// `/v1/jobs`
extension PeerAPI {
  func getJob(_ request: Request) async throws -> Response {
    let text = request.parameter("job")
    guard text.utf8.count <= 15, let id = Array(text.utf8).parsedDecimal(as: Int64.self), let job = jobs[id] else {
      throw Problem.notFound("job \(text)")
    }
    return try .encode(JobView(job))
  }
}

struct JobView: Encodable {
  var id: Int64
  var done: Bool
  var progress: Double
  var error: String?
  var result: String?

  init(_ job: Jobs.Job) {
    id = job.id
    progress = (job.progress * 1000).rounded(.down) / 1000
    let outcome = job.outcome
    done = outcome != nil
    switch outcome {
    case .success(let place): result = place
    case .failure(let reason): error = reason
    case nil: break
    }
  }
}
