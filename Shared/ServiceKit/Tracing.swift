public import HTTPClient
public import HTTPServer

/// Whether this process takes part in tracing. While it is off nothing is added to what others see: a trace that comes in
/// by HTTP is still handed on by HTTP, but letters and DNS messages stay as they are.
public struct Tracing: Sendable {
  /// Where spans go (OpenTelemetry's `OTEL_EXPORTER_OTLP_ENDPOINT`); nil when tracing is off.
  public let endpoint: String?

  public var isOn: Bool { endpoint != nil }

  init(environment: [String: String]) {
    endpoint = environment["OTEL_EXPORTER_OTLP_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension Request {
  /// The trace this request belongs to: its `traceparent`; nil where it has none that is valid (Trace Context §3.2).
  public var trace: TraceContext? { header("traceparent").flatMap { TraceContext(traceparent: $0) } }
}

extension ClientRequest {
  /// The same request as a child of this trace, which its `traceparent` then hands on; without a trace it has none.
  public func with(trace: TraceContext?) -> ClientRequest {
    var request = self
    request.traceparent = trace?.child.traceparent
    return request
  }
}
