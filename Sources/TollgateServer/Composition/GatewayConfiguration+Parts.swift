import NIOCore
import NIOSSL
import RedisClient
import ReverseProxy
import TollgateConfiguration
import TollgateDataPlane
import TollgateStore

extension RedisSettings {
    /// What the Redis client is told.
    ///
    /// - Throws: What makes a certificate or key file unusable.
    var clientConfiguration: RedisClientConfiguration {
        get throws {
            let endpoint = try RedisEndpoint(url: url.revealed, hasPasswordElsewhere: passwordFile != nil)
            let tls =
                endpoint.usesTLS
                ? try RedisClientConfiguration.tls(
                    authorityFile: authorityFile, certificateFile: certificateFile, keyFile: keyFile) : nil
            return RedisClientConfiguration(
                endpoint: endpoint, tls: tls, commandTimeout: .milliseconds(Int64(timeoutMilliseconds)),
                probe: RedisFitness.probe, passwordSource: passwordSource,
                sentinelLogin: sentinelLogin.map {
                    RedisEndpoint.Login(username: $0.username, password: $0.password.revealed)
                })
        }
    }
}

extension RedisSettings {
    private var passwordSource: (@Sendable () throws -> String)? {
        guard let passwordFile else { return nil }
        return { try passwordFile.read() }
    }
}

extension GatewayConfiguration {
    /// How upstreams are dealt with.
    ///
    /// - Parameter reservedDescriptors: From this number on, descriptors are not for connections to upstreams.
    func upstreamSettings(reservedDescriptors: Int) -> UpstreamSettings {
        UpstreamSettings(
            pool: PoolPolicy(clientSharePercent: upstreamClientSharePercent),
            tls: upstreamAuthorityFile.map { file in
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.trustRoots = .file(file)
                return tls
            }, reservedDescriptors: reservedDescriptors)
    }

    var corsPolicy: CORSPolicy {
        CORSPolicy(frontendOrigin: frontendURL, origins: cors.origins, patterns: cors.originPatterns)
    }
}
