package import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Finds the addresses of names.
package protocol NameResolver: Sendable {
    /// All addresses of `host`, best first, each with `port`. A name server that is silent may keep it waiting for
    /// long: the caller has a deadline of its own.
    func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]>
}

/// The system's resolver: `/etc/hosts`, name servers, and what else `nsswitch.conf` says.
package struct SystemNameResolver: NameResolver {
    /// The name has no address, or no name server told one.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The lookup blocks its thread for as long as name servers are silent, so it has threads of its own.
    private static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 4)
        threads.start()
        return threads
    }()

    package init() {}

    package func addresses(
        of host: String, port: Int, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        Self.threads.runIfActive(eventLoop: eventLoop) { try Self.lookUp(host, port: port) }
    }

    private static func lookUp(_ host: String, port: Int) throws -> [SocketAddress] {
        // A list of one, which stays here; the C library reads it.
        var wanted = unsafe addrinfo()
        #if canImport(Glibc)
        unsafe wanted.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
        unsafe wanted.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        // The C library writes `list`, which stays valid until it is freed below.
        let status = unsafe getaddrinfo(host, String(port), &wanted, &list)
        guard status == 0 else {
            throw Failure(description: unsafe gai_strerror(status).map { unsafe String(cString: $0) } ?? "\(status)")
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next?.pointee {
            unsafe next = unsafe entry.ai_next
            // The family says which structure the address points to.
            guard let address = unsafe UnsafeRawPointer(entry.ai_addr) else { continue }
            switch unsafe entry.ai_family {
            case AF_INET: addresses.append(SocketAddress(unsafe address.load(as: sockaddr_in.self), host: host))
            case AF_INET6: addresses.append(SocketAddress(unsafe address.load(as: sockaddr_in6.self), host: host))
            default: break
            }
        }
        return addresses
    }
}
