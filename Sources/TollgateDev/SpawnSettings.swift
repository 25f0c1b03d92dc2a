#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a child process inherits from us: an output, and otherwise as little as possible.
///
/// Safe because no other code can reach the two opaque structures, and each is initialised once and destroyed once.
@safe struct SpawnSettings: ~Copyable {
    // Both are opaque: memory that only the functions of posix_spawn read and write.
    #if canImport(Darwin)
    private var actions: posix_spawn_file_actions_t?
    private var attributes: posix_spawnattr_t?
    #else
    private var actions = unsafe posix_spawn_file_actions_t()
    private var attributes = posix_spawnattr_t()
    #endif

    init(output: Int32) {
        // SAFETY: every call here reads and writes our two stored properties and its own arguments, during the call
        // only. They fail only when memory runs out.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)

        var flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        // SwiftNIO's sockets are inheritable, and one that a child has as well is not hung up when we close ours.
        #if canImport(Darwin)
        flags |= POSIX_SPAWN_CLOEXEC_DEFAULT
        #else
        for descriptor in STDERR_FILENO + 1...Self.highestDescriptor {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        #endif

        // We ignore SIGTERM and SIGINT in favour of a graceful shutdown. Ignored signals stay so in a new program.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe sigdelset(&signals, SIGKILL)
        unsafe sigdelset(&signals, SIGSTOP)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    #if !canImport(Darwin)
    /// No descriptor of ours is higher, and none becomes so in the moments until the child is there: the lowest free
    /// numbers are given out first. `closefrom` would not have to know, but glibc shows it to GNU programs alone.
    private static var highestDescriptor: Int32 {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return (names.compactMap { Int32($0) }.max() ?? 1024) + 64
    }
    #endif

    deinit {
        // SAFETY: as above. The copies are needed because a deinit may not change what it ends.
        var (actions, attributes) = unsafe (actions, attributes)
        unsafe posix_spawn_file_actions_destroy(&actions)
        unsafe posix_spawnattr_destroy(&attributes)
    }

    /// Starts the program that `command` begins with. The code is 0 or an `errno`.
    mutating func spawn(_ command: [String], environment: [String]) -> (code: Int32, pid: pid_t) {
        var pid: pid_t = 0
        let code = unsafe withCStrings(command) { arguments in
            unsafe withCStrings(environment) { environment in
                // SAFETY: both arrays end with nil, and everything lives until the call returns.
                unsafe posix_spawn(&pid, command[0], &actions, &attributes, arguments, environment)
            }
        }
        return (code, pid)
    }

    /// Hands out C strings in an array that ends with nil, for as long as `body` runs.
    private func withCStrings<Value>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        // SAFETY: we own the copies until they are freed, which is after the only use.
        let copies = unsafe strings.map { unsafe strdup($0) } + [nil]
        defer { unsafe copies.forEach { copy in unsafe free(copy) } }
        return unsafe copies.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("at least the nil is there") }
            return unsafe body(start)
        }
    }
}
