package import JSONValue
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// aiosmtpd: a mail server that others have written (PyPI), on a port of its own, which remembers what it has taken.
package struct MailServer: Sendable {
    package let port: Int
    private let directory: String

    /// How connections to it are secured, with the certificate of ``TestCertificates`` in a directory.
    package enum Security: Sendable {
        case none
        case startTLS(certificates: String)
        case implicitTLS(certificates: String)

        fileprivate var arguments: [String] {
            switch self {
            case .none: []
            case .startTLS(let files): ["--starttls", files + "/server.crt", files + "/server.key"]
            case .implicitTLS(let files): ["--smtps", files + "/server.crt", files + "/server.key"]
            }
        }
    }

    /// A mail as Python's library reads it.
    package struct Mail: Sendable {
        package let json: JSON

        package var text: String { json["text"].string ?? "" }
        package var recipients: [String] { (json["to"].elements ?? []).compactMap(\.string) }

        /// The values of the headers of that name.
        package func headers(_ name: String) -> [String] {
            (json["headers"].elements ?? []).compactMap { header in
                let words = (header.elements ?? []).compactMap(\.string)
                return words.first == name ? words.last : nil
            }
        }
    }

    /// All that were taken, in this order.
    package var mails: [Mail] {
        let text = (try? String(contentsOfFile: directory + "/mails", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { JSON(parsing: $0.utf8).map(Mail.init) }
    }

    /// Has the next commands answered so, each once: `RCPT 550 5.1.1 no such user`, `DATA 451 4.3.0 later`.
    package func answer(_ lines: [String]) throws {
        try lines.map { $0 + "\n" }.joined().write(toFile: directory + "/answers", atomically: true, encoding: .utf8)
    }

    /// Runs `body` while the server runs.
    ///
    /// - Parameter login: User and password that it wants.
    package static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ security: Security = .none,
        login: (user: String, password: String)? = nil, _ body: (MailServer) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let process = try Oracle.start(
                "smtp",
                [directory] + security.arguments + (login.map { ["--login", $0.user, $0.password] } ?? []))
            var lines: [String] = []
            var port: Int?
            for await line in process.lines {
                lines.append(line)
                port = Int(line)
                if port != nil { break }
            }
            guard let port else {
                throw NeverHappened(
                    description: "aiosmtpd, which Tests/Oracles/install installs, did not start: \(lines)")
            }
            do {
                let result = try await body(MailServer(port: port, directory: directory))
                await process.terminate()
                return result
            } catch {
                await process.terminate()
                throw error
            }
        }
    }
}
