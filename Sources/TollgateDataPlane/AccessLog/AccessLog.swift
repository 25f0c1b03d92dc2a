package import CoreMetrics
package import NIOCore
import NIOPosix
import PrometheusMetrics
import ServiceLifecycle
import Synchronization
package import TollgateCore

/// One line for each request, at a price that the data plane does not feel: a line is put together in a buffer of its
/// event loop, and a thread of its own writes whole buffers.
///
/// What cannot be written as fast as it comes is dropped and counted: no request waits for a disk, and no memory grows.
package final class AccessLog: Sendable {
    /// Buffers that may wait to be written. Beyond them lines are dropped.
    private static let maximumWaiting = 64

    let format: AccessLine.Format

    /// Of so many answers below 400 one has a line.
    let sample: Int
    let time: any TimeSource
    private let loops: [LoopAccessLog]
    private let sink: @Sendable (ByteBuffer) -> Void
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let waiting = Atomic<Int>(0)
    private let dropped: Counter

    /// - Parameters:
    ///   - sample: Of so many answers below 400 one has a line; all others have theirs always.
    ///   - sink: Writes whole lines. Called by one thread.
    package init(
        format: AccessLine.Format, sample: Int, time: any TimeSource, eventLoopGroup: any EventLoopGroup,
        metricsFactory: any MetricsFactory, sink: @escaping @Sendable (ByteBuffer) -> Void
    ) {
        self.format = format
        self.sample = max(sample, 1)
        self.time = time
        self.sink = sink
        loops = eventLoopGroup.makeIterator().map { LoopAccessLog(eventLoop: $0) }
        dropped = Self.droppedLines(metricsFactory)
    }

    /// What is counted of lines. Made for a worker without an access log as well, for no alert can be made of a metric that
    /// is not there.
    @discardableResult
    package static func droppedLines(_ factory: any MetricsFactory) -> Counter {
        factory.counter(
            "tollgate_access_lines_dropped", help: "Lines of the access log that could not be written fast enough.")
    }

    /// The part of one event loop. Nil for a loop of another group.
    func on(_ eventLoop: any EventLoop) -> LoopAccessLog? { loops.first { $0.eventLoop === eventLoop } }

    /// Takes whole lines, to be written soon.
    ///
    /// - Parameter count: How many lines they are.
    fileprivate func submit(_ buffer: ByteBuffer, count: Int) {
        guard waiting.load(ordering: .relaxed) < Self.maximumWaiting else { return dropped.increment(by: count) }
        waiting.wrappingAdd(1, ordering: .relaxed)
        thread.submit { [self] state in
            waiting.wrappingSubtract(1, ordering: .relaxed)
            if state == .active { sink(buffer) }
        }
    }

    /// The last requests that have a line, the newest of each event loop first.
    package func recentRequests() async -> [RecentRequest] {
        var found: [RecentRequest] = []
        for loop in loops { found += (try? await loop.eventLoop.submit { loop.recentRequests }.get()) ?? [] }
        return found
    }

    /// Those since the last time, to be told to all who may be asked: refusals and failures before what has passed, and the
    /// newest of each.
    package func takeUntoldRequests(_ maximumCount: Int) async -> [RecentRequest] {
        var found: [RecentRequest] = []
        for loop in loops { found += (try? await loop.eventLoop.submit { loop.takeUntoldRequests() }.get()) ?? [] }
        let failed = found.filter { $0.line.status >= 400 || $0.line.status == 0 }
        let passed = found.filter { (1..<400).contains($0.line.status) }
        return Array((failed + passed).prefix(maximumCount)).sorted { $0.time < $1.time }
    }

    /// Has everything written that has come until now.
    package func flush() async {
        for loop in loops { try? await loop.eventLoop.submit { loop.flush() }.get() }
        try? await thread.runIfActive {}
    }
}

extension AccessLog: Service {
    /// Writes until shutdown, and then what is left.
    package func run() async throws {
        for loop in loops { try? await loop.eventLoop.submit { loop.begin(for: self) }.get() }
        thread.start()
        try? await gracefulShutdown()
        // A task of its own, for this one may have been cancelled: then it could not wait.
        await Task { await self.end() }.value
    }

    private func end() async {
        await flush()
        for loop in loops { try? await loop.eventLoop.submit { loop.end() }.get() }
        try? await thread.shutdownGracefully()
    }
}

/// The lines of one event loop. Confined to it.
package final class LoopAccessLog: Sendable {
    /// Room for lines, made at once.
    private static let capacity = 64 << 10

    /// With so much in it, a buffer is written.
    private static let fullBytes = 32 << 10

    /// The longest that a line waits.
    private static let patience: TimeAmount = .milliseconds(100)

    /// A class, so that its buffer is changed where it stands.
    private final class State {
        var log: AccessLog?
        var buffer = ByteBuffer()
        var lines = 0
        var passedOver = 0
        var isFlushAwaited = false
        var recent = RecentRequests()
    }

    let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// From now on lines are written for `log`. Before it and after ``end()`` there are none.
    func begin(for log: AccessLog) { state.value.log = log }

    func end() {
        flush()
        state.value.log = nil
    }

    /// Whether a request that is answered in this way has a line. Counts the ones that have none.
    ///
    /// - Parameter status: Of the answer; 0 when there was none.
    func wants(status: Int) -> Bool {
        let state = state.value
        guard let log = state.log else { return false }
        guard status < 400, status != 0, log.sample > 1 else { return true }
        state.passedOver += 1
        guard state.passedOver >= log.sample else { return false }
        state.passedOver = 0
        return true
    }

    /// Adds the line of a request that ``wants(status:)`` one.
    func write(_ line: AccessLine) {
        let state = state.value
        guard let log = state.log else { return }
        if state.buffer.capacity == 0 { state.buffer.reserveCapacity(Self.capacity) }
        let time = log.time.now()
        line.write(to: &state.buffer, at: time, as: log.format)
        state.recent.add(RecentRequest(line: line, time: time))
        state.lines += 1
        if state.buffer.readableBytes >= Self.fullBytes { return flush() }
        guard !state.isFlushAwaited else { return }
        state.isFlushAwaited = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            self.state.value.isFlushAwaited = false
            self.flush()
        }
    }

    /// The newest first.
    var recentRequests: [RecentRequest] { state.value.recent.newestFirst }

    func takeUntoldRequests() -> [RecentRequest] { state.value.recent.takeUntold() }

    func flush() {
        let state = state.value
        guard state.lines > 0, let log = state.log else { return }
        log.submit(state.buffer, count: state.lines)
        (state.buffer, state.lines) = (ByteBuffer(), 0)
    }
}
