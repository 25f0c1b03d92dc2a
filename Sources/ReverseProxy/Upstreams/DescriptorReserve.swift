import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Leaves the process the descriptors that it cannot do without. The system always gives out the lowest number that is
/// free, so a high one shows that the others are used up.
enum DescriptorReserve {
    private struct ReserveInUse: Error {}

    /// - Throws: When the descriptor of `channel` is one of the reserve.
    static func check(_ channel: any Channel, from reserved: Int) throws {
        let descriptor = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, { $0 })
        if let descriptor, Int(descriptor) >= reserved { throw ReserveInUse() }
    }

    /// Whether a connection failed for want of a descriptor, which is no fault of the upstream's.
    static func isExhausted(_ error: any Error) -> Bool {
        switch error {
        case is ReserveInUse: true
        case let error as IOError: [EMFILE, ENFILE].contains(error.errnoCode)
        case let error as NIOConnectionError: error.connectionErrors.contains { isExhausted($0.error) }
        default: false
        }
    }
}
