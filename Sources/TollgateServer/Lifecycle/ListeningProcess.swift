#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The process that listens at a TCP port of this machine, as far as the kernel tells us of it.
struct ListeningProcess: Sendable, Hashable, CustomStringConvertible {
    let id: Int

    /// The program and its first arguments.
    let command: String

    var description: String { "process \(id) (\(command))" }

    init(id: Int, command: String) { (self.id, self.command) = (id, command) }

    /// Nil where there is no `/proc`, and for a process of another user.
    init?(port: Int) {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(Self.text)
        let sockets = Set(tables.flatMap { Self.inodes(in: $0, listeningAt: port) }.map { "socket:[\($0)]" })
        guard !sockets.isEmpty else { return nil }
        let files = FileManager.default
        for id in ((try? files.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap(Int.init) {
            let folder = "/proc/\(id)/fd"
            let isOwner = ((try? files.contentsOfDirectory(atPath: folder)) ?? []).contains {
                (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")).map(sockets.contains) ?? false
            }
            guard isOwner else { continue }
            self.init(id: id, command: Self.command(Self.text("/proc/\(id)/cmdline")))
            return
        }
        return nil
    }

    /// The numbers of the sockets that listen at `port`.
    ///
    /// - Parameter table: As in proc(5): the local address is the second field, the state the fourth, where `0A` listens,
    ///   the inode the tenth.
    static func inodes(in table: String, listeningAt port: Int) -> [Substring] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", let digits = fields[1].split(separator: ":").last,
                Int(digits, radix: 16) == port
            else { return nil }
            return fields[9]
        }
    }

    /// The program's name and two arguments at most: what follows may hold a secret.
    ///
    /// - Parameter line: With a zero after each argument.
    static func command(_ line: String) -> String {
        let words = line.split(separator: "\0").prefix(2)
        let name = words.first.map { $0.split(separator: "/").last ?? $0 } ?? "?"
        let arguments = words.dropFirst().filter { $0.count <= 16 && $0.allSatisfy { $0.isLetter || $0 == "-" } }
        return ([name] + arguments).joined(separator: " ")
    }

    /// A file of `/proc` has no size, and one read gives a part of it: it is read until nothing comes any more.
    private static func text(_ path: String) -> String {
        // Unsafe: a stream of C's, which is closed below and goes nowhere else.
        guard let file = unsafe fopen(path, "r") else { return "" }
        defer { unsafe fclose(file) }
        var (bytes, part): ([UInt8], [UInt8]) = ([], Array(repeating: 0, count: 16_384))
        while true {
            // Unsafe: fread(3) writes at most as many bytes as the array has, which is held for the call.
            let count = unsafe fread(&part, 1, part.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += part[..<count]
        }
    }
}
