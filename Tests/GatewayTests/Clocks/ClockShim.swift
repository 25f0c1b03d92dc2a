import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A library that gives a program a wall clock of its own: loaded before the C library, it adds what stands in a mapped
/// file (``ProgramClock``) to what the kernel says. The monotonic clocks stay true.
///
/// It asks the kernel itself and never allocates: an allocator asks for the time too, as that of Redis does, and a library
/// that allocates in its answer, or looks the true function up, would call itself for ever.
enum ClockShim {
    /// Whether there are compiler and loader for it: only Linux preloads a library into any program.
    static var isUsable: Bool {
        #if os(Linux)
        true
        #else
        false
        #endif
    }

    /// It could not be made.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Puts the library into `directory`, and gives its path.
    ///
    /// - Throws: ``Failure`` that names the compiler.
    static func install(in directory: String) async throws -> String {
        let path = directory + "/clock.so"
        try await library.value.write(to: URL(filePath: path))
        return path
    }

    /// What a program is started with to go by `clock`.
    static func environment(library: String, clock: ProgramClock) -> [String: String] {
        ["LD_PRELOAD": library, "TOLLGATE_TEST_CLOCK": clock.path]
    }

    /// The library's bytes, made once for all tests.
    private static let library = Task { try await compiled() }

    private static let compilers = ["clang", "cc"]

    private static func compiled() async throws -> Data {
        let directory = "/tmp/tg-clock-" + String(UInt64.random(in: 0...0xffff_ffff), radix: 36)
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (code, library) = (directory + "/clock.c", directory + "/clock.so")
        try source.write(toFile: code, atomically: false, encoding: .utf8)
        let (name, process) = try startCompiler(["-std=c11", "-O2", "-fPIC", "-shared", "-o", library, code])
        var said = ""
        for await line in process.lines { said += "\n\(line)" }
        let status = await process.wait()
        guard status == .exited(0) else { throw Failure(description: "\(name) \(status):\(said)") }
        return try Data(contentsOf: URL(filePath: library))
    }

    /// The first one that is there.
    private static func startCompiler(_ arguments: [String]) throws -> (name: String, process: ChildProcess) {
        for name in compilers {
            do throws(ChildProcessError) {
                return (name, try ChildProcess.start(name, arguments, output: .lines))
            } catch {
                guard case .missing = error else { throw error }
            }
        }
        throw Failure(description: "no C compiler is in PATH: \(compilers.joined(separator: " or ")) is needed here")
    }

    private static let source = #"""
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        /* Milliseconds, in the file. NULL until the file is mapped: others may ask for the time before that. */
        static const int64_t *offset;

        /* A program that would go by another clock than the test believes must not run. */
        __attribute__((constructor)) static void map_offset(void) {
            const char *path = getenv("TOLLGATE_TEST_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
            if (page == MAP_FAILED) {
                static const char message[] = "the file that TOLLGATE_TEST_CLOCK names cannot be mapped\n";
                if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(71);
                _exit(70);
            }
            close(file);
            __atomic_store_n(&offset, page, __ATOMIC_RELEASE);
        }

        int clock_gettime(clockid_t clock, struct timespec *now) {
            if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
            const int64_t *word = __atomic_load_n(&offset, __ATOMIC_ACQUIRE);
            if (word == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return 0;
            int64_t milliseconds = __atomic_load_n(word, __ATOMIC_RELAXED);
            now->tv_sec += milliseconds / 1000;
            now->tv_nsec += milliseconds % 1000 * 1000000;
            if (now->tv_nsec < 0) {
                now->tv_sec -= 1;
                now->tv_nsec += 1000000000;
            } else if (now->tv_nsec >= 1000000000) {
                now->tv_sec += 1;
                now->tv_nsec -= 1000000000;
            }
            return 0;
        }

        int gettimeofday(struct timeval *restrict now, void *restrict zone) {
            (void)zone;
            struct timespec time;
            if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
            now->tv_sec = time.tv_sec;
            now->tv_usec = time.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *seconds) {
            struct timespec now;
            if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
            if (seconds != NULL) *seconds = now.tv_sec;
            return now.tv_sec;
        }

        """#
}
