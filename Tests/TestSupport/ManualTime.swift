import Synchronization
package import TollgateCore

/// A clock that stands still until a test moves it.
package final class ManualTime: TimeSource {
    private let current: Mutex<UnixTime>

    package init(_ time: UnixTime) { current = Mutex(time) }

    package func now() -> UnixTime { current.withLock(\.self) }

    package func set(_ time: UnixTime) { current.withLock { $0 = time } }

    package func advance(seconds: Int64) { current.withLock { $0 = $0.adding(seconds: seconds) } }
}
