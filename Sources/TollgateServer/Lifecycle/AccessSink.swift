package import NIOCore
import CoreMetrics
package import TollgateConfiguration
import TollgateCore
import TollgateDataPlane

/// Where the lines of the access log go, and how they look there.
package struct AccessSink: Sendable {
    private let format: LogFormat
    private let write: @Sendable (ByteBuffer) -> Void

    /// - Parameter write: Is given whole lines, by one thread.
    package init(format: LogFormat, write: @escaping @Sendable (ByteBuffer) -> Void) {
        (self.format, self.write) = (format, write)
    }

    func log(
        sample: Int, time: any TimeSource, eventLoopGroup: any EventLoopGroup, metricsFactory: any MetricsFactory
    ) -> AccessLog {
        AccessLog(
            format: format == .json ? .json : .text, sample: sample, time: time, eventLoopGroup: eventLoopGroup,
            metricsFactory: metricsFactory, sink: write)
    }
}
