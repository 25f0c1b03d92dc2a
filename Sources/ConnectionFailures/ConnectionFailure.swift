import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Why a connection did not come about, broke, or could not be listened for: in words for operators. The one place that
/// knows the errors of the system and of SwiftNIO, whose own texts name types, descriptors and places in their sources.
package struct ConnectionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What sort of failure it is, as far as that is known.
    package enum Kind: Sendable, Hashable {
        case refused
        case nameNotFound
        case timedOut
        case unreachable
        case closed
        case permissionDenied
        case noSuchFile
        case addressInUse
        case noSuchAddress
        case outOfDescriptors
        /// The certificate is not trusted, or names another host.
        case certificate
        /// TLS did not come about for another reason.
        case handshake
        case other
    }

    package let kind: Kind

    /// A clause, such as `the connection was refused`. Never holds a credential.
    package let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// Of whatever a connection fails with. The text of an error that is not known is taken as it is, without places in
    /// sources.
    package init(_ error: any Error) {
        switch error {
        case let error as ConnectionFailure: self = error
        case let error as NIOConnectionError: self = Self.connecting(error)
        case let error as IOError: self = Self.system(error.errnoCode)
        case let error as ChannelError: self = Self.channel(error)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self.init(
                .certificate,
                "the server's certificate does not name the host that was connected to: connect by a name that it has")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self = Self.security(error)
        default: self.init(.other, Self.withoutPlaces("\(error)"))
        }
    }

    /// What there is to do, whatever is connected to: one sentence. Nil where it depends on more than the failure tells.
    package var remedy: String? {
        switch kind {
        case .refused: "Start the server there, or correct host and port."
        case .nameNotFound: "Correct the host, or the name service that this machine asks."
        case .timedOut: "See whether the server is up, and whether a firewall drops the packets."
        case .unreachable: "See whether this machine's network leads there."
        case .closed: "See whether the right server listens there, with or without TLS as it is asked."
        case .permissionDenied: "Let this user use it."
        case .noSuchFile: "Correct the path."
        case .addressInUse: "End what listens there, or choose another port."
        case .noSuchAddress: "Give an address that this machine has."
        case .outOfDescriptors: "Raise the limit of open files."
        case .certificate: "Trust the authority that signed the certificate, or have a valid one issued for this host."
        case .handshake: "See whether the server speaks TLS at this port."
        case .other: nil
        }
    }
}

extension ConnectionFailure {
    /// Of the addresses of a name the first that was tried is told of.
    private static func connecting(_ error: NIOConnectionError) -> Self {
        if let first = error.connectionErrors.first { return Self(first.error) }
        let isAsked = error.dnsAError != nil || error.dnsAAAAError != nil
        return Self(.nameNotFound, "the name \(error.host) \(isAsked ? "was not resolved" : "has no address")")
    }

    private static func channel(_ error: ChannelError) -> Self {
        switch error {
        case .connectTimeout: Self(.timedOut, "it does not take the connection in time")
        case .ioOnClosedChannel, .alreadyClosed, .inputClosed, .outputClosed, .eof:
            Self(.closed, "the connection was closed")
        default: Self(.other, "the connection failed")
        }
    }

    /// - Parameter code: An `errno`.
    private static func system(_ code: CInt) -> Self {
        switch code {
        case ECONNREFUSED: Self(.refused, "the connection was refused: nothing listens there")
        case ETIMEDOUT: Self(.timedOut, "it does not take the connection in time")
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: Self(.unreachable, "no way leads there")
        case ECONNRESET, EPIPE, ECONNABORTED: Self(.closed, "the connection was reset")
        case EACCES, EPERM: Self(.permissionDenied, "permission denied")
        case ENOENT: Self(.noSuchFile, "there is no such file")
        case EADDRINUSE: Self(.addressInUse, "the port is taken")
        case EADDRNOTAVAIL: Self(.noSuchAddress, "this machine has no such address")
        case EMFILE, ENFILE: Self(.outOfDescriptors, "no descriptors are left")
        default:
            // SAFETY: `strerror` returns a C string that stays as it is until this thread asks again.
            Self(.other, unsafe String(cString: strerror(code)))
        }
    }

    /// What BoringSSL calls failures that come of a server that speaks no TLS.
    private static let ofPlainServers = [
        "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE",
    ]

    private static let ofCertificates = ["CERTIFICATE_VERIFY_FAILED", "UNKNOWN_CA", "CERTIFICATE_EXPIRED"]

    private static let ofOurCertificate = [
        "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN",
    ]

    private static func security(_ error: any Error) -> Self {
        let text = "\(error)"
        // As in `100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER at …/tls_record.cc:123`.
        let code = text.firstMatch(of: /OPENSSL_internal:([A-Z0-9_]+)/).map { String($0.1) }
        if let code {
            if ofPlainServers.contains(where: code.contains) {
                return Self(.handshake, "the server does not speak TLS at this port (\(code))")
            }
            if ofOurCertificate.contains(where: code.contains) {
                return Self(.handshake, "the server ends the TLS handshake: it asks for another certificate (\(code))")
            }
            if ofCertificates.contains(where: code.contains) {
                return Self(.certificate, "the server's certificate is not trusted (\(code))")
            }
            return Self(.handshake, "the TLS handshake failed (\(code))")
        }
        if text.contains("unableToValidateCertificate") {
            return Self(.certificate, "the server's certificate is not trusted")
        }
        if text.contains("uncleanShutdown") || text.contains("eofDuringHandshake") || text.contains("zeroReturn") {
            return Self(.closed, "the other side closed the connection during the TLS handshake")
        }
        return Self(.handshake, "the TLS handshake failed")
    }

    /// Paths of the machine that a program was built on are of no use to who runs it.
    private static func withoutPlaces(_ text: String) -> String { text.replacing(#/ at /[^\s\]]+/#, with: "") }
}
