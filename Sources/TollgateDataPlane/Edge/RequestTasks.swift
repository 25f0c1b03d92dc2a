/// The tasks of requests in progress, each of which ends with its request, whether or not its client is still there.
final class RequestTasks: Sendable {
    private let works: AsyncStream<@Sendable () async -> Void>
    private let continuation: AsyncStream<@Sendable () async -> Void>.Continuation

    init() { (works, continuation) = AsyncStream.makeStream() }

    /// Has `work` done while ``run()`` runs. Any thread.
    func start(_ work: @escaping @Sendable () async -> Void) { continuation.yield(work) }

    /// No further work comes.
    func finish() { continuation.finish() }

    /// Returns when all is done. Cancelled, it begins nothing more, and all work in progress is cancelled and waited for:
    /// what it holds elsewhere is let go of.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in works { group.addTask(operation: work) }
        }
    }
}
