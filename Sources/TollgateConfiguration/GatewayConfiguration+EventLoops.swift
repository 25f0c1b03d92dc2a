package import Logging
import NIOCore

extension GatewayConfiguration {
    /// Event loops of a worker on this machine.
    package var eventLoopCount: Int { Self.eventLoopCount(wanted: threads, cores: System.coreCount) }

    /// More than two for each core only take turns: with eight for each a call costs three times as much, for every loop
    /// is woken for one call at a time, and so is Redis.
    package static func eventLoopCount(wanted: Int, cores: Int) -> Int { min(wanted, 2 * max(1, cores)) }

    /// Tells the operator when there are fewer event loops than the configuration says.
    package func logMissingThreads(to logger: Logger) {
        guard eventLoopCount < threads else { return }
        logger.warning(
            "fewer threads than configured",
            metadata: [
                "wanted": "\(threads)", "inForce": "\(eventLoopCount)",
                "remedy": "set TOLLGATE_THREADS to the number of cores, or leave it out",
            ])
    }
}
