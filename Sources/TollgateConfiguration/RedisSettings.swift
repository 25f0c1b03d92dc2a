import RedisClient

/// How to reach Redis.
package struct RedisSettings: Sendable {
    /// A URL that `RedisEndpoint` can read. Secret: it may hold a password.
    package let url: Secret

    /// Where the password is, when it is not in ``url``.
    package let passwordFile: PasswordFile?

    /// How to log in to sentinels. Nil when it is as at Redis.
    package let sentinelLogin: SentinelLogin?

    package struct SentinelLogin: Sendable {
        package let username: String?
        package let password: Secret
    }

    /// The absolute path of the PEM file of the authority that signed Redis' certificate, for `rediss://`.
    package let authorityFile: String?

    /// The absolute path of the PEM file of our certificate. Given if and only if ``keyFile`` is.
    package let certificateFile: String?

    /// The absolute path of the PEM file of that certificate's private key.
    package let keyFile: String?

    /// How long Redis has for an answer.
    package let timeoutMilliseconds: Int

    /// How many requests that are alike one call decides on at most, from 1.
    package let admissionGroup: Int

    init(_ reader: inout SettingReader, workingDirectory: String) {
        url = Secret(reader.redisURL())
        passwordFile = reader.passwordFile(url: url, in: workingDirectory)
        sentinelLogin = reader.sentinelLogin(url: url)
        authorityFile = reader.readableFile(.redisAuthorityFile, in: workingDirectory)
        certificateFile = reader.readableFile(.redisCertificateFile, in: workingDirectory)
        keyFile = reader.readableFile(.redisKeyFile, in: workingDirectory)
        timeoutMilliseconds = reader.integer(.redisTimeoutMilliseconds)
        admissionGroup = reader.integer(.admissionGroup)
        reader.checkCertificatePair()
        reader.checkUseOfTLS(url: url)
    }
}

extension SettingReader {
    fileprivate mutating func redisURL() -> String {
        guard let found = find(.redisURL) else {
            reportMissing(
                .redisURL, "is not set",
                remedy: "Give the Redis that all workers share, such as redis://localhost:6379.")
            return ""
        }
        do throws(RedisURLProblem) {
            _ = try RedisEndpoint(url: found.text, hasPasswordElsewhere: find(.redisPasswordFile) != nil)
        } catch {
            report(
                found, "\(error)",
                remedy: "Write redis://[user:password@]host[:port][/database], rediss://…, unix:///path[?db=n], "
                    + "redis-sentinel://[user:password@]host[:port],…/primary[/database] or "
                    + "redis-cluster://[user:password@]host[:port],….")
        }
        return found.text
    }

    /// - Returns: Nil when none is given.
    fileprivate mutating func passwordFile(url: Secret, in directory: String) -> PasswordFile? {
        guard let found = find(.redisPasswordFile) else { return nil }
        let file = PasswordFile(path: absolutePath(found.text, in: directory))
        do throws(PasswordFile.Unusable) {
            _ = try file.read()
        } catch {
            report(
                found, error.problem.rawValue,
                remedy: "Give the path of a file that the gateway may read and that holds the password alone.")
        }
        if let endpoint = try? RedisEndpoint(url: url.revealed), endpoint.password != nil {
            report(
                found, "is given beside a password in \(Setting.redisURL.name)",
                remedy:
                    "Leave the user in \(Setting.redisURL.name), as in redis://gateway@host:6379, or remove the file.")
        }
        return file
    }

    /// - Returns: Nil when none is given.
    fileprivate mutating func sentinelLogin(url: Secret) -> RedisSettings.SentinelLogin? {
        let (username, password) = (find(.redisSentinelUsername), find(.redisSentinelPassword))
        guard let first = username ?? password else { return nil }
        if !url.revealed.isEmpty, !url.revealed.lowercased().contains("-sentinel://") {
            report(
                first, "is without effect, since REDIS_URL names no sentinels",
                remedy: "Begin REDIS_URL with redis-sentinel://, or remove it.")
        }
        guard let password else {
            report(
                first, "has no \(Setting.redisSentinelPassword.name) beside it",
                remedy: "Give both, or the password alone.")
            return nil
        }
        return RedisSettings.SentinelLogin(username: username?.text, password: Secret(password.text))
    }

    fileprivate mutating func checkCertificatePair() {
        let pair = (find(.redisCertificateFile), find(.redisKeyFile))
        switch pair {
        case (let found?, nil), (nil, let found?):
            let missing = pair.0 == nil ? Setting.redisCertificateFile : .redisKeyFile
            report(found, "has no \(missing.name) beside it", remedy: "Give both or neither.")
        default:
            break
        }
    }

    /// An operator who names a certificate believes that the connection is encrypted.
    fileprivate mutating func checkUseOfTLS(url: Secret) {
        guard !url.revealed.isEmpty, !url.revealed.lowercased().hasPrefix("rediss") else { return }
        for setting in [Setting.redisAuthorityFile, .redisCertificateFile, .redisKeyFile] {
            guard let found = find(setting) else { continue }
            report(
                found, "is without effect, since REDIS_URL does not ask for TLS",
                remedy: "Begin REDIS_URL with rediss://, rediss-sentinel:// or rediss-cluster://, or remove the file.")
        }
    }
}
