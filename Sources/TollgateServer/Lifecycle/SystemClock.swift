#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
package import TollgateCore

/// The operating system's wall clock.
package struct SystemClock: TimeSource {
    package init() {}

    package func now() -> UnixTime {
        UnixTime(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }
}
