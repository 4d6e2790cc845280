// The HTTP server as a library: `swift run Hello 8080`, then `curl http://127.0.0.1:8080/hello/Alice`.
import EventLoop
import HTTPServer
import Octets

let router = Router()
router.before(RateLimit(perSecond: 1000, burst: 1000).check)
router.get("/hello/{name}") { request in .text("Hello, \(request.parameter("name")).\n") }
router.post("/count") { request in
  var octets = 0
  for try await portion in request.body { octets += portion.count }
  return .text("\(octets) octets\n")
}
let port = CommandLine.arguments.dropFirst().first.flatMap { UInt16($0) } ?? 8080
let loop = try EventLoop()
let address = try HTTPServer(router: router).listen(on: SocketAddress(ip: .loopbackV4, port: port), loops: [loop])
print("http://\(address)/")
loop.run()
