package import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension DevelopmentIdentity {
    /// The identity provider of all tests that need just any. Making its key takes a second without optimization.
    package static func shared() throws -> DevelopmentIdentity { try made.get() }

    private static let made = Result {
        let directory = "/tmp/tg-identity-" + String(UInt64.random(in: 0...0xffff_ffff), radix: 36)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try DevelopmentIdentity(directory: directory, issuer: "https://identity.test")
    }
}
