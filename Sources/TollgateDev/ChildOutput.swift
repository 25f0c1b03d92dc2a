import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The descriptors behind ``ChildProcess/Output``. A program that starts later does not inherit them; one that starts
/// while they are made could, for a pipe is born inheritable.
struct OutputDescriptors {
    /// The child's side.
    let write: Int32

    /// Our side, when we read what the child writes.
    let read: Int32?

    init(_ output: ChildProcess.Output) throws(ChildProcessError) {
        switch output {
        case .discard: try self.init(path: "/dev/null")
        case .file(let path): try self.init(path: path)
        case .lines: try self.init()
        }
    }

    private init(path: String) throws(ChildProcessError) {
        write = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        read = nil
        guard write >= 0 else { throw .system(operation: "opening \(path)", code: errno) }
    }

    private init() throws(ChildProcessError) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the kernel writes two numbers into an array of two.
        guard unsafe pipe(&ends) == 0 else { throw .system(operation: "opening a pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (read, write) = (ends[0], ends[1])
    }
}

/// Reads a pipe to its end on a thread of its own, line by line.
enum LineReader {
    /// Takes over `descriptor`. Calls `onLine` with every line, and with nil at the end.
    static func start(_ descriptor: Int32, onLine: @escaping @Sendable (String?) -> Void) {
        DispatchQueue(label: "tollgate.child.output").async {
            defer {
                close(descriptor)
                onLine(nil)
            }
            var lines = LineSplitter()
            var buffer = [UInt8](repeating: 0, count: 16_384)
            while true {
                // SAFETY: the kernel writes at most `count` bytes into the buffer during the call.
                let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe read(descriptor, bytes.baseAddress, bytes.count)
                }
                if count == -1, errno == EINTR { continue }
                guard count > 0 else { break }
                for line in lines.split(buffer[..<count]) { onLine(line) }
            }
            if let line = lines.rest() { onLine(line) }
        }
    }
}

/// Cuts bytes into lines of text.
struct LineSplitter {
    /// A program that never ends its line must not fill our memory: longer lines come in pieces.
    static let maximumBytes = 65_536

    private var pending: [UInt8] = []

    /// The lines that `bytes` complete, without their line feeds.
    mutating func split(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if pending.last == UInt8(ascii: "\r") { pending.removeLast() }
                lines.append(take())
            } else {
                pending.append(byte)
                if pending.count == Self.maximumBytes { lines.append(take()) }
            }
        }
        return lines
    }

    /// What came after the last line feed.
    mutating func rest() -> String? { pending.isEmpty ? nil : take() }

    private mutating func take() -> String {
        defer { pending.removeAll(keepingCapacity: true) }
        return String(decoding: pending, as: UTF8.self)
    }
}
