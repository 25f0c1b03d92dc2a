package import AsyncHTTPClient
package import NIOCore

extension HTTPClient.Configuration {
    /// For calls to services, which carry a secret. A client's defaults are not a server's: no redirect takes the secret
    /// somewhere else, each wait is bounded, and whether a call is made again is for its caller to say.
    ///
    /// - Parameters:
    ///   - connect: The longest wait for a connection.
    ///   - read: The longest wait for the next part of an answer.
    package static func outbound(connect: TimeAmount, read: TimeAmount) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: connect, read: read)
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}
