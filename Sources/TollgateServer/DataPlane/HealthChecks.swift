import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import ReverseProxy
import Synchronization
import TollgateCore

/// Asks each upstream of a group whether it is well, again and again, and takes those out that are not.
final class HealthChecks: Sendable {
    private let group: UpstreamGroup
    private let urls: [String]
    private let check: Route.HealthCheck
    private let httpClient: HTTPClient
    private let logger: Logger
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(
        of group: UpstreamGroup, upstreams: [TollgateCore.Upstream], check: Route.HealthCheck, httpClient: HTTPClient,
        logger: Logger
    ) {
        self.group = group
        urls = upstreams.map { $0.origin + check.path }
        self.check = check
        self.httpClient = httpClient
        self.logger = logger
    }

    func start() {
        task.withLock { task in
            if task == nil { task = Task { await self.run() } }
        }
    }

    func cancel() { task.withLock { $0?.cancel() } }

    private func run() async {
        await withDiscardingTaskGroup { group in
            for index in urls.indices { group.addTask { await self.watch(index) } }
        }
    }

    private func watch(_ index: Int) async {
        var wasUp = true
        while !Task.isCancelled {
            let isUp = await isUp(urls[index])
            guard !Task.isCancelled else { return }
            if isUp != wasUp {
                group.mark(index, isUp: isUp)
                logger.notice(
                    "upstream health changed", metadata: ["url": "\(urls[index])", "isUp": "\(isUp)"])
                wasUp = isUp
            }
            try? await Task.sleep(for: .milliseconds(check.intervalMilliseconds))
        }
    }

    /// Whether the upstream answers with 2xx or 3xx in time.
    private func isUp(_ url: String) async -> Bool {
        let request = HTTPClientRequest(url: url)
        let timeout = TimeAmount.milliseconds(Int64(check.timeoutMilliseconds))
        guard let answer = try? await httpClient.execute(request, timeout: timeout) else { return false }
        return (200..<400).contains(answer.status.code)
    }
}
