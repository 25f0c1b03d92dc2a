import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension Channel {
    /// Makes the connection end with a reset when it is closed, which no client takes for the end of a message.
    func closesWithReset() {
        (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
    }
}
