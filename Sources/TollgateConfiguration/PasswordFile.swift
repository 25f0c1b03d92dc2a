import FoundationEssentials

/// A file that holds a password and nothing else, written anew by another program when the password changes.
package struct PasswordFile: Sendable, Hashable {
    package enum Problem: String {
        case missing = "does not exist"
        case unreadable = "cannot be read"
        case notAFile = "is no regular file"
        case tooLong = "is longer than any password"
        case notText = "is no text"
        case severalLines = "has several lines"
        case empty = "is empty"
    }

    /// There is no password in the file. Never holds a part of its content.
    package struct Unusable: Error, CustomStringConvertible {
        let path: String
        package let problem: Problem

        package var description: String { "the password file \(path) \(problem.rawValue)" }
    }

    /// Far more than the tokens of cloud services, which are the longest passwords there are.
    static let maximumByteCount = 16_384

    /// Absolute.
    package let path: String

    /// The password as it is now, without the end of its line.
    package func read() throws(Unusable) -> String {
        let bytes = try content()
        guard let text = String(validating: bytes, as: UTF8.self), !text.contains("\0") else {
            throw unusable(.notText)
        }
        let lines = text.split(whereSeparator: \.isNewline)
        guard let password = lines.first else { throw unusable(.empty) }
        guard lines.count == 1, text.first?.isNewline == false else { throw unusable(.severalLines) }
        return String(password)
    }

    private func content() throws(Unusable) -> Data {
        let manager = FileManager.default
        // What orchestrators mount is a link to the present version.
        let file = URL(filePath: path).resolvingSymlinksInPath().path
        guard manager.fileExists(atPath: file) else { throw unusable(.missing) }
        guard let attributes = try? manager.attributesOfItem(atPath: file) else { throw unusable(.unreadable) }
        // A pipe would be waited for, for ever.
        guard attributes[.type] as? FileAttributeType == .typeRegular else { throw unusable(.notAFile) }
        guard let size = attributes[.size] as? UInt64, size <= Self.maximumByteCount else { throw unusable(.tooLong) }
        guard let bytes = manager.contents(atPath: file) else { throw unusable(.unreadable) }
        // It may have grown meanwhile.
        guard bytes.count <= Self.maximumByteCount else { throw unusable(.tooLong) }
        return bytes
    }

    private func unusable(_ problem: Problem) -> Unusable { Unusable(path: path, problem: problem) }
}
