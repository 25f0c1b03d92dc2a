import NIOCore
import NIOPosix
import Synchronization
import TestSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Whom the load calls for, and what their plan allows.
struct FaultUser: Sendable {
    let name: String
    let token: String
    let quota: Int
    let ratePerMinute: Int
}

/// What became of one call. Moments are nanoseconds of the monotonic clock.
struct FaultAnswer: Sendable {
    /// No answer: the connection broke.
    static let broken = 0
    /// No answer for as long as the load waits.
    static let silent = -1

    let user: Int
    let worker: Int
    let status: Int
    /// How many calls the user has made, as the answer says. -1 when it does not.
    let count: Int
    let began: Int64
    let ended: Int64
}

/// Callers who call the workers of a fleet one call after the other, over connections that stay open, each time for
/// another user.
final class FaultLoad: Sendable {
    /// How long a caller waits for an answer: far longer than any is to take.
    static let patience = TimeAmount.seconds(8)

    /// What all callers have in common.
    final class Log: Sendable {
        let requests: [ByteBuffer]
        let answers = Mutex<[FaultAnswer]>([])
        let isOver = Atomic<Bool>(false)
        let active = Atomic<Int>(0)

        init(requests: [ByteBuffer]) { self.requests = requests }
    }

    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    private let log: Log

    /// Begins to call.
    ///
    /// - Parameters:
    ///   - callers: Of each worker.
    ///   - pause: Between an answer and the next call, on the average.
    init(users: [FaultUser], ports: [Int], callers: Int = 5, pause: TimeAmount = .milliseconds(10)) {
        log = Log(
            requests: users.map {
                ByteBuffer(
                    string: "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \($0.token)\r\n"
                        + "Content-Length: 0\r\n\r\n")
            })
        for number in 0..<callers * ports.count {
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let worker = number % ports.count
            log.active.wrappingAdd(1, ordering: .relaxed)
            eventLoop.execute { [log] in
                FaultCaller(worker: worker, port: ports[worker], pause: pause, log: log, eventLoop: eventLoop).connect()
            }
        }
    }

    var answered: Int { log.answers.withLock(\.count) }

    /// Waits for so many more answers of `status`.
    func flows(_ count: Int = 300, status: Int = 200, within limit: Duration = .seconds(15)) async throws {
        let before = log.answers.withLock(\.count)
        try await eventually("\(count) answers \(status)", within: limit) {
            log.answers.withLock { $0[before...].count { $0.status == status } } >= count
        }
    }

    /// Lets the calls under way end.
    ///
    /// - Returns: All answers.
    func stop() async throws -> [FaultAnswer] {
        log.isOver.store(true, ordering: .relaxed)
        try await eventually("all calls have ended", within: .seconds(20)) { log.active.load(ordering: .relaxed) == 0 }
        return log.answers.withLock(\.self)
    }
}

/// One of the callers. Confined to its event loop.
private final class FaultCaller: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let worker: Int
    private let port: Int
    private let pause: TimeAmount
    private let log: FaultLoad.Log
    private let eventLoop: any EventLoop
    private var channel: (any Channel)?
    private var call: (user: Int, began: Int64)?
    private var input = ByteBuffer()
    private var patience: Scheduled<Void>?

    init(worker: Int, port: Int, pause: TimeAmount, log: FaultLoad.Log, eventLoop: any EventLoop) {
        self.worker = worker
        self.port = port
        self.pause = pause
        self.log = log
        self.eventLoop = eventLoop
    }

    func connect() {
        guard !isOver else { return end() }
        ClientBootstrap(group: eventLoop).connectTimeout(.seconds(2)).connect(host: "127.0.0.1", port: port)
            .assumeIsolated().whenComplete { result in
                guard case .success(let channel) = result,
                    (try? channel.pipeline.syncOperations.addHandler(self)) != nil
                else { return self.wait { self.connect() } }
                self.channel = channel
                self.ask()
            }
    }

    private var isOver: Bool { log.isOver.load(ordering: .relaxed) }

    private func end() { log.active.wrappingSubtract(1, ordering: .relaxed) }

    private func wait(_ action: @escaping () -> Void) {
        let nanoseconds = Int64.random(in: 0...2 * pause.nanoseconds)
        eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(nanoseconds), action)
    }

    private func ask() {
        guard let channel, call == nil else { return }
        guard !isOver else {
            self.channel = nil
            channel.close(promise: nil)
            return end()
        }
        let user = Int.random(in: 0..<log.requests.count)
        call = (user, FaultLoad.now)
        input.clear()
        patience = eventLoop.assumeIsolated().scheduleTask(in: FaultLoad.patience) {
            self.note(FaultAnswer.silent)
            self.channel?.close(promise: nil)
        }
        channel.writeAndFlush(log.requests[user], promise: nil)
    }

    private func note(_ status: Int, count: Int = -1) {
        patience?.cancel()
        guard let call else { return }
        self.call = nil
        let answer = FaultAnswer(
            user: call.user, worker: worker, status: status, count: count, began: call.began, ended: FaultLoad.now)
        log.answers.withLock { $0.append(answer) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        guard call != nil, let (status, count) = input.answer else { return }
        note(status, count: count)
        wait { self.ask() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard channel != nil else { return }
        channel = nil
        note(FaultAnswer.broken)
        wait { self.connect() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension FaultCaller: Sendable {}

extension ByteBuffer {
    /// The status of the one answer that has come, and the count in it. Nil while it is not complete.
    fileprivate var answer: (status: Int, count: Int)? {
        guard let head = place(of: "\r\n\r\n"), let status = number(at: 9),
            let length = place(of: "ontent-Length: ") ?? place(of: "ontent-length: "),
            let bodyLength = number(at: length), readableBytes >= head + bodyLength
        else { return nil }
        return (status, place(of: "\"count\":").flatMap { number(at: $0) } ?? -1)
    }

    /// Behind the first `text`, from the first byte.
    private func place(of text: StaticString) -> Int? {
        // Unsafe: both stay where they are until the closure returns, and nothing of them leaves it.
        unsafe withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            let (length, count) = (text.utf8CodeUnitCount, bytes.count)
            var offset = 0
            while offset + length <= count,
                let next = unsafe memchr(start + offset, Int32(text.utf8Start[0]), count - offset - length + 1)
            {
                if unsafe memcmp(next, text.utf8Start, length) == 0 {
                    return unsafe UnsafeRawPointer(next) - start + length
                }
                offset = unsafe UnsafeRawPointer(next) - start + 1
            }
            return nil
        }
    }

    private func number(at offset: Int) -> Int? {
        var number: Int?
        var index = readerIndex + offset
        while let digit: UInt8 = getInteger(at: index), (48...57).contains(digit), number ?? 0 < 1 << 40 {
            number = (number ?? 0) * 10 + Int(digit - 48)
            index += 1
        }
        return number
    }
}
