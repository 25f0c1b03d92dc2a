import NIOCore
import NIOEmbedded
import ReverseProxy
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// A public connection with the data plane behind it: from the client's bytes to the store's port and back, without
/// Redis and without a socket.
struct DataPlaneBench {
    let fixture: AdmissionFixture
    let store = MemoryStore()
    let time = ManualTime(AdmissionFixture.start)
    let channel: NIOAsyncTestingChannel

    /// Runs `body` on a connection of a client at 192.0.2.7.
    static func run(
        tokens: [String: Result<Principal, AuthenticationFailure>] = [:], routes: [Route] = [],
        _ body: (DataPlaneBench) async throws -> Void
    ) async throws {
        let bench = try DataPlaneBench(fixture: AdmissionFixture(tokens: tokens), channel: NIOAsyncTestingChannel())
        try await bench.connect(routes: RouteTable(routes))
        do {
            try await body(bench)
        } catch {
            try await bench.finish()
            throw error
        }
        try await bench.finish()
    }

    private func finish() async throws { _ = try await channel.finish(acceptAlreadyClosed: true) }

    private func connect(routes: RouteTable) async throws {
        let loop = channel.testingEventLoop
        let (state, store, time, log) = (fixture.state, store, time, fixture.log)
        let metrics = GatewayMetrics(factory: fixture.registry)
        let reservations = ReservationKeeper(
            port: { _ in MemoryPort(store) }, time: time, monotonicMilliseconds: { time.now().milliseconds },
            eventLoopGroup: loop, metricsFactory: fixture.registry, metrics: metrics, logger: log.logger)
        let routing = RoutingState(
            eventLoopGroup: loop, settings: UpstreamSettings(),
            metrics: RoutingMetrics(factory: fixture.registry), logger: log.logger)
        try await loop.executeInContext { try routing.replace(with: routes) }
        let answers = AnswerWriter(requestIDs: state.requestIDs, clock: AnswerClock(time: time))
        let dataPlane = DataPlane(
            admission: state, reservations: reservations, time: time, cors: CORSPolicy(frontendOrigin: nil),
            metrics: metrics, proxyMetrics: ProxyMetrics(factory: fixture.registry), requestIDs: state.requestIDs,
            answers: answers, routing: routing, trustedProxies: .empty, isControlPath: { _ in false },
            logger: log.logger)
        let channel = channel
        try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.7", port: 50_000)).get()
        try await loop.executeInContext {
            let gate = ControlPlaneGate(
                respond: { _, _ in preconditionFailure("what is tested here does not go up to the control plane") },
                start: { work in Task { await work() } })
            let dispatcher = ConnectionDispatcher(dataPlane: dataPlane, channel: channel, controlPlane: gate)
            let connection = PublicConnection(
                limits: ConnectionLimits(idleTimeout: .seconds(60)), drain: DrainState(), answers: answers,
                dispatcher: dispatcher, timers: ConnectionTimers(eventLoop: loop))
            try channel.pipeline.syncOperations.addHandler(connection)
        }
    }

    /// Sends a request.
    func send(_ lines: String..., body: String = "") async throws {
        try await channel.writeInbound(
            ByteBuffer(string: (lines + ["Host: api.example.com", "", body]).joined(separator: "\r\n")))
    }

    /// The answer that has come, or comes.
    func answer() async throws -> Answered {
        let bytes = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
        return Answered(text: String(buffer: bytes))
    }

    /// Sends a request, and waits for its answer.
    func ask(_ lines: String..., body: String = "") async throws -> Answered {
        try await channel.writeInbound(
            ByteBuffer(string: (lines + ["Host: api.example.com", "", body]).joined(separator: "\r\n")))
        return try await answer()
    }

    /// An answer as it came.
    struct Answered: CustomStringConvertible {
        let text: String

        var status: Int { Int(text.dropFirst("HTTP/1.1 ".count).prefix(3)) ?? 0 }

        /// The value of a field.
        func field(_ name: String) -> String? {
            text.split(separator: "\r\n").first { $0.hasPrefix(name + ": ") }
                .map { String($0.dropFirst(name.count + 2)) }
        }

        /// Whether it is the refusal with this code.
        func refuses(_ code: String) -> Bool { text.contains("\"code\":\"\(code)\"") }

        var description: String { text }
    }
}
