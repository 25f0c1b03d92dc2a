import HTTPWire
import NIOCore
import Synchronization
import TollgateCore

/// The `Date` field of answers, written once a second for all connections.
package final class AnswerClock: Sendable {
    private let time: any TimeSource
    private let date = Mutex(HTTPDate())

    package init(time: any TimeSource) { self.time = time }

    func writeDate(to buffer: inout ByteBuffer, at now: UnixTime? = nil) {
        buffer.writeField("Date", date(at: now))
    }

    /// What the field says of a moment, or of this one.
    package func date(at now: UnixTime? = nil) -> String {
        let now = now ?? time.now()
        return date.withLock { $0.text(at: now) }
    }
}
